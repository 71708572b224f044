"""The curve of a run with an account: balance and what is open, in money, at every given close."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Floats, Times
from tradenb.core.fills import Filled, fill_of
from tradenb.statistics.equity.curve import Curve, peaks_of
from tradenb.statistics.equity.run_prices import RunPrices
from tradenb.statistics.equity.stretches import Key

Changes = list[tuple[int, float]]
Row = tuple[int, int, bool, float, float]


class MoneyHeld(NamedTuple):
    """What one instance held and booked, in money.

    Attributes
    ----------
    rows : list of (int, int, bool, float, float)
        From one fill to the next: closes (`until` exclusive), long, pieces, cost of what is open.
    changes : list of (int, float)
        Close, and what the balance changed by: fills and funding.
    fees, turnover, funding : float
        Quote currency.
    """

    rows: list[Row]
    changes: Changes
    fees: float
    turnover: float
    funding: float


@dataclass(frozen=True)
class MoneyMarks:
    """What a run with an account was worth.

    Attributes
    ----------
    curve : Curve
        The equity.
    balance : float
        At the end, without what is open.
    exposure : (n,) float64 array
        Value of what is open in units of the equity, at each given close; NaN without equity.
    held : sequence of MoneyHeld
    made : sequence of float
        What each instance made of the cash, what is open included; quote currency.
    """

    curve: Curve
    balance: float
    exposure: Floats
    held: Sequence[MoneyHeld]
    made: Sequence[float] = ()

    def figures(self) -> dict[str, float]:
        """Return the figures of money, by name."""
        curve, known = self.curve, self.exposure[~np.isnan(self.exposure)]
        peaks = peaks_of(curve.values, curve.first)
        fall = float((peaks - curve.values).max()) if len(peaks) else 0.0
        return {
            "final_equity": curve.last,
            "net_profit": curve.last - curve.first,
            "max_drawdown_value": fall,
            "fees_paid": sum(own.fees for own in self.held),
            "funding_paid": sum(own.funding for own in self.held),
            "turnover": sum(own.turnover for own in self.held),
            "exposure_money": float(known.mean()) if len(known) else 0.0,
            "leverage_max": float(known.max()) if len(known) else 0.0,
        }


def money_held(
    filled: Iterable[Filled], funding: Mapping[Key, Changes], keys: Iterable[Key], end: int
) -> dict[Key, MoneyHeld]:
    """Return what each instance held and booked, by (strategy, symbol).

    Parameters
    ----------
    funding : mapping
        Closes and what was paid then, by instance.
    end : int
        What is open then is taken to be open at that close, ms UTC.
    """
    found = {key: MoneyHeld([], [], 0.0, 0.0, 0.0) for key in keys}
    last: dict[Key, tuple[int, bool, float, float]] = {}
    for fill in filled:
        event = fill.event
        key = (event.strategy, event.symbol)
        own = found[key]
        before = last.pop(key, None)
        if before is not None and before[0] < event.at:
            since, long, pieces, cost = before
            own.rows.append((since, event.at, long, pieces, cost))
        money = None if fill.after is None else fill.after.money
        if money is not None:
            last[key] = (event.at, fill.signal.position == "long", money.quantity, money.cost)
        own.changes.append((event.at, fill.change))
        row = fill_of(fill)
        found[key] = own._replace(
            fees=own.fees + (row.fee or 0.0), turnover=own.turnover + (row.value or 0.0)
        )
    for key, (since, long, pieces, cost) in last.items():
        found[key].rows.append((since, end + 1, long, pieces, cost))
    for key, charges in funding.items():
        own, paid = found[key], 0.0
        for at, amount in charges:
            own.changes.append((at, -amount))
            paid += amount
        found[key] = own._replace(funding=paid)
    return found


def money_marks(
    prices: RunPrices, instances: Sequence[tuple[str, MoneyHeld]], cash: float
) -> MoneyMarks:
    """Mark a run with an account to market: balance + sum of side x (pieces x price - cost).

    Parameters
    ----------
    instances : sequence of (str, MoneyHeld)
        Symbol of each instance, and what it held.
    """
    at = prices.at
    changes = [change for _, own in instances for change in own.changes]
    changes.sort(key=lambda change: change[0])
    amounts = np.array([cash, *(amount for _, amount in changes)])
    steps = np.searchsorted(at, np.array([moment for moment, _ in changes], dtype=np.int64))
    balances = np.add.accumulate(amounts)
    equity = np.repeat(balances, np.diff(np.concatenate(([0], steps, [len(at)]))))
    value = np.zeros(len(at))
    for symbol, own in instances:
        if own.rows:
            _mark(equity, value, own.rows, at, prices, symbol)
    ruined_at = None
    if len(equity) and equity.min() <= 0:
        first = int((equity <= 0).argmax())
        equity[first:], ruined_at = 0.0, int(at[first])
    exposure = np.divide(value, equity, out=np.full(len(at), np.nan), where=equity > 0)
    return MoneyMarks(
        curve=Curve(prices.start, prices.end, at, prices.rows, equity, cash, ruined_at),
        balance=float(balances[-1]),
        exposure=exposure,
        held=[own for _, own in instances],
        made=[_made(own, prices, symbol) for symbol, own in instances],
    )


def _made(own: MoneyHeld, prices: RunPrices, symbol: str) -> float:
    """Return what an instance changed the balance by, and what it has open at the end."""
    found = 0.0
    for _, amount in own.changes:
        found += amount
    if not own.rows or own.rows[-1][1] <= prices.end:
        return found
    _, _, long, pieces, cost = own.rows[-1]
    newest, market = prices.newest[symbol], prices.lines[symbol].market
    worth = pieces * float(market[-1 if newest is None else newest[-1]])
    return found + (worth - cost if long else cost - worth)


def _mark(
    equity: Floats, value: Floats, rows: Sequence[Row], at: Times, prices: RunPrices, symbol: str
) -> None:
    """Add what one instance has open to the equity, and its value to `value`."""
    columns = list(zip(*rows, strict=True))
    since, until = (np.searchsorted(at, np.array(own, dtype=np.int64)) for own in columns[:2])
    counts = until - since
    places: NDArray[np.intp] = np.repeat(since - (np.cumsum(counts) - counts), counts)
    places += prices.rows[: len(places)]
    newest = prices.newest[symbol]
    own = prices.lines[symbol].market
    market = own[places if newest is None else newest[places]]
    side, pieces, cost = (
        np.repeat(np.array(column, dtype=np.float64), counts)
        for column in ([1.0 if long else -1.0 for long in columns[2]], *columns[3:])
    )
    worth = pieces * market
    value[places] += worth
    equity[places] += side * (worth - cost)
