"""Stretches of time between two fills of a position, in which all of it is constant but the price.

The letters are those of the law (docs/lifecycle.md, 5): W invested, K cost of what is open, O paid
on average, F entry fee, S realised.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Floats, Times
from tradenb.core.fills import Filled
from tradenb.core.lifecycle.holding import Holding, costs
from tradenb.core.lifecycle.state import State
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal, Trade

Key = tuple[str, str]


class Stretches(NamedTuple):
    """What one instance held from close to close, a row a stretch, as (n,) arrays.

    Attributes
    ----------
    since, until : int64
        Closes of the candles of two fills, ms UTC; `until` exclusive.
    long : bool
    paid, fee, cost, invested, realised : float64
        O, F, K, W and S of the law.
    """

    since: Times
    until: Times
    long: NDArray[np.bool_]
    paid: Floats
    fee: Floats
    cost: Floats
    invested: Floats
    realised: Floats

    def rows(self, start: int, stop: int) -> Stretches:
        """Return the stretches `start` to `stop` (exclusive), as views."""
        return Stretches._make(column[start:stop] for column in self)

    @property
    def is_plain(self) -> bool:
        """Whether all of it was entered once, and nothing of it was left yet."""
        return bool((self.cost == 1).all() and (self.invested == 1).all())


Row = tuple[int, int, bool, float, float, float, float, float]


def stretches(rows: Sequence[Row]) -> Stretches:
    """Put rows into columns; those that begin and end at one close are left out."""
    lasting = [row for row in rows if row[0] < row[1]]
    columns = list(zip(*lasting, strict=True)) or [()] * len(Stretches._fields)
    sorts = (np.int64, np.int64, np.bool_, *[np.float64] * 5)
    return Stretches(*(np.array(c, dtype=sort) for c, sort in zip(columns, sorts, strict=True)))


def plain_stretches(
    opened_at: Times, until: Times, long: NDArray[np.bool_], entry: Floats, rules: Rules
) -> Stretches:
    """Return the stretches of positions that were entered once, at market, and left once."""
    slip, fee = costs(rules, limit=False)
    paid = np.where(long, entry * (1 + slip), entry * (1 - slip))
    ones = np.ones(len(paid))
    return Stretches(opened_at, until, long, paid, ones * fee, ones, ones, ones * 0.0)


def stretches_of_trades(trades: Sequence[Trade], rules: Rules) -> Stretches:
    """Return the stretches of trades of which `told_by_trades` says that they tell all."""
    lasting = [trade for trade in trades if trade.opened_at < trade.closed_at]
    return plain_stretches(
        np.array([trade.opened_at for trade in lasting], dtype=np.int64),
        np.array([trade.closed_at for trade in lasting], dtype=np.int64),
        np.array([trade.position == "long" for trade in lasting], dtype=np.bool_),
        np.array([trade.entry for trade in lasting], dtype=np.float64),
        rules,
    )


def told_by_trades(trades: Iterable[Trade], states: Iterable[State], rules: Rules) -> bool:
    """Tell whether all was entered and left once, at costs that do not depend on the kind."""
    usual = rules.maker_fee_percent is None and rules.slippage_on == "all"
    once = all(trade.entries == trade.exits == 1 for trade in trades)
    holdings = [state.holding for state in states if state.is_open]
    return usual and once and all(h is None or (h.entries, h.exits) == (1, 0) for h in holdings)


def joined(one: Stretches, other: Stretches) -> Stretches:
    """Return the stretches of both."""
    return Stretches(*(np.concatenate(pair) for pair in zip(one, other, strict=True)))


def row_of(signal: Signal, holding: Holding, since: int, until: int) -> Row:
    """Return the row of what a position is between two closes."""
    return (
        since, until, signal.position == "long", holding.paid, holding.fee, holding.cost,
        holding.invested, holding.realised,
    )  # fmt: skip


def stretches_of_fills(
    filled: Iterable[Filled], keys: Iterable[Key], end: int
) -> Mapping[Key, Stretches]:
    """Return the stretches of each instance, by (strategy, symbol), from its fills.

    Parameters
    ----------
    end : int
        What is open then is taken to be open up to it, and at its close; ms UTC.
    """
    rows: dict[Key, list[Row]] = {key: [] for key in keys}
    held: dict[Key, tuple[Signal, Holding, int]] = {}
    for fill in filled:
        key = (fill.event.strategy, fill.event.symbol)
        before = held.pop(key, None)
        if before is not None:
            signal, holding, since = before
            rows[key].append(row_of(signal, holding, since, fill.event.at))
        if fill.after is not None:
            held[key] = (fill.signal, fill.after, fill.event.at)
    for key, (signal, holding, since) in held.items():
        rows[key].append(row_of(signal, holding, since, end + 1))
    return {key: stretches(found) for key, found in rows.items()}
