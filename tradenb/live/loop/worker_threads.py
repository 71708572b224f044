"""Daemon threads of our own for what may block: strategies, callbacks, disks.

Not a ThreadPoolExecutor: its threads are joined when the interpreter exits, for ever if one hangs.
A call that takes too long is left behind on its thread, and another thread takes its place.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from tradenb.core.rules import Rules
from tradenb.engine.call import StrategyTimeout, harmless, is_async
from tradenb.engine.ports import Clock, Workers
from tradenb.live.loop.record import due_after

SHORTEST_CALL_S: Final = 1.0
# More threads than this wait for Python's lock more than for their disk.
MOST_AT_ONCE: Final = 32
TURN_S: Final = 0.25
MOST_PARTS: Final = 8
SMALLEST_PART: Final = 8
LARGEST_SHARE: Final = 0.9  # what is left is for the commit and for the subscribers


class ThreadWorkers:
    """Calls functions on daemon threads.

    Those without a deadline, which are ours and the disk's, are so many at one time that they are
    not in each other's way. One that has waited its time for others begins beside them: some that
    hang hold up nobody for long.
    """

    def __init__(self) -> None:
        self._idle: list[_Worker] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._under_way = 0
        self._turns: deque[asyncio.Future[None]] = deque()

    async def call(self, function: Callable[..., Any], *args: Any, seconds: float | None) -> Any:
        """Call a function and return its result; an async one, with a deadline, runs on the loop.

        Raises
        ------
        StrategyTimeout
            When it takes longer than `seconds`.
        """
        if seconds is not None and is_async(function):
            task = asyncio.ensure_future(_guarded(function, args))
            return await _within(seconds, task, lambda: not task.done())
        loop, returned = asyncio.get_running_loop(), list[bool]()
        if seconds is None:
            await self._turn(loop)
        future: asyncio.Future[Any] = loop.create_future()
        worker = self._idle.pop() if self._idle else _Worker()
        worker.jobs.put(lambda: self._work(loop, future, worker, returned, lambda: function(*args)))
        if seconds is None:
            future.add_done_callback(self._give_turn)
            return await future
        return await _within(seconds, future, lambda: not returned)

    async def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait until fewer calls are under way, but not for long; then count this one."""
        if loop is not self._loop:  # what was under way on one that died does not end here
            self._loop, self._under_way = loop, 0
            self._turns.clear()
        if self._under_way >= MOST_AT_ONCE:
            turn: asyncio.Future[None] = loop.create_future()
            self._turns.append(turn)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TURN_S):
                    await turn
        self._under_way += 1

    def _give_turn(self, ended: asyncio.Future[Any]) -> None:
        """Let the next call begin."""
        if ended.get_loop() is self._loop:
            self._under_way -= 1
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def close(self, keep: int = 0) -> None:
        """End the idle threads but `keep`; the others end with their function."""
        while len(self._idle) > keep:
            self._idle.pop().jobs.put(None)

    def _work(
        self,
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[Any],
        worker: _Worker,
        returned: list[bool],
        job: Callable[[], Any],
    ) -> None:
        result, error = None, None
        try:
            result = job()
        except BaseException as raised:  # noqa: BLE001 - handed to the caller
            error = raised
        # Noted on this thread, not on the loop: whether a call that was left behind still runs can
        # be seen although its loop is blocked, or gone.
        returned.append(True)
        try:
            loop.call_soon_threadsafe(self._settle, future, worker, result, error)
        except RuntimeError:
            worker.jobs.put(None)  # the loop is closed, and with it the call

    def _settle(
        self,
        future: asyncio.Future[Any],
        worker: _Worker,
        result: object,
        error: BaseException | None,
    ) -> None:
        # A worker is idle only once the loop knows: between job and here no other call may get it.
        self._idle.append(worker)
        if future.done():
            return  # the deadline was over, and the call was left behind
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(harmless(error))


class _Worker:
    """One daemon thread; None ends it after the jobs that were put before."""

    def __init__(self) -> None:
        self.jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="tradenb-worker", daemon=True).start()

    def _serve(self) -> None:
        while (job := self.jobs.get()) is not None:
            job()


async def _guarded(function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Call an async function of the user's on the loop; nothing it raises ends the loop."""
    try:
        return await function(*args)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise harmless(error) from error
    except BaseException as error:
        raise harmless(error) from error


async def _within(
    seconds: float | None, future: asyncio.Future[Any], busy: Callable[[], bool]
) -> Any:
    """Wait for a call; one that takes too long is left behind, and can be asked about."""
    try:
        done, _ = await asyncio.wait({future}, timeout=seconds)
    except asyncio.CancelledError:
        future.add_done_callback(_ignored)
        raise
    if done:
        return future.result()
    late = StrategyTimeout(f"took longer than {seconds:g} s and was left behind")
    late.busy = busy
    future.add_done_callback(_ignored)
    future.cancel()
    raise late


def _ignored(future: asyncio.Future[Any]) -> None:
    """Take what a call that was left behind raised, so that asyncio does not complain of it."""
    if not future.cancelled():
        future.exception()


async def spread(
    workers: Workers, function: Callable[[Any], Any], items: Sequence[Any]
) -> list[Any]:
    """Call a function for each item, in few hand-overs side by side; return the results in order.

    A thread that writes to a disk waits for Python's lock after each of its steps. Beside a
    strategy that computes that is 5 ms, so two hundred commits one after another took 20 s.
    """
    size = max(SMALLEST_PART, -(-len(items) // MOST_PARTS))
    parts = [items[first : first + size] for first in range(0, len(items), size)]
    if len(parts) == 1:
        return list(await workers.call(list, map(function, items), seconds=None))
    calls = [workers.call(list, map(function, part), seconds=None) for part in parts]
    done = await asyncio.gather(*calls, return_exceptions=True)  # none is left behind
    for part in done:
        if isinstance(part, BaseException):
            raise part
    return [result for part in done if not isinstance(part, BaseException) for result in part]


def longest_call(clock: Clock, group: Sequence[Rules]) -> float:
    """Return the deadline of a call, seconds: a function that hangs must not delay the next candle.

    Decision 13 in docs/adr. Where several runs share a group, one call may take half of the time
    that is left, so that the others are asked as well.
    """
    limit = min(rules.signal_timeout_seconds for rules in group)
    if clock.stepped:
        return limit  # time does not pass while a tick of a rehearsal is under way
    now = clock.now()
    left = LARGEST_SHARE * (min(due_after(now, rules) for rules in group) - now) / 1000
    return min(limit, max(SHORTEST_CALL_S, left if len(group) == 1 else left / 2))
