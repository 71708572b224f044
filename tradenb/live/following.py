"""`tn.live.run`: the events of a run as an iterator, plain or async."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator, Iterator
from typing import Final

from tradenb.bus import Subscription, bus
from tradenb.core.events import Event
from tradenb.errors import StateError
from tradenb.live.run import LiveRun

YIELDED: Final = frozenset({"opened", "closed", "cancelled"})
_LOOK_EVERY_S: Final = 0.05


class Following:
    """Yields opened, closed and cancelled of one run until it ends.

    Leaving the loop leaves the run running, unless this call had started it: then it is released.

    Attributes
    ----------
    run : LiveRun
    owned : bool
        Whether leaving the loop releases the run.
    """

    run: LiveRun

    def __init__(self) -> None:
        self.owned = False
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._subscription: Subscription | None = None

    def follow(self, run: LiveRun) -> None:
        """Hear all that happens to a run from now on."""
        self.run = run
        self._subscription = bus.subscribe(self._hear, mode="live", kinds=YIELDED)

    def __iter__(self) -> Iterator[Event]:
        try:
            while True:
                ended = self.run.status != "running"
                try:
                    yield self._events.get(timeout=_LOOK_EVERY_S)
                except queue.Empty:
                    if ended:
                        break
            self._check()
        finally:
            self.close()

    async def __aiter__(self) -> AsyncIterator[Event]:
        try:
            while True:
                ended = self.run.status != "running"
                try:
                    yield self._events.get_nowait()
                except queue.Empty:
                    if ended:
                        break
                    await asyncio.sleep(_LOOK_EVERY_S)
            self._check()
        finally:
            self.close()

    def close(self) -> None:
        """Follow no longer."""
        if self._subscription is not None:
            self._subscription.close()
        if self.owned and self.run.status == "running":
            self.run.release()

    def _hear(self, event: Event) -> None:
        if (event.symbol, event.strategy) == (self.run.symbol, self.run.strategy):
            self._events.put(event)

    def _check(self) -> None:
        if self.run.status != "done" and isinstance(self.run.error, StateError):
            raise self.run.error
