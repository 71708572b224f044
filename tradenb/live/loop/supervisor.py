"""The supervised background loop: one daemon thread with an event loop of its own.

Never a task on the kernel's loop, which stands still while a cell runs. The scheduler looks which
runs are due, groups those that share a risk rule, and lets each group tick as a task; a group that
is slow delays no other. A loop that dies is started again, with a growing pause.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Final

from tradenb.bus import Bus
from tradenb.engine.ports import Clock, Workers
from tradenb.errors import StateError, TradenbError
from tradenb.live.loop.conflict import decide
from tradenb.live.loop.deadline import due_after
from tradenb.live.loop.feeds import Feeds
from tradenb.live.loop.groups import grouped
from tradenb.live.loop.notify import Notifier
from tradenb.live.loop.record import RunRecord
from tradenb.live.loop.startup import Startup
from tradenb.live.loop.tick import GroupTick
from tradenb.live.loop.watchdog import SILENT_S, Watchdog

log = logging.getLogger("tradenb")

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0
CLOSE_S: Final = 1.5
LOOK_S: Final = 1.0
LONGEST_BEAT_MS: Final = 60_000
# How long past its end a rehearsal tries to save its last state.
UNSAVED_MS: Final = 600_000


class Supervisor:
    """Runs and the loop that they live on.

    Parameters
    ----------
    clock, workers, bus
        What the loop knows of the world.
    end : int, optional
        Close time after which nothing comes any more, for rehearsals, ms UTC; the loop ends when
        all its runs have.
    silent_s : float
        When the watchdog speaks.
    pause_s : float
        How long a loop that died rests the first time.
    look_s : float
        How often it is looked whether another process asks for something.
    """

    def __init__(
        self,
        clock: Clock,
        workers: Workers,
        bus: Bus,
        *,
        end: int | None = None,
        silent_s: float = SILENT_S,
        pause_s: float = FIRST_PAUSE_S,
        look_s: float = LOOK_S,
    ) -> None:
        self.clock = clock
        self._workers = workers
        self._notifier = Notifier(clock, workers, bus)
        self._end = end
        self._pause_s = pause_s
        self._look_s = look_s
        self._lock = threading.RLock()
        self._runs: list[RunRecord] = []
        self._feeds = Feeds(clock, workers)
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._startup = Startup(clock, workers, self._notifier, self._feeds)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken: asyncio.Event | None = None
        self._closing = False
        self._closed = threading.Event()
        self._died: BaseException | None = None
        self._watchdog = Watchdog(
            self.runs, self._notifier.alarm, clock.monotonic, silent_s=silent_s
        )

    def runs(self) -> list[RunRecord]:
        """Return the runs that live here now."""
        return [*self._runs]

    def add(self, run: RunRecord) -> None:
        """Let a run live here; the thread is started with the first."""
        with self._lock:
            run.on_loop = self.on_loop
            run.last_tick_s = self.clock.monotonic()
            run.enter("running")
            self._runs.append(run)
            if self._thread is None:
                self._start()
        self.wake()

    def wake(self) -> None:
        """Let the scheduler look again."""
        loop, woken = self._loop, self._woken
        if loop is not None and woken is not None:
            with contextlib.suppress(RuntimeError):  # closed meanwhile
                loop.call_soon_threadsafe(woken.set)

    def close(self, seconds: float = CLOSE_S) -> None:
        """Release all runs and end the thread, within two seconds; who closes again waits no more.

        Parameters
        ----------
        seconds : float
            How long to wait for the commits that are under way.
        """
        with self._lock:
            again, self._closing = self._closing, True
            self._closed.set()
            for run in self._runs:
                run.releasing = True
        self.wake()
        if not again:
            self.join(seconds)

    def join(self, seconds: float) -> None:
        """Wait for the end of the thread."""
        if self._thread is not None and not self.on_loop():
            self._thread.join(seconds)

    def on_loop(self) -> bool:
        """Tell whether this is the engine's own thread, where nothing may block."""
        return threading.current_thread() is self._thread

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._supervise, name="tradenb-live", daemon=True)
        self._thread.start()
        self._watchdog.start()
        atexit.register(self.close)

    def _supervise(self) -> None:
        pause = self._pause_s
        while True:
            try:
                asyncio.run(self._serve())
                break
            except BaseException as error:
                log.exception("the live loop died; it starts again in %g s", pause)
                self._died = error
                for run in self.runs():
                    run.error = error
                self._closed.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
        self._watchdog.stop()
        atexit.unregister(self.close)
        close: Callable[[], None] | None = getattr(self._workers, "close", None)
        if close is not None:
            close()

    async def _serve(self) -> None:
        self._loop, self._woken = asyncio.get_running_loop(), asyncio.Event()
        self._busy = {}
        self._feeds.clear()
        self._startup.clear()
        for run in self.runs():
            run.feed = None
        tasks = [asyncio.create_task(self._watch_requests(), name="requests")]
        if self._died is not None:
            tasks.append(asyncio.create_task(self._tell_death(self._died), name="death"))
        self._died = None
        try:
            await self._schedule(self._woken)
        finally:
            for task in tasks:
                task.cancel()

    async def _tell_death(self, died: BaseException) -> None:
        error = TradenbError(f"the live loop died of {died!r:.200} and was started again")
        error.__cause__ = died
        for run in self.runs():
            await self._notifier.fail(run, error)

    async def _schedule(self, woken: asyncio.Event) -> None:
        while True:
            woken.clear()
            self._reap()
            if not self._runs and self._is_over():
                return
            self._start_ticks()
            await self.clock.wait(woken, self._next_wake())

    def _is_over(self) -> bool:
        return self._closing or self._end is not None

    async def _watch_requests(self) -> None:
        """Look again and again whether another process asks for something, and let the run tick."""
        while True:
            await asyncio.sleep(self._look_s)
            for run in self.runs():
                with contextlib.suppress(OSError, StateError):
                    run.asked = await self._workers.call(run.storage.is_asked, seconds=None)
                if run.asked:
                    self.wake()

    def _start_ticks(self) -> None:
        now = self.clock.now()
        for group in grouped(self._runs):
            if any(run.id in self._busy for run in group):
                continue
            wanted = any(_is_wanted(run, now) for run in group)
            if wanted:
                task = asyncio.create_task(self._pass(group))
                for run in group:
                    run.asked = False
                    self._busy[run.id] = task

    async def _pass(self, group: list[RunRecord]) -> None:
        """Make one tick of a group and say when the next is due."""
        try:
            for run in group:
                if run.undecided:
                    await decide(run, self._workers, self._notifier)
            decided = [run for run in group if not run.undecided]
            await self._startup.prepare(decided)
            ready = [run for run in decided if run.feed is not None]
            if ready:
                still = [run for run in group if run.undecided]
                await GroupTick(self._notifier, ready, self._end, still=still).go()
        except Exception as error:
            log.exception("a tick failed")
            for run in group:
                run.error = error
        finally:
            for run in group:
                run.next_at = self._next_at(run)
                run.last_tick_s = self.clock.monotonic()
                self._busy.pop(run.id, None)
            self.wake()

    def _reap(self) -> None:
        """Take out the runs that have ended or are to be left."""
        for run in self.runs():
            if run.id in self._busy:
                continue
            done = run.instance is not None and run.instance.state.done and run.saved
            over = self._end is not None and (
                _cursor(run) >= self._end or self.clock.now() >= self._end + UNSAVED_MS
            )
            if done or over or run.releasing:
                self._busy[run.id] = asyncio.create_task(self._leave(run, done=done))

    async def _leave(self, run: RunRecord, *, done: bool) -> None:
        """Bring the files of a run in order, and give its lock back."""
        try:
            await self._workers.call(run.storage.close, seconds=None)
        except Exception:
            log.exception("%s could not be left in order", run.id)
        self._startup.forget(run)
        with self._lock:
            self._runs.remove(run)
        del self._busy[run.id]
        self._feeds.keep_for(self._runs)
        came_through = self._end is not None and _cursor(run) >= self._end and run.saved
        run.enter("done" if done or came_through else "idle")
        self.wake()

    def _next_at(self, run: RunRecord) -> int:
        """Return when a run is due: after the next minute has closed and settled, ms UTC.

        Shorter waits keep their beat: how long a tick takes is no part of the wait for the next.
        """
        now, tick_ms = self.clock.now(), run.rules.tick_ms
        late = now - run.next_at
        since = late % tick_ms if 0 <= late < LONGEST_BEAT_MS else 0
        return min(now + tick_ms - since, due_after(now, run.rules))

    def _next_wake(self) -> int | None:
        """Return when the scheduler must look again; None while a stepped clock must not move."""
        if self._busy and self.clock.stepped:
            return None
        due = [run.next_at for run in self._runs if run.id not in self._busy]
        return min(due, default=None)


def _is_wanted(run: RunRecord, now: int) -> bool:
    ahead = run.next_at - now
    # Further ahead than anybody waits: the wall clock was put back meanwhile.
    return ahead <= 0 or ahead > run.rules.tick_ms or run.asked


def _cursor(run: RunRecord) -> int:
    return 0 if run.instance is None else run.instance.state.cursor
