"""`Marks`: what prices add to the figures of closed trades, first of all the curve of a run.

Closed trades are compounded, and what is open is marked to market at every close. Between two fills
a position is a constant and one line of numpy over the market prices. Rows are made only for
candles in which something is open; in all others the value is that of the row before.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Floats, Times
from tradenb.core.lifecycle.holding import costs
from tradenb.core.rules import Rules
from tradenb.statistics.closed_trades import TradeColumns
from tradenb.statistics.equity.curve import Covered, Curve, curve_of_closes, whole
from tradenb.statistics.equity.money_curve import MoneyMarks
from tradenb.statistics.equity.run_prices import Benchmark, RunPrices
from tradenb.statistics.equity.stretches import Stretches

_NEARLY: Final = 0.8
_AT_ONCE: Final = 131_072
Rows = NDArray[np.intp]
Instance = tuple[str, Stretches]
"""Symbol of an instance, and what it held."""


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


class _Shown:
    """The rows of a run at which its curve may change: runs of neighbouring rows.

    Parameters
    ----------
    first, stop : (n,) arrays
        Rows from which to which something changes; `stop` exclusive, in any order.
    all_rows : array
        0, 1, 2, ... as many as the run has.
    """

    def __init__(self, first: Rows, stop: Rows, all_rows: Rows) -> None:
        order = np.argsort(first, kind="stable")
        first, reach = first[order], np.maximum.accumulate(stop[order])
        begins = np.flatnonzero(np.concatenate(([True], first[1:] > reach[:-1])))
        self.begins: Rows = first[begins] if len(first) else first
        ends = reach[np.append(begins[1:], len(first)) - 1] if len(first) else first
        lengths = ends - self.begins
        if len(lengths) and lengths.sum() > _NEARLY * (ends[-1] - self.begins[0]):
            # Neighbouring rows are read five times as fast as picked ones.
            self.begins, lengths = self.begins[:1], ends[-1:] - self.begins[:1]
        self._before = np.cumsum(lengths) - lengths
        if len(lengths) == 1:
            self.rows: Rows = all_rows[int(self.begins[0]) :][: int(lengths[0])]
        else:
            self.rows = np.repeat(self.begins - self._before, lengths)
            self.rows += all_rows[: len(self.rows)]

    def places(self, rows: Rows) -> Rows:
        """Return where rows are among `rows`."""
        group = np.searchsorted(self.begins, rows, "right") - 1
        found: Rows = self._before[group] + rows - self.begins[group]
        return found


def marked_curve(
    prices: RunPrices, instances: Sequence[Instance], closed_at: Times, percent: Floats
) -> Curve:
    """Mark a run without an account to market.

    The value is R x the product of (1 + u/100) over what is open: R compounds the closed trades,
    u is unrealised.

    Parameters
    ----------
    instances : sequence of (str, Stretches)
        In their order.
    closed_at, percent : (n,) arrays
        Close times (ms UTC) and pnl_percent of the trades, in order of closing.
    """
    at, size = prices.at, len(prices.at)
    closes = np.searchsorted(at, closed_at)
    held = [
        (symbol, own, np.searchsorted(at, own.since), np.searchsorted(at, own.until))
        for symbol, own in instances
    ]
    # At the close that ends a stretch the value changes once more.
    shown = _Shown(
        np.concatenate([closes, *(first for _, _, first, _ in held)]),
        np.concatenate([closes + 1, *(np.minimum(stop + 1, size) for *_, stop in held)]),
        prices.rows,
    )
    rows, market = shown.rows, cache(lambda symbol: _market(prices, symbol, shown.rows))
    with np.errstate(over="ignore", invalid="ignore"):
        factors = 1 + percent / 100
        steps = shown.places(closes)
        values = _stepwise(np.multiply.accumulate(np.append(1.0, factors)), steps, len(rows))
        ruined = [int(steps[(factors <= 0).argmax()])] if (factors <= 0).any() else []
        for symbol, own, first, stop in held:
            if len(first):
                begins = shown.places(first)
                ruined += _mark(values, own, begins, begins + stop - first, market(symbol), prices)
        if len(values) and values.min() <= 0:
            ruined.append(int((values <= 0).argmax()))
    ruined_at = None
    if ruined:
        values[min(ruined) :] = 0.0
        ruined_at = int(at[rows[min(ruined)]])
    return Curve(prices.start, prices.end, at, rows, values, 1.0, ruined_at)


def _market(prices: RunPrices, symbol: str, rows: Rows) -> Floats:
    """Return the market price of a symbol at rows of the run."""
    newest, own = prices.newest[symbol], prices.lines[symbol].market
    if newest is not None:
        return own[newest[rows]]
    if len(rows) and rows[-1] - rows[0] + 1 == len(rows):
        return own[rows[0] : rows[-1] + 1]
    return own[rows]


def _mark(
    values: Floats, own: Stretches, first: Rows, stop: Rows, market: Floats, prices: RunPrices
) -> list[int]:
    """Multiply values by 1 + u/100 where something is open; return a row at which that is <= 0.

    Some stretches at a time, so that a run of many years needs little memory beside its curve.
    """
    place, count = 0, len(first)
    ruined: list[int] = []
    while place < count:
        after = max(place + 1, int(np.searchsorted(first, first[place] + _AT_ONCE)))
        begin, end = int(first[place]), int(stop[after - 1])
        some = own.rows(place, after)
        bounds = np.stack([first[place:after], stop[place:after]], axis=1).ravel() - begin
        factor = _factor(some, np.diff(bounds, prepend=0), market[begin:end], prices.rules)
        values[begin:end] *= factor
        if not ruined and factor.min() <= 0:
            ruined.append(begin + int((factor <= 0).argmax()))
        place = after
    return ruined


def _factor(own: Stretches, counts: Rows, market: Floats, rules: Rules) -> Floats:
    """Return 1 + u/100 at each row; 1 where nothing is open.

    The formula is that of `core.lifecycle.holding`, in its order: at the price that was paid u is
    exactly what the costs are, and a curve that has not fallen shows no drawdown.

    Parameters
    ----------
    counts : (2 n,) array
        Rows before each of n stretches in which nothing is open, and its own.
    """

    def at_each_row(values: Floats, idle: float = 0.0) -> Floats | float:
        if (values == values[0]).all():
            return float(values[0])
        column = np.full(2 * len(values), idle)
        column[1::2] = values
        return np.repeat(column, counts)

    slip, fee = costs(rules, limit=False)
    side = np.where(own.long, 1.0, -1.0)
    paid = at_each_row(own.paid, 1.0)
    found: Floats = market * at_each_row(1 - side * slip)
    found -= paid
    found /= paid
    found *= at_each_row(side * 100)
    found -= at_each_row(own.fee + fee)
    if not own.is_plain:
        found *= at_each_row(own.cost)
        found += at_each_row(own.realised)
        found /= at_each_row(own.invested, 1.0)
    found /= 100
    found += 1
    idle = np.ones(len(counts), dtype=np.bool_)
    idle[1::2] = False
    if counts[::2].any():
        found[np.repeat(idle, counts)] = 1.0
    return found


def _stepwise(values: Floats, steps: Rows, count: int) -> Floats:
    """Return the first value up to the first step, the second from there on, and so on."""
    return np.repeat(values, np.diff(np.concatenate(([0], steps, [count]))))
