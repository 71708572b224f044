"""`QuietSpan`: an open position between two things that happen to it, while nobody changes it.

A manage function that answers None changes nothing. So what happens next to its position is found
once, and the asks before that are made one after the other, without a look at the candles between
them. What the position is at one of these asks is found when somebody wants to know.
"""

from __future__ import annotations

from tradenb.core.candles.arrays import Candles
from tradenb.core.lifecycle.machine import advance
from tradenb.core.lifecycle.quiet import pass_by, quiet_until
from tradenb.core.lifecycle.state import State, Step
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal


class QuietSpan:
    """What an open position comes to if all asks until then answer None.

    Attributes
    ----------
    state : State
        With which it begins.
    every : int
        Interval of the asks, ms.
    last : int
        Asks up to there come before anything happens, ms UTC.
    """

    __slots__ = ("_candles", "_rules", "_seen", "_until", "every", "last", "state")

    def __init__(
        self,
        state: State,
        signal: Signal,
        every: int,
        candles: Candles,
        rules: Rules,
        until: int,
    ) -> None:
        self.state = self._seen = state
        self.every = every
        self._candles = candles
        self._rules = rules
        self._until = until
        self.last = quiet_until(state, signal, candles, rules, until)

    def next_step(self, at: int) -> Step:
        """Return what happens next, after the last ask that comes before it; `at` is the next."""
        return self._advance(self.state, at, self._until)

    def until(self, at: int) -> Step:
        """Return the step to an ask in it: the state before the answer, and milestones so far."""
        state, signal, holding = self.state, self.state.signal, self.state.holding
        if signal is None or holding is None or not signal.trail is signal.trail_distance is None:
            return self._advance(state, at, at)
        return pass_by(state, signal, holding, self._candles, self._rules, at)

    def seen_at(self, at: int) -> State:
        """Return the state as of an ask, for those who look at it; asks come in their order."""
        if self._seen.cursor < at:
            self._seen = self._advance(self._seen, at, at).state.moved(at)
        return self._seen

    def _advance(self, state: State, at: int, until: int) -> Step:
        """Advance a state that is asked about at `at` for the first time."""
        step = advance(state._replace(manage_from=at), self._candles, self._rules, until)
        if step.state.signal is None:
            return step
        return step._replace(state=step.state._replace(manage_from=state.manage_from))
