"""A thread with an event loop, on which all ccxt exchanges of this process talk.

Live runs and backtests share it, and with it the sessions and rate limits, whether the live loop
runs or not. Sessions are closed after some seconds without a call, and at the latest when the
interpreter ends. ADR 21. No deadline here: each request has its own in `ccxt_client.py`.
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

Result = TypeVar("Result")
MakeCoroutine = Callable[[], Coroutine[Any, Any, Result]]
CloseSession = Callable[[], Awaitable[None]]


class Portal:
    """Runs coroutines on a daemon thread; after `idle_s` without a call sessions are closed."""

    def __init__(self, *, idle_s: float = IDLE_S) -> None:
        self._idle_s = idle_s
        self._close_sessions: list[CloseSession] = []
        self._loops_before_fork: list[asyncio.AbstractEventLoop] = []
        self._reset()

    def forget_thread(self) -> None:
        """Forget the thread, which a forked child does not have.

        The old loop is kept untouched: closing it would close sockets that the parent uses.
        """
        if self._loop is not None:
            self._loops_before_fork.append(self._loop)
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None
        self._busy = 0
        self._idle_timer: asyncio.TimerHandle | None = None
        self._closing: asyncio.Task[None] | None = None

    def call(self, make: MakeCoroutine[Result]) -> Result:
        """Run a coroutine and wait for it; an interrupt while waiting cancels it."""
        future = self.submit(make)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def submit(self, make: MakeCoroutine[Result]) -> Future[Result]:
        """Run a coroutine and return at once."""
        return asyncio.run_coroutine_threadsafe(self._counted(make), self._running_loop())

    def when_idle(self, closing: CloseSession) -> None:
        """Register a function that is called, on the loop, after a while without calls."""
        self._close_sessions.append(closing)

    def close(self, seconds: float = CLOSE_S) -> None:
        """Close everything and end the thread; the next call starts another."""
        with self._lock:
            loop, thread, stopping = self._loop, self._thread, self._stopping
            self._loop = self._thread = self._stopping = None
        if loop is None or thread is None or stopping is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(stopping.set)
        thread.join(seconds)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
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
        stopping = self._stopping = asyncio.Event()
        self._busy, self._idle_timer, self._closing = 0, None, None
        ready.set_result(asyncio.get_running_loop())
        await stopping.wait()
        calls = asyncio.all_tasks() - {asyncio.current_task()}
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await self._close_all()

    async def _counted(self, make: MakeCoroutine[Result]) -> Result:
        """Run a coroutine; if sessions are being closed, wait for that first."""
        self._busy += 1
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        try:
            if self._closing is not None:
                await asyncio.shield(self._closing)
            return await make()
        finally:
            self._busy -= 1
            if not self._busy:
                self._idle_timer = asyncio.get_running_loop().call_later(
                    self._idle_s, self._close_if_idle
                )

    def _close_if_idle(self) -> None:
        if not self._busy and self._closing is None:
            self._closing = asyncio.create_task(self._close_all())

    async def _close_all(self) -> None:
        try:
            await asyncio.gather(
                *(close() for close in self._close_sessions), return_exceptions=True
            )
        finally:
            self._closing = None


portal: Final = Portal()
"""The portal of this process."""

atexit.register(portal.close)
# A forked child has the object but not the thread; its first call starts another.
os.register_at_fork(after_in_child=portal.forget_thread)
