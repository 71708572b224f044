"""`Lateness`: candles that a source had too late for the strategies to be asked about them.

Only what was requested in time and came after all counts: a minute that is still missing when a
later candle has come is thin, and what closed while nothing asked was not late. Times are ms UTC.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import Final, NamedTuple

from tradenb.core.rules import Rules

REMEMBERED: Final = 1_000


class Arrival(NamedTuple):
    """A candle that was late: which close, and how long after it, ms."""

    close: int
    delay_ms: int


class Lateness:
    """What was late of one symbol.

    Attributes
    ----------
    awaited : deque of int
        Closes that were requested and not there.
    arrivals : deque of Arrival
        Those of them that came when their asks were late, oldest first.
    """

    def __init__(self, rules: Rules) -> None:
        self._late_ms = rules.late_entry_seconds * 1000
        self.awaited: deque[int] = deque(maxlen=REMEMBERED)
        self.arrivals: deque[Arrival] = deque(maxlen=REMEMBERED)

    def note_missing(self, close: int) -> None:
        """Note that a response did not have the candle of a close."""
        if close not in self.awaited:
            self.awaited.append(close)

    def note_arrival(self, given: Collection[int], end: int, now: int) -> None:
        """Note which closes have been given; all up to `end` are settled by it."""
        for close in [close for close in self.awaited if close <= end]:
            self.awaited.remove(close)
            if close in given and now - close >= self._late_ms:
                self.arrivals.append(Arrival(close, now - close))
