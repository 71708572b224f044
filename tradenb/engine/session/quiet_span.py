"""`QuietSpan`: an open position between two things that happen to it, while nobody changes it.

A manage function that answers None changes nothing. So what happens next to its position is found
once, and the asks before that are made one after the other, without a look at the candles between
them. What the position is at one of these asks is found when somebody wants to know.
"""

from __future__ import annotations

from tradenb.core.candles.arrays import Candles
from tradenb.core.lifecycle.machine import advance
from tradenb.core.lifecycle.state import NeedCandles, State, Step
from tradenb.core.rules import Rules


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

    __slots__ = ("_candles", "_next", "_rules", "_seen", "_until", "every", "last", "state")

    def __init__(
        self, state: State, every: int, candles: Candles, rules: Rules, until: int
    ) -> None:
        self.state = self._seen = state
        self.every = every
        self._candles = candles
        self._rules = rules
        self._until = until
        step = advance(state._replace(manage_every=None), candles, rules, until)
        self._next = step
        self.last = step.at if type(step.need) is NeedCandles else step.at - 1

    def next_step(self, at: int) -> Step:
        """Return what happens next, after the last ask that comes before it; `at` is the next."""
        step, state = self._next, self.state
        if at == step.at and step.state.signal is not None:
            # It is asked about on that candle, too.
            state = state._replace(manage_from=at)
            return advance(state, self._candles, self._rules, self._until)
        return step._replace(state=step.state._replace(manage_every=state.manage_every))

    def until(self, at: int) -> Step:
        """Return the step to an ask in it: the state before the answer, and milestones so far."""
        state = self.state
        step = advance(state._replace(manage_from=at), self._candles, self._rules, at)
        return step._replace(state=step.state._replace(manage_from=state.manage_from))

    def seen_at(self, at: int) -> State:
        """Return the state as of an ask, for those who look at it; asks come in their order."""
        seen = self._seen
        if seen.cursor < at:
            step = advance(seen._replace(manage_from=at), self._candles, self._rules, at)
            seen = self._seen = step.state.moved(at)
        return seen
