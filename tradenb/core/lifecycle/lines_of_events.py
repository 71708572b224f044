"""From events to what a position looked like over time (`position_lines.py`), for charts.

All of it follows from the events, but for one thing: a trail moves its stop at many candles and
tells of the first only. What lies between two events is computed again from the candles, by the
rule of `trailing.py`. What cannot be known (candles are missing, or a journal that does not say how
far a trail follows) is not drawn: the stop of such a stretch is None.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import numpy as np

from tradenb.core import prices
from tradenb.core.candles.arrays import Candles, Floats
from tradenb.core.events import Event
from tradenb.core.lifecycle.holding import ladder_of
from tradenb.core.lifecycle.position_lines import Mark, PositionLines, Step, Target
from tradenb.core.lifecycle.trailing import trail_of
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal
from tradenb.core.timeframe import MINUTE

CHANGES: Final = frozenset({"opened", "added", "partial", "moved", "closed"})
"""The kinds of events that a line may change at."""
_SAME: Final = 1e-9


def lines_of(
    events: Iterable[Event],
    candles: Candles | None,
    rules: Rules,
    *,
    symbol: str | None = None,
    newest: int | None = None,
    held: Signal | None = None,
    peak: float | None = None,
) -> list[PositionLines]:
    """Return the lines of the positions that events tell of, in the order in which they opened.

    A position whose `opened` event is missing is left out.

    Parameters
    ----------
    candles : Candles, optional
        Candles of the symbol, up to the end of the run.
    symbol : str, optional
        Whose positions; default those of all events, which must be of one symbol.
    newest : int, optional
        Only so many positions, those that opened last.
    held : Signal, optional
        What is open in the end, as the state has it: events of a journal do not say how it trails.
    peak : float, optional
        Its best price.
    """
    found: dict[tuple[str, str], _Life] = {}
    for event in _newest(events, symbol, newest):
        signal = event.signal
        if not isinstance(signal, Signal):
            continue
        key = (event.strategy, signal.id)
        if event.kind == "opened":
            known = held if held is not None and held.id == signal.id else None
            found[key] = _Life(event, signal, known, candles, rules)
        elif key in found and found[key].closed_at is None:
            found[key].take(event, signal)
    for life in found.values():
        if life.closed_at is None and candles is not None:
            known = held if held is not None and held.id == life.signal.id else None
            life.go_on(candles, known, peak)
    return [life.lines() for life in found.values()]


def _newest(events: Iterable[Event], symbol: str | None, count: int | None) -> list[Event]:
    wanted = [
        event
        for event in events
        if event.kind in CHANGES and (symbol is None or event.symbol == symbol)
    ]
    if count is None:
        return wanted
    openings = [place for place, event in enumerate(wanted) if event.kind == "opened"]
    return wanted[openings[-count] :] if len(openings) > count else wanted


class _Life:
    """A position while its events go by."""

    def __init__(
        self,
        event: Event,
        signal: Signal,
        declared: Signal | None,
        candles: Candles | None,
        rules: Rules,
    ) -> None:
        self.signal = signal
        self.closed_at: int | None = None
        self._candles, self._rules = candles, rules
        # How it may trail: as is known, or as the first move of the trail leaves open.
        self._trails = [told for told in (declared, signal) if told and _trails(told)][:1]
        self._guessed = not self._trails
        self._trailing = False
        self._opened_at = self._at = event.at
        self._peak: float | None = signal.entry
        self._level = signal.stop_loss
        self._stop = [Step(event.at, signal.stop_loss)]
        self._entry = [Step(event.at, signal.entry)]
        self._marks: list[Mark] = []
        self._rungs = ladder_of(signal)[0]
        self._targets = [Target(event.at, None, level) for level, _ in self._rungs]

    def take(self, event: Event, signal: Signal) -> None:
        """Take the next event of the position."""
        # Exits and targets come before the trail of their candle; all else comes after it.
        early = event.kind == "closed" or event.exit_reason == "take_profit"
        self._follow(event.at, signal.stop_loss if early else None, closes=event.kind == "closed")
        self.signal = signal
        if not early:
            self._level = signal.stop_loss
            _step(self._stop, event.at, self._level)
        if event.kind in ("added", "partial"):
            self._marks.append(_mark(event))
        if event.kind == "added":
            _step(self._entry, event.at, signal.entry)
        if event.kind == "moved" and event.note == "trail":
            self._begin_trail()
        if event.kind == "moved":
            self._change_targets(event.at)
        if event.exit_reason == "take_profit":
            self._take_target(event)
        if event.kind == "closed":
            self.closed_at = event.at
            self._end_targets(event.at)

    def go_on(self, candles: Candles, held: Signal | None, peak: float | None) -> None:
        """Follow the position to the end of the candles, where the state holds a signal."""
        since, drawn = self._at, len(self._stop)
        if not self._trailing or held is None or peak is None or since >= candles.start:
            self._follow(max(candles.end, since), None)
            if held is None or math.isclose(self._level, held.stop_loss, rel_tol=_SAME):
                return
            # These are not the candles, or not the rules, that the stop was moved by.
            del self._stop[drawn:]
            _step(self._stop, since + candles.step, None)
            _step(self._stop, max(candles.end, since + candles.step), held.stop_loss)
            return
        # Since the best price was made, the stop has stood where it is: the one of the state.
        best = self._best(candles.start, candles.end)
        long = self.signal.position == "long"
        reached = best >= peak if long else best <= peak
        known = candles.start + (int(reached.argmax()) + 1) * candles.step * bool(reached.any())
        _step(self._stop, since + candles.step, None)
        _step(self._stop, known, held.stop_loss)

    def lines(self) -> PositionLines:
        """Return what was found."""
        return PositionLines(
            self.signal.id,
            self.signal.symbol,
            self.signal.strategy,
            self.signal.position,
            self._opened_at,
            self.closed_at,
            self._stop,
            self._entry,
            self._targets,
            self._marks,
        )

    def _follow(self, until: int, in_force: float | None, *, closes: bool = False) -> None:
        """Let peak and trail follow the candles after the last event, up to that of `until`.

        `in_force`: the stop that the last of them found, where an event tells.
        """
        since, self._at = self._at, until
        candles, peak = self._candles, self._peak
        if until <= since:
            return
        if candles is None or since < candles.start or until > candles.end:
            self._peak = None
        else:
            best = self._best(since, until)
            long = self.signal.position == "long"
            if peak is not None:
                self._peak = float(max(peak, best.max()) if long else min(peak, best.min()))
            after = self._matching(peak, best, in_force) if self._trailing else None
            if after is not None:
                self._draw(after[:-1] if closes else after, candles, since)
                return
        if self._trailing and until > since + (step := candles.step if candles else MINUTE):
            _step(self._stop, since + step, None)

    def _best(self, since: int, until: int) -> Floats:
        """Return the better extremes of the candles that close after `since`, up to `until`."""
        if self._candles is None:
            return np.empty(0)
        first, last = (self._candles.index(at) + 1 for at in (since, until))
        low, high = prices.ranges(self._candles, self._rules, first, last)
        return high if self.signal.position == "long" else low

    def _matching(self, peak: float | None, best: Floats, in_force: float | None) -> Floats | None:
        """Return the stop after each candle, if it is known; what an event tells decides."""
        if peak is None or (self._guessed and in_force is None):
            return None
        for trail in self._trails:
            known = trail._replace(entry=self.signal.entry, stop_loss=self._level)
            _, after = trail_of(known, peak, best)
            before = self._level if len(after) == 1 else float(after[-2])
            if in_force is None or math.isclose(before, in_force, rel_tol=_SAME):
                self._trails, self._guessed = [trail], False
                return after
        return None

    def _draw(self, after: Floats, candles: Candles, since: int) -> None:
        first = candles.index(since) + 1
        for row in np.flatnonzero(np.diff(after, prepend=self._level)):
            _step(self._stop, candles.ends_at(first + int(row)), float(after[row]))
        if len(after):
            self._level = float(after[-1])

    def _begin_trail(self) -> None:
        """Take the first move of the trail: its level tells the peak, or the peak its distance."""
        self._trailing, signal, level = True, self.signal, self.signal.stop_loss
        sign = -1 if signal.position == "long" else 1
        if not self._guessed:
            trail, distance = self._trails[0].trail, self._trails[0].trail_distance or 0.0
            self._peak = (
                level - sign * distance if trail is None else level / (1 + sign * trail / 100)
            )
        elif self._peak is not None:
            percent, distance = 100 * abs(level / self._peak - 1), abs(level - self._peak)
            self._trails = [
                signal._replace(trail=percent, trail_after=-math.inf),
                signal._replace(trail_distance=distance, trail_after=-math.inf),
            ]

    def _take_target(self, event: Event) -> None:
        """End the nearest target that is left, if the fill has reached it."""
        price, long = event.price or 0.0, self.signal.position == "long"
        for place, target in enumerate(self._targets):
            if target.until is None:
                if price >= target.level if long else price <= target.level:
                    self._targets[place] = target._replace(until=event.at)
                return

    def _change_targets(self, at: int) -> None:
        rungs = ladder_of(self.signal)[0]
        if rungs != self._rungs:
            self._end_targets(at)
            self._rungs = rungs
            self._targets += [Target(at, None, level) for level, _ in rungs]

    def _end_targets(self, at: int) -> None:
        self._targets = [
            target._replace(until=at) if target.until is None else target
            for target in self._targets
        ]


def _trails(signal: Signal) -> bool:
    return signal.trail is not None or signal.trail_distance is not None


def _step(steps: list[Step], at: int, level: float | None) -> None:
    """Add a step; of several at one close the last counts."""
    if steps and steps[-1].at == at:
        steps.pop()
    if not steps or steps[-1].level != level:
        steps.append(Step(at, level))


def _mark(event: Event) -> Mark:
    return Mark(
        event.at,
        "added" if event.kind == "added" else "partial",
        event.price or 0.0,
        event.fraction or 0.0,
        event.pnl_percent,
        event.exit_reason,
    )
