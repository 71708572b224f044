"""The exits of positions, each looked up once: the trials of a sweep enter the same candles.

The rules are those of the machine, for signals that open at once: first touch, gap, expiry. What is
left out is what no figure depends on: events and milestones.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tradenb.core import prices
from tradenb.core.candidate import plain_signal
from tradenb.core.candles.arrays import Candles
from tradenb.core.lifecycle.opened import exit_of
from tradenb.core.rules import Rules
from tradenb.core.signal import ExitReason, Position
from tradenb.core.timeframe import MINUTE

_LARGEST: Final = 1_000_000
_FOREVER: Final = 1e15  # minutes
Key = tuple[int, bool, float, float, float]


class Exit(NamedTuple):
    """The row of the candle that ends a position, the price, and why."""

    row: int
    price: float
    reason: ExitReason


class BareTrade(NamedTuple):
    """What the statistics read of a trade; times in ms UTC."""

    pnl_percent: float
    opened_at: int
    closed_at: int


class Exits:
    """The exits of positions on one symbol's candles, under one set of rules.

    Parameters
    ----------
    candles : Candles
        History and the candles of the run; a position that does not end in them stays open.
    """

    def __init__(self, candles: Candles, rules: Rules) -> None:
        self.candles = candles
        self.rules = rules
        self._known: dict[Key, Exit | None] = {}

    def find(self, key: Key) -> Exit | None:
        """Return the exit of a position; None: it stays open.

        Parameters
        ----------
        key : (row, long, target, stop, minutes)
            Row of the candle at whose close it opens, whether it is long, prices of target and
            stop, and its longest life. Where they break a rule, the answer means nothing.
        """
        # A None that is known is an answer as well, so `get` would not do.
        try:
            return self._known[key]
        except KeyError:
            pass
        if len(self._known) >= _LARGEST:
            self._known.clear()
        found = self._known[key] = self._follow(*key)
        return found

    def _follow(self, row: int, long: bool, target: float, stop: float, life: float) -> Exit | None:
        candles, rules = self.candles, self.rules
        longest = rules.max_signal_minutes
        minutes = int(life) if 1 <= life <= (longest or _FOREVER) else 1
        last = min(row + minutes, len(candles) - 1)
        low, high = (stop, target) if long else (target, stop)
        touched = prices.first_beyond(candles, rules, row + 1, last + 1, at_most=low, at_least=high)
        if touched >= 0:
            position: Position = "long" if long else "short"
            at = candles.start + (row + 1) * MINUTE
            signal = plain_signal("", "", "", position, 0.0, target, stop, minutes, at)
            return Exit(touched, *exit_of(signal, prices.extremes(candles, touched, rules), rules))
        if row + minutes > last:
            return None
        return Exit(last, prices.market_price(candles, last, rules), "time_expired")
