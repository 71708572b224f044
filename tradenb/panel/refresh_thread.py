"""The one thread that feeds all dashboards of this process; it ends with the last of them.

Never the kernel's loop, which stands still while a cell runs. It only sets values and sends
messages, which is safe from any thread.
"""

from __future__ import annotations

import logging
import threading
from typing import Final, Protocol

log = logging.getLogger("tradenb")

EVERY_S: Final = 0.5


class Fed(Protocol):
    """What is fed."""

    def feed(self) -> None:
        """Look at the runs and send what has changed, if anybody looks."""


class Pump:
    """Feeds dashboards."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fed: list[Fed] = []
        self._thread: threading.Thread | None = None
        self._woken = threading.Event()

    def add(self, fed: Fed) -> None:
        """Feed a dashboard from now on."""
        with self._lock:
            self._fed.append(fed)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._serve, name="tradenb-panel", daemon=True
                )
                self._thread.start()

    def remove(self, fed: Fed) -> None:
        """Feed a dashboard no longer; with the last one the thread ends."""
        with self._lock:
            self._fed = [kept for kept in self._fed if kept is not fed]
            thread = self._thread if not self._fed else None
        self._woken.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(2.0)

    def wake(self) -> None:
        """Feed at once."""
        self._woken.set()

    def _serve(self) -> None:
        while True:
            self._woken.wait(EVERY_S)
            self._woken.clear()
            with self._lock:
                fed = [*self._fed]
                if not fed:
                    self._thread = None
                    return
            for one in fed:
                try:
                    one.feed()
                except Exception:
                    log.exception("a dashboard could not be fed")


pump: Pump = globals().get("pump") or Pump()
"""The thread of this process; a reload of this module keeps it."""
