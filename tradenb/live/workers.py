"""Daemon threads of our own for whatever may block: strategies, callbacks, disks.

Not a ThreadPoolExecutor: its threads are joined when the interpreter exits, for ever if one hangs.
A call that takes too long is left behind on its thread, and another thread takes its place.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any

from tradenb.engine.session import StrategyTimeout
from tradenb.engine.specs import is_async


class ThreadWorkers:
    """Calls functions on daemon threads, as many as there are calls at one time."""

    def __init__(self) -> None:
        self._idle: list[_Worker] = []

    async def call(self, function: Callable[..., Any], *args: Any, seconds: float | None) -> Any:
        """Call a function and return its result; an async one runs on the caller's loop.

        Raises
        ------
        StrategyTimeout
            When it takes longer than `seconds`.
        """
        try:
            async with asyncio.timeout(seconds) as limit:
                if is_async(function):
                    return await function(*args)
                return await self._on_thread(function, args)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise StrategyTimeout(f"took longer than {seconds:g} s and was left behind") from error

    def _on_thread(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        worker = self._idle.pop() if self._idle else _Worker()
        worker.work(lambda: self._done(loop, future, worker, function, args))
        return future

    def _done(
        self,
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[Any],
        worker: _Worker,
        function: Callable[..., Any],
        args: tuple[Any, ...],
    ) -> None:
        result, error = None, None
        try:
            result = function(*args)
        except BaseException as raised:  # noqa: BLE001 - handed to the one who waits
            error = raised
        try:
            loop.call_soon_threadsafe(self._settle, future, worker, result, error)
        except RuntimeError:
            worker.end()  # the loop is closed; nobody waits

    def _settle(
        self,
        future: asyncio.Future[Any],
        worker: _Worker,
        result: object,
        error: BaseException | None,
    ) -> None:
        self._idle.append(worker)
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(_safe(error))


class _Worker:
    """One daemon thread with a queue of length one."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="tradenb-worker", daemon=True).start()

    def work(self, job: Callable[[], None]) -> None:
        """Do a job."""
        self._jobs.put(job)

    def end(self) -> None:
        """End the thread after its job."""
        self._jobs.put(None)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def _safe(error: BaseException) -> Exception:
    """Turn what ends loops into what does not; a future refuses StopIteration as well."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError(f"raised {type(error).__name__}")
    wrapped.__cause__ = error
    return wrapped
