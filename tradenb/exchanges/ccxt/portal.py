"""A thread with an event loop, on which all exchanges of this process talk.

Live runs and backtests share it, and so they share sessions and rate limits, whatever becomes of
the live loop. Sessions are closed when nobody has called for some seconds, and at the latest when
the interpreter ends. Decision 21 in docs/adr.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

IDLE_S: Final = 5.0
CLOSE_S: Final = 2.0

Got = TypeVar("Got")
Make = Callable[[], Coroutine[Any, Any, Got]]
Closing = Callable[[], Awaitable[None]]


class Portal:
    """Runs coroutines on a daemon thread that is started by the first.

    Parameters
    ----------
    idle_s : float
        After how many quiet seconds everything that `when_idle` was told of is called.
    """

    def __init__(self, *, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s
        self._closings: list[Closing] = []
        self._left: list[asyncio.AbstractEventLoop] = []
        self._forget()

    def forget(self) -> None:
        """Forget the thread, which a child made by fork does not have.

        The old loop stays as it is: its sockets and its selector are the parent's as well.
        """
        if self._loop is not None:
            self._left.append(self._loop)
        self._forget()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._over: asyncio.Event | None = None
        self._busy = 0
        self._alarm: asyncio.TimerHandle | None = None
        self._resting: asyncio.Task[None] | None = None

    def call(self, make: Make[Got]) -> Got:
        """Run a coroutine and wait for it; whoever is interrupted while waiting cancels it."""
        future = self.submit(make)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def submit(self, make: Make[Got]) -> Future[Got]:
        """Run a coroutine and return at once."""
        return asyncio.run_coroutine_threadsafe(self._counted(make), self._started())

    def when_idle(self, closing: Closing) -> None:
        """Have something called, on the loop, whenever nobody has talked for a while."""
        self._closings.append(closing)

    def close(self, seconds: float = CLOSE_S) -> None:
        """Close everything and end the thread; the next call starts another."""
        with self._lock:
            loop, thread, over = self._loop, self._thread, self._over
            self._loop = self._thread = self._over = None
        if loop is None or thread is None or over is None:
            return
        with contextlib.suppress(RuntimeError):  # ended meanwhile
            loop.call_soon_threadsafe(over.set)
        thread.join(seconds)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                ready: Future[asyncio.AbstractEventLoop] = Future()
                self._thread = threading.Thread(
                    target=lambda: asyncio.run(self._serve(ready)),
                    name="tradenb-exchanges",
                    daemon=True,
                )
                self._thread.start()
                self._loop = ready.result()
            return self._loop

    async def _serve(self, ready: Future[asyncio.AbstractEventLoop]) -> None:
        over = self._over = asyncio.Event()
        self._busy, self._alarm, self._resting = 0, None, None
        ready.set_result(asyncio.get_running_loop())
        await over.wait()
        calls = asyncio.all_tasks() - {asyncio.current_task()}
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await self._close_all()

    async def _counted(self, make: Make[Got]) -> Got:
        """Run a coroutine, unless something is being closed: then wait for that first."""
        self._busy += 1
        if self._alarm is not None:
            self._alarm.cancel()
        try:
            if self._resting is not None:
                await asyncio.shield(self._resting)
            return await make()
        finally:
            self._busy -= 1
            if not self._busy:
                self._alarm = asyncio.get_running_loop().call_later(self._idle_s, self._rest)

    def _rest(self) -> None:
        if not self._busy and self._resting is None:
            self._resting = asyncio.create_task(self._close_all())

    async def _close_all(self) -> None:
        try:
            await asyncio.gather(*(close() for close in self._closings), return_exceptions=True)
        finally:
            self._resting = None


portal: Final = Portal()
"""The thread of this process."""

atexit.register(portal.close)
# A child made by fork has the object but not the thread; it starts one of its own.
os.register_at_fork(after_in_child=portal.forget)
