"""The watchdog: raises an alarm when no tick of a run has finished for minutes.

It has a thread of its own, because the loop itself may be what is blocked or dead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

from tradenb.errors import TradenbError
from tradenb.live.loop.record import RunRecord

SILENT_S: Final = 180.0
LOADING_S: Final = 600.0
_LOOKS: Final = 12


class Watchdog:
    """Looks at runs from time to time.

    Parameters
    ----------
    runs : callable
        Returns those that should be ticking.
    alarm : callable
        Told of a run and what is wrong with it, once until it ticks again.
    monotonic : callable
        Seconds that never go back.
    ended : Event
        Set when there is nothing more to look at.
    silent_s : float
        How long no tick may finish; while a run loads its history `LOADING_S` more.
    """

    def __init__(
        self,
        runs: Callable[[], Sequence[RunRecord]],
        alarm: Callable[[RunRecord, Exception], None],
        monotonic: Callable[[], float],
        *,
        ended: threading.Event,
        silent_s: float = SILENT_S,
    ) -> None:
        self._runs = runs
        self._alarm = alarm
        self._monotonic = monotonic
        self._silent_s = silent_s
        self._ended = ended
        self._reported: dict[str, float] = {}

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._serve, name="tradenb-watchdog", daemon=True).start()

    def check(self) -> None:
        """Look once."""
        now = self._monotonic()
        for run in self._runs():
            allowed = self._silent_s + (LOADING_S if run.instance is None else 0.0)
            silent = now - run.last_tick_s
            if silent >= allowed and self._reported.get(run.id) != run.last_tick_s:
                self._reported[run.id] = run.last_tick_s
                self._alarm(run, TradenbError(_words(silent)))

    def _serve(self) -> None:
        while not self._ended.wait(self._silent_s / _LOOKS):
            self.check()


def _words(silent: float) -> str:
    return (
        f"no tick has finished for {silent:.0f} s: the loop or its thread is blocked, and exits "
        "are not watched. Close or restart this process; the run resumes where it was"
    )
