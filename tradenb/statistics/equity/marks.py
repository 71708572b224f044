"""`Marks`: what prices add to the figures of closed trades, and where none are known."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from tradenb.core.candles.arrays import Times
from tradenb.statistics.closed_trades import TradeColumns
from tradenb.statistics.equity.covered_time import Covered, whole
from tradenb.statistics.equity.curve import Curve, curve_of_closes
from tradenb.statistics.equity.marked_curve import Instance, marked_curve
from tradenb.statistics.equity.money_curve import MoneyMarks
from tradenb.statistics.equity.run_prices import Benchmark, RunPrices


class Marks(NamedTuple):
    """What a run was worth, over which time.

    Attributes
    ----------
    curve : Curve
    covered : Covered
        When there were candles of any symbol.
    exposure : float
        Time in position / covered time, over all instances; NaN without covered time.
    open : int
        Positions that are open at the end.
    open_pnl : float
        Sum of their unrealised pnl_percent.
    benchmark : Benchmark or None
        None where no prices are known.
    daily : bool
        Whether the curve has a value at each given close, so that its days mean something.
    money : MoneyMarks or None
        With an account.
    """

    curve: Curve
    covered: Covered
    exposure: float
    open: int = 0
    open_pnl: float = 0.0
    benchmark: Benchmark | None = None
    daily: bool = True
    money: MoneyMarks | None = None


def marks_of_run(
    prices: RunPrices,
    instances: Sequence[Instance],
    trades: TradeColumns,
    unrealised: Collection[float],
    money: MoneyMarks | None = None,
) -> Marks:
    """Mark a run to market.

    Parameters
    ----------
    instances : sequence of (str, Stretches)
        Symbol of each instance, and what it held.
    unrealised : collection of float
        pnl_percent of what is open at the end, one position each.
    money : MoneyMarks, optional
        With an account the curve is its equity.
    """
    curve = money.curve if money is not None else None
    if curve is None:
        curve = marked_curve(prices, instances, trades.closed_at, trades.pnl_percent)
    return Marks(
        curve=curve,
        covered=prices.covered,
        exposure=_exposure(
            [(prices.covered_by[symbol], held.since, held.until) for symbol, held in instances]
        ),
        open=len(unrealised),
        open_pnl=_sum(unrealised),
        benchmark=prices.benchmark,
        money=money,
    )


def marks_of_trades(
    trades: TradeColumns,
    *,
    start: int,
    end: int,
    instances: int,
    curve: Curve | None = None,
    covered: Covered | None = None,
) -> Marks:
    """Take a curve that is known, or the values at each close; all other time counts as covered.

    Parameters
    ----------
    trades : TradeColumns
        Those that were closed after `start`, at the latest at `end`.
    """
    percent, opened_at, closed_at = trades
    time = whole(start, end) if covered is None else covered
    own = [(time, np.maximum(opened_at, start), closed_at)]
    return Marks(
        curve=curve_of_closes(closed_at, percent, start=start, end=end) if curve is None else curve,
        covered=time,
        exposure=_exposure(own, instances),
        daily=curve is not None,
    )


def _sum(values: Collection[float]) -> float:
    """Add one by one."""
    found = 0.0
    for value in values:
        found += value
    return found


def _exposure(held: Sequence[tuple[Covered, Times, Times]], times: int = 1) -> float:
    whole_time = sum(covered.length for covered, _, _ in held) * times
    if not whole_time:
        return float("nan")
    inside = sum(float(np.sum(covered.between(since, until))) for covered, since, until in held)
    return inside / whole_time
