"""The exits of positions, each looked up once: the trials of a sweep enter the same candles.

The rules are those of the machine, for signals that open at once: first touch, gap, expiry, and a
stop that trails. What is left out is what no figure depends on: events and milestones.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tradenb.core import prices
from tradenb.core.candidate import plain_signal
from tradenb.core.candles.arrays import Candles
from tradenb.core.lifecycle.holding import StopBy, opened
from tradenb.core.lifecycle.opened import exit_at_open, exit_of
from tradenb.core.lifecycle.trailing import Followed, follow_stop
from tradenb.core.rules import Rules
from tradenb.core.signal import ExitReason, Position, Signal
from tradenb.core.timeframe import MINUTE

_LARGEST: Final = 1_000_000
_FOREVER: Final = 1e15  # minutes
Key = tuple[int, bool, float | None, float, float | None]
Trail = tuple[float | None, float | None, float | None]


class Exit(NamedTuple):
    """The row of the candle that ends a position, the price, why, and the stop in force."""

    row: int
    price: float
    reason: ExitReason
    stop: float


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
    remembers : bool, default True
        Look up each exit once; False for a single run, which never asks twice.
    """

    def __init__(self, candles: Candles, rules: Rules, *, remembers: bool = True) -> None:
        self.candles = candles
        self.rules = rules
        self._remembers = remembers
        self._known: dict[tuple[Key, Trail | None], Exit | None] = {}

    def find(self, key: Key, trail: Trail | None = None) -> Exit | None:
        """Return the exit of a position; None: it stays open.

        Parameters
        ----------
        key : (row, long, target, stop, minutes)
            Row of the candle at whose close it opens, whether it is long, prices of target and
            stop, and its longest life. Where they break a rule, the answer means nothing.
        trail : (percent, distance, after), optional
            How its stop trails.
        """
        if not self._remembers:
            return self._follow(*key, trail)
        known = key, trail
        # A None that is known is an answer as well, so `get` would not do.
        try:
            return self._known[known]
        except KeyError:
            pass
        if len(self._known) >= _LARGEST:
            self._known.clear()
        found = self._known[known] = self._follow(*key, trail)
        return found

    def _follow(
        self,
        row: int,
        long: bool,
        target: float | None,
        stop: float,
        life: float | None,
        trail: Trail | None,
    ) -> Exit | None:
        candles, rules = self.candles, self.rules
        longest = rules.max_signal_minutes
        minutes = None if life is None else 1
        if life is not None and 1 <= life <= (longest or _FOREVER):
            minutes = int(life)
        expiry, at_open = self._expiry(row, minutes)
        last = min(expiry - 1 if at_open else expiry, len(candles) - 1)
        position: Position = "long" if long else "short"
        touched: Exit | float | None
        if trail is None:
            touched = self._touch(row, last, position, target, stop)
        else:
            touched = self._trail(row, last, position, target, stop, trail)
        if isinstance(touched, Exit):
            return touched
        if expiry >= len(candles):
            return None
        if at_open:
            return self._at_open(expiry, row, position, target, stop, trail)
        in_force = stop if touched is None else touched
        return Exit(expiry, prices.market_price(candles, expiry, rules), "time_expired", in_force)

    def _expiry(self, row: int, minutes: int | None) -> tuple[int, bool]:
        """Return the candle that ends what opened at the close of a row; whether at its open."""
        candles = self.candles
        if minutes is None:
            return len(candles), False
        if candles.regular and candles.step == MINUTE:
            return row + minutes, False
        moment = candles.ends_at(row) + minutes * MINUTE
        found = max(candles.reaching(moment), row + 1)
        if found >= len(candles):
            return found, False
        return found, candles.starts_at(found) >= moment and not candles.regular

    def _at_open(
        self,
        expiry: int,
        row: int,
        position: Position,
        target: float | None,
        stop: float,
        trail: Trail | None,
    ) -> Exit:
        """End a position whose time was up before a candle opened."""
        signal = self._signal(row, position, target, stop)
        if trail is not None:
            trailed = self._trailed(row, expiry - 1, position, target, stop, trail).signal
            signal = signal._replace(stop_loss=trailed.stop_loss)
        price, reason = exit_at_open(signal, self.candles, expiry, self.rules)
        if reason == "stop_loss" and signal.stop_loss != stop:
            reason = "trailing_stop"
        return Exit(expiry, price, reason, signal.stop_loss)

    def _touch(
        self, row: int, last: int, position: Position, target: float | None, stop: float
    ) -> Exit | None:
        candles, rules = self.candles, self.rules
        touched = prices.first_between(candles, position, stop, target, rules, row + 1, last + 1)
        if touched < 0:
            return None
        return self._ended(touched, self._signal(row, position, target, stop))

    def _trail(
        self,
        row: int,
        last: int,
        position: Position,
        target: float | None,
        stop: float,
        trail: Trail,
    ) -> Exit | float:
        """Return how a position ends whose stop trails; else the stop in force at the end."""
        found = self._trailed(row, last, position, target, stop, trail)
        if found.row < 0:
            return found.signal.stop_loss if found.stops is None else float(found.stops[-1])
        return self._ended(found.row, found.signal, found.holding.stop_by)

    def _ended(self, row: int, signal: Signal, stop_by: StopBy = "stop_loss") -> Exit:
        """End a position by the candle that touches its stop or its target."""
        extremes = prices.extremes(self.candles, row, self.rules)
        price, reason = exit_of(signal, extremes, self.rules)
        return Exit(row, price, stop_by if reason == "stop_loss" else reason, signal.stop_loss)

    def stop_after(self, key: Key, trail: Trail, last: int) -> float:
        """Return the stop in force after a candle, up to which nothing touched it."""
        row, long, target, stop, _ = key
        position: Position = "long" if long else "short"
        return self._trailed(row, last, position, target, stop, trail).signal.stop_loss

    def _trailed(
        self,
        row: int,
        last: int,
        position: Position,
        target: float | None,
        stop: float,
        trail: Trail,
    ) -> Followed:
        percent, distance, after = trail
        signal = self._signal(row, position, target, stop)._replace(
            trail=percent, trail_distance=distance, trail_after=after
        )
        # As if the trail had moved before: its first move is an event, and no exit.
        holding = opened(signal, self.rules, limit=False)._replace(trailed=True)
        return follow_stop(signal, holding, self.candles, self.rules, row + 1, last + 1)

    def _signal(self, row: int, position: Position, target: float | None, stop: float) -> Signal:
        price, at = self.candles.close_at(row), self.candles.ends_at(row)
        signal = plain_signal("", "", "", position, price, target or 0.0, stop, 1, at)
        return signal if target is not None else signal._replace(take_profit=None)
