"""What came due while candles were missing: it is done at the open of the next one.

Nobody could trade in a missing minute, and nobody knew of it before the next candle was there.
"""

from __future__ import annotations

from typing import NamedTuple

from tradenb.core import prices
from tradenb.core.candles.arrays import Candles
from tradenb.core.lifecycle.state import State
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal
from tradenb.core.timeframe import MINUTE


class Due(NamedTuple):
    """The candle at whose close a moment has come.

    Attributes
    ----------
    row : int
        It may lie behind the last candle.
    at_open : bool
        The moment lies in missing minutes before that candle.
    """

    row: int
    at_open: bool


def due(candles: Candles, state: State, moment: int) -> Due:
    """Find the first candle after the cursor at whose close a moment has come."""
    first = candles.index(state.cursor) + 1
    row = max(candles.reaching(moment), first)
    if row >= len(candles):
        return Due(row, at_open=False)
    opens = candles.starts_at(row)
    return Due(row, at_open=opens >= moment and (row > first or opens > state.cursor))


def came_due(candles: Candles, state: State, moment: int, row: int) -> bool:
    """Tell whether a moment lies in missing minutes before the candle of a row."""
    return due(candles, state, moment) == Due(row, at_open=True)


def expires_at(signal: Signal, opened_at: int) -> int | None:
    """Return when a position has lasted long enough, ms UTC."""
    found = None if signal.minutes is None else opened_at + signal.minutes * MINUTE
    if signal.until is not None:
        found = signal.until if found is None else min(found, signal.until)
    return found


def open_alone(candles: Candles, row: int, rules: Rules) -> prices.Extremes | None:
    """Return what stop and targets are tested on before a position ends at an open; None: not."""
    if rules.touch == "average_price":
        return None
    opened, _, _ = candles.extremes_at(row)
    return prices.Extremes(opened, opened, opened)
