"""The time on the exchange, measured, and how far our own clock is from it.

The exchange's clock decides whether a candle has closed: if our clock were ahead, the forming
candle would count as closed. Between two measurements our monotonic clock carries the time on, so
setting the wall clock does not disturb it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from tradenb.core.timeframe import DAY

log = logging.getLogger("tradenb")

MEASURE_EVERY_S: Final = 600.0
FIRST_MS: Final = 1_230_768_000_000
"""2009: no exchange of coins is older, so an earlier answer is not a time in ms."""
LAST_MS: Final = 7_258_118_400_000
UNSURE_MS: Final = 60_000
JUMP_MS: Final = 1_000
TRIES: Final = 4
QUICK_MS: Final = 500
"""An answer that took longer is asked for again, `TRIES` times at most: the quickest one counts."""
NOTABLE_MS: Final = 1_000
"""Clock offsets up to this are harmless, and are not shown."""


class ServerTime:
    """The clock of an exchange, from our wall clock (ms UTC) and our monotonic clock (s)."""

    def __init__(self, now: Callable[[], int], monotonic: Callable[[], float]) -> None:
        self._now = now
        self._monotonic = monotonic
        self._received_s: float | None = None
        self._server_ms = 0
        self._difference_then_ms = 0.0
        self._ahead_ms: int | None = None
        self._unsure_ms = 0
        self._warned_ms = 0
        self._doubted_ms: float | None = None

    @property
    def ahead_ms(self) -> int | None:
        """How far our clock is ahead of the exchange's, ms; negative: behind; None: not known."""
        return self._ahead_ms

    @property
    def surely_ahead_ms(self) -> int:
        """How far our clock is ahead at least, ms, however the answer's way was shared; else 0."""
        ahead = self._ahead_ms or 0
        sure = max(abs(ahead) - self._unsure_ms, 0)
        return sure if ahead > 0 else -sure

    @property
    def unsure_ms(self) -> int:
        """How far `ahead_ms` may be from the truth, ms: half of the way there and back."""
        return self._unsure_ms

    @property
    def is_due(self) -> bool:
        """Whether to measure: never done, long ago, or one of our clocks has jumped.

        The monotonic clock stops while a machine sleeps, and the wall clock can be set. Both change
        the difference between the two.
        """
        if self._received_s is None:
            return True
        old = self._monotonic() - self._received_s > MEASURE_EVERY_S
        return old or abs(self._difference_ms() - self._difference_then_ms) > JUMP_MS

    async def measure(self, ask: Callable[[], Awaitable[int | None]]) -> bool:
        """Ask for the time of the exchange until an answer is quick; the quickest one counts.

        What a first request needs beside its way (a connection, imports, a busy machine) makes
        its answer slow, and would look like a clock that is off.

        Parameters
        ----------
        ask : callable
            Returns the time of the exchange, ms UTC; None: it does not say.

        Returns
        -------
        bool
            Whether the time is known now, see `note_measurement`.
        """
        shortest: float = float("inf")
        believed = False
        for _ in range(TRIES):
            sent = self._now()
            server = await ask()
            took = self._now() - sent
            if server is None:
                break
            if took < shortest:
                shortest, believed = took, self.note_measurement(server, sent_ms=sent)
            if took <= QUICK_MS:
                break
        return believed

    def note_measurement(self, server_ms: int, *, sent_ms: int) -> bool:
        """Note the time of the exchange, taken to be from half way between sending and now.

        One that cannot be is not believed, nor is one that contradicts the measurement before while
        our own clocks agree, unless the next one says the same: the time goes on as it was. Returns
        whether it is believed.
        """
        if not self._is_believable(server_ms):
            log.warning("the exchange says that its time is %s ms; not believed", server_ms)
            return False
        received_ms = self._now()
        self._received_s = self._monotonic()
        self._server_ms = server_ms
        self._difference_then_ms = self._difference_ms()
        self._ahead_ms = (sent_ms + received_ms) // 2 - server_ms
        self._unsure_ms = max(received_ms - sent_ms, 0) // 2
        return True

    def now(self) -> int:
        """Return the time of the exchange, ms UTC, never ahead of it; our own until measured.

        The response counts from its arrival, so its way back makes this clock late, never early:
        early would take a forming candle for a closed one.
        """
        if self._received_s is None:
            return self._now()
        return self._server_ms + int((self._monotonic() - self._received_s) * 1000)

    def warn_if_off(self, name: str, *, rehearsed: bool) -> None:
        """Log that our clock is wrong, again each time it is a second worse.

        A rehearsed exchange may replay another year.
        """
        ahead = self.surely_ahead_ms
        if abs(ahead) <= NOTABLE_MS or abs(ahead - self._warned_ms) <= NOTABLE_MS:
            return
        self._warned_ms = ahead
        log.log(
            logging.DEBUG if rehearsed and abs(ahead) > DAY else logging.WARNING,
            "the clock of this machine is %.1f s %s that of %s; candles count as closed by the "
            "exchange's clock, so decisions come late: set the clock (NTP)",
            abs(ahead) / 1000,
            "ahead of" if ahead > 0 else "behind",
            name,
        )

    def _is_believable(self, server_ms: int) -> bool:
        if not FIRST_MS <= server_ms < LAST_MS:
            return False
        jumped = abs(self._difference_ms() - self._difference_then_ms) > JUMP_MS
        if self._received_s is None or jumped or abs(server_ms - self.now()) <= UNSURE_MS:
            self._doubted_ms = None
            return True
        # What the clock of the exchange would be ahead of ours, the same at the next measurement.
        offset = server_ms - self._monotonic() * 1000
        repeated = self._doubted_ms is not None and abs(offset - self._doubted_ms) <= UNSURE_MS
        self._doubted_ms = None if repeated else offset
        return repeated

    def _difference_ms(self) -> float:
        return self._now() - self._monotonic() * 1000
