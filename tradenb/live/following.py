"""`tn.live.run`: the events of a run as an iterator, plain or async."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

from tradenb.bus import bus
from tradenb.core.events import Event
from tradenb.errors import StateError
from tradenb.live.live_run import LiveRun

YIELDED: Final = frozenset({"opened", "closed", "cancelled"})
_LOOK_EVERY_S: Final = 0.05


class Following:
    """Yields opened, closed and cancelled of one run until it ends.

    Nothing begins before the first event is asked for. Leaving the loop leaves the run running,
    unless the loop had started it: then it is released. A run whose state another program
    wrote pauses: that is raised, and it is not released, so that you can still decide which state
    to keep.

    Parameters
    ----------
    start : callable
        Returns the run, and whether that started it.
    """

    def __init__(
        self, symbol: str, strategy: str, start: Callable[[], tuple[LiveRun, bool]]
    ) -> None:
        self._key = (symbol, strategy)
        self._start = start

    def __repr__(self) -> str:
        symbol, strategy = self._key
        return f"<events of {symbol}:{strategy}, not begun: for event in tn.live.run(...)>"

    def __iter__(self) -> Iterator[Event]:
        with _Listener(self._key, self._start) as listener:
            while listener.goes_on():
                try:
                    yield listener.events.get(timeout=_LOOK_EVERY_S)
                except queue.Empty:
                    continue

    async def __aiter__(self) -> AsyncIterator[Event]:
        with _Listener(self._key, self._start) as listener:
            while listener.goes_on():
                try:
                    yield listener.events.get_nowait()
                except queue.Empty:
                    await asyncio.sleep(_LOOK_EVERY_S)


class _Listener:
    """One loop over the events of a run: hears them, and knows when no more will come."""

    def __init__(self, key: tuple[str, str], start: Callable[[], tuple[LiveRun, bool]]) -> None:
        self._key = key
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._subscription = bus.subscribe(self._on_event, mode="live", kinds=YIELDED)
        try:
            self._run, self._owned = start()
        except BaseException:
            self._subscription.close()
            raise

    def __enter__(self) -> _Listener:
        return self

    def __exit__(self, *reason: object) -> None:
        self._subscription.close()
        if self._owned and self._run.status == "running" and not self._run.undecided:
            self._run.release()

    def goes_on(self) -> bool:
        """Tell whether there is an event, or may be; raise a StateError that ended the run."""
        run = self._run
        ended = run.status != "running" or run.undecided
        if not ended or not self.events.empty():
            return True
        if run.status != "done" and isinstance(run.error, StateError):
            raise run.error
        return False

    def _on_event(self, event: Event) -> None:
        if (event.symbol, event.strategy) == self._key:
            self.events.put(event)
