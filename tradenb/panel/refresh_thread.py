"""The one thread that refreshes all dashboards of this process, and how often it sends something.

It is never the kernel's loop, which takes nothing while a cell runs. It only sets values and sends
messages, which is safe from any thread, and it ends with the last dashboard.

A view answers every few seconds. When none answers, only a beat a minute is sent, so that nothing
piles up in the server and an idle kernel with a live run is not culled. While a cell keeps the
kernel busy no answer can come in: then the last one counts, at a slower pace.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from dataclasses import dataclass
from typing import Final, Literal, Protocol

log = logging.getLogger("tradenb")

EVERY_S: Final = 0.5
ANSWERED_S: Final = 90.0
BUSY_PACE_S: Final = 2.0
BEAT_S: Final = 5.0
LONELY_BEAT_S: Final = 60.0
PACE_S: Final = 0.5
BYTES_A_SECOND: Final = 40_000

_PROBE_S: Final = 2.0

Due = Literal["all", "beat", "nothing"]


@dataclass
class RefreshPace:
    """When a dashboard is refreshed; times are seconds of a clock that never goes back.

    Attributes
    ----------
    answered : float
        When a view answered last; making the dashboard counts.
    sent, beat : float
        When everything new was sent, and when a beat was.
    size : int
        How many bytes were sent then.
    """

    answered: float
    sent: float = float("-inf")
    beat: float = float("-inf")
    size: int = 0

    def due(self, now: float, *, free: bool) -> Due:
        """Say what is to be sent now; while a cell runs, the kernel is not free for an answer."""
        watched = now - self.answered <= ANSWERED_S
        if watched or not free:
            pace = max(PACE_S if watched else BUSY_PACE_S, self.size / BYTES_A_SECOND)
            if now - self.sent >= pace * 0.99:
                return "all"
        if now - self.beat >= (BEAT_S if watched or not free else LONELY_BEAT_S):
            return "beat"
        return "nothing"


class KernelProbe:
    """Whether the kernel's loop answers, or a cell keeps it busy."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        with contextlib.suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()
        self._asked: float | None = None
        self._answered = threading.Event()

    def is_free(self, now: float) -> bool:
        """Tell whether the last question was answered, and ask again; True where no loop is."""
        if self._loop is None:
            return True
        if self._asked is None or self._answered.is_set():
            self._answered.clear()
            self._asked = now
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._answered.set)
            return True
        return now - self._asked < _PROBE_S


class Refreshed(Protocol):
    """What is refreshed."""

    def refresh(self) -> None:
        """Poll the runs and send what has changed, if somebody looks."""


class RefreshThread:
    """Refreshes dashboards while there are any."""

    def __init__(self) -> None:
        # The collector may end a forgotten dashboard, and so call `remove`, on any thread: on the
        # very one that holds the lock, so it is reentrant, and on one that begins, so none is
        # started under it.
        self._lock = threading.RLock()
        self._dashboards: list[Refreshed] = []
        self._thread: threading.Thread | None = None
        self._woken = threading.Event()

    def add(self, dashboard: Refreshed) -> None:
        """Refresh a dashboard from now on."""
        fresh = threading.Thread(target=self._serve, name="tradenb-panel", daemon=True)
        with self._lock:
            self._dashboards.append(dashboard)
            is_first = self._thread is None
            if is_first:
                self._thread = fresh
        if is_first:
            fresh.start()

    def remove(self, dashboard: Refreshed) -> None:
        """Refresh a dashboard no longer; with the last one the thread ends."""
        with self._lock:
            self._dashboards = [each for each in self._dashboards if each is not dashboard]
            thread = self._thread if not self._dashboards else None
        self._woken.set()
        if thread is not None and thread.is_alive() and thread is not threading.current_thread():
            thread.join(2.0)

    def wake(self) -> None:
        """Refresh at once."""
        self._woken.set()

    def _serve(self) -> None:
        while True:
            self._woken.wait(EVERY_S)
            self._woken.clear()
            with self._lock:
                dashboards = [*self._dashboards]
                if not dashboards:
                    self._thread = None
                    return
            for dashboard in dashboards:
                try:
                    dashboard.refresh()
                except Exception:
                    log.exception("a dashboard could not be refreshed; it is tried again")


refresh_thread: RefreshThread = globals().get("refresh_thread") or RefreshThread()
"""The thread of this process; a reload of this module keeps it."""
