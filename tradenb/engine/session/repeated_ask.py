"""`RepeatedAsk`: a function that is asked again and again while it answers None.

Nobody else has a turn meanwhile. So a driver may ask again by itself (`Call.again`): the way
through the pump costs more than most functions do.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

from tradenb.core.candles.arrays import Candles
from tradenb.core.lifecycle.state import State
from tradenb.core.timeframe import WEEK
from tradenb.engine.call import Call
from tradenb.engine.context import Context, begin_ask, keep_state

if TYPE_CHECKING:
    from tradenb.engine.session.quiet_span import QuietSpan


class RepeatedAsk:
    """Asks in a row of one function, with one context.

    Attributes
    ----------
    first : int
        Close time of the first ask, ms UTC.
    over : bool
        The row has come to its end; the newest answer was None.
    """

    __slots__ = (
        "_candles",
        "_context",
        "_every",
        "_indicators",
        "_later",
        "_regular",
        "first",
        "over",
    )

    def __init__(self, context: Context) -> None:
        self._context = context
        self._indicators = context.indicators

    @property
    def at(self) -> int:
        """Close time of the newest ask, ms UTC."""
        return self._context.now

    def begin(
        self,
        now: int,
        last: int,
        every: int,
        candles: Candles,
        held: State | None = None,
        quiet: QuietSpan | None = None,
    ) -> None:
        """Begin a row now, whose asks come at most at `last`; see `begin_ask`."""
        self.first, self._every, self._candles, self.over = now, every, candles, False
        self._regular = candles.regular and every != WEEK
        if self._regular:
            self._later = iter(range(now + every, last + 1, every))
        else:
            self._later = _dues(candles, now, last, every)
        begin_ask(self._context, now, held, quiet)

    def ask(self, call: Call) -> Generator[Call, Any, tuple[Any, Exception | None]]:
        """Ask until the answer is not None or the row ends; return it, and what it raised."""
        try:
            reply = yield call
            while reply is None and not self.over and self.again():
                reply = yield call
            if reply is not None and self._context.remembers:
                keep_state(self._context)
        except Exception as error:  # noqa: BLE001 - the user's code; becomes an event
            return None, error
        return reply, None

    def again(self) -> bool:
        """Go on after an answer None; False where the row has come to its end.

        Raises
        ------
        UsageError
            When `ctx.state` holds what cannot be kept: the ask has failed.
        """
        context = self._context
        if context.remembers:
            keep_state(context)
            context.remembers = False
        for at in self._later:
            # As `begin_ask` does, without the call.
            context._now = self._indicators.now = at
            return True
        self.over = True
        return False

    def before(self) -> tuple[int, int]:
        """Say how many asks came before the newest, all to None, and when the last of them was."""
        first, at, every = self.first, self.at, self._every
        if at == first:
            return 0, first
        if self._regular:
            return (at - first) // every, at - every
        later = self._candles.dues(first, at - 1, every)
        return len(later) + 1, int(later[-1]) if len(later) else first


def _dues(candles: Candles, at: int, last: int, every: int) -> Iterator[int]:
    """Go from ask to ask where the source has them."""
    while (at := candles.next_due(at, every)) <= last:
        yield at
