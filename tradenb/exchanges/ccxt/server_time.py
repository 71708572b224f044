"""What time it is on the exchange, measured; how far off our own clock is.

The exchange's clock decides whether a candle has closed: a clock of ours that is ahead would take
the forming one for closed. Between measurements the monotonic clock carries it on, so a wall clock
that is set does not disturb it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from tradenb.core.timeframe import DAY

log = logging.getLogger("tradenb")

MEASURE_EVERY_S: Final = 600.0
JUMP_MS: Final = 1_000
SHOWN_MS: Final = 1_000


class ServerTime:
    """The clock of an exchange.

    Parameters
    ----------
    now : callable
        Our wall clock, ms UTC.
    monotonic : callable
        Our monotonic clock, s.
    """

    def __init__(self, now: Callable[[], int], monotonic: Callable[[], float]) -> None:
        self._now = now
        self._monotonic = monotonic
        self._received_s: float | None = None
        self._server_ms = 0
        self._apart_ms = 0.0
        self._ahead_ms: int | None = None
        self._told_ms = 0

    @property
    def ahead_ms(self) -> int | None:
        """How far our clock is ahead of the exchange's, ms; negative: behind; None: not known."""
        return self._ahead_ms

    @property
    def is_due(self) -> bool:
        """Whether it should be measured: never was, long ago, or one of our clocks has jumped.

        The monotonic clock stands still while a machine sleeps, and the wall clock can be set:
        both show in the distance between the two.
        """
        if self._received_s is None:
            return True
        old = self._monotonic() - self._received_s > MEASURE_EVERY_S
        return old or abs(self._apart() - self._apart_ms) > JUMP_MS

    def measured(self, server_ms: int, *, sent_ms: int) -> None:
        """Note a measurement.

        Parameters
        ----------
        server_ms : int
            What the exchange said, ms UTC.
        sent_ms : int
            Our wall clock when it was asked; it is taken to have answered half way.
        """
        received_ms = self._now()
        self._received_s = self._monotonic()
        self._server_ms = server_ms
        self._apart_ms = self._apart()
        self._ahead_ms = (sent_ms + received_ms) // 2 - server_ms

    def now(self) -> int:
        """Return the time of the exchange, ms UTC: never later than it is there.

        Until it has been measured this is our own clock.
        """
        if self._received_s is None:
            return self._now()
        return self._server_ms + int((self._monotonic() - self._received_s) * 1000)

    def tell(self, name: str, *, rehearsed: bool) -> None:
        """Say so when our clock is wrong, once for each second that it gets worse.

        Parameters
        ----------
        name : str
            Of the exchange.
        rehearsed : bool
            Whether the exchange may live in another year.
        """
        ahead = self._ahead_ms or 0
        if abs(ahead) <= SHOWN_MS or abs(ahead - self._told_ms) <= SHOWN_MS:
            return
        self._told_ms = ahead
        log.log(
            logging.DEBUG if rehearsed and abs(ahead) > DAY else logging.WARNING,
            "the clock of this machine is %.1f s %s that of %s; candles count as closed by the "
            "exchange's clock, so decisions come late: set the clock (NTP)",
            abs(ahead) / 1000,
            "ahead of" if ahead > 0 else "behind",
            name,
        )

    def _apart(self) -> float:
        return self._now() - self._monotonic() * 1000
