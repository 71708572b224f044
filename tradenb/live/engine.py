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
from collections.abc import Iterable
from typing import Any, Final

from tradenb.bus import Bus
from tradenb.core.machine import State
from tradenb.core.timeframe import MINUTE, floor_to
from tradenb.engine.context import Context
from tradenb.engine.history import Histories
from tradenb.engine.ports import Clock, Workers
from tradenb.engine.session import Instance, Numbering
from tradenb.errors import StateError, TradenbError
from tradenb.live.feed import Feed
from tradenb.live.run import LiveRun
from tradenb.live.shelf import Kept
from tradenb.live.tick import Ticker

log = logging.getLogger("tradenb")

LONGEST_PAUSE_S: Final = 60.0
CLOSE_S: Final = 2.0
LOOK_S: Final = 1.0


class Engine:
    """Runs and the loop that they live on.

    Parameters
    ----------
    clock, workers, bus
        What the loop knows of the world.
    end : int, optional
        Close time after which nothing comes any more, for rehearsals, ms UTC.
    """

    def __init__(self, clock: Clock, workers: Workers, bus: Bus, *, end: int | None = None) -> None:
        self.clock = clock
        self._workers = workers
        self._ticker = Ticker(clock, workers, bus)
        self._end = end
        self._lock = threading.RLock()
        self._runs: list[LiveRun] = []
        self._feeds: dict[tuple[Any, ...], Feed] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken: asyncio.Event | None = None
        self._closing = False

    def add(self, run: LiveRun) -> None:
        """Let a run live here; the thread is started with the first."""
        with self._lock:
            run.enter("running")
            self._runs.append(run)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._supervise, name="tradenb-live", daemon=True
                )
                self._thread.start()
                atexit.register(self.close)
        self.wake()

    def wake(self) -> None:
        """Let the scheduler look again."""
        loop, woken = self._loop, self._woken
        if loop is not None and woken is not None and not loop.is_closed():
            loop.call_soon_threadsafe(woken.set)

    def close(self) -> None:
        """Release all runs and end the thread, within two seconds."""
        with self._lock:
            self._closing = True
            for run in self._runs:
                run.leaving = True
            thread = self._thread
        self.wake()
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSE_S)

    def on_loop(self) -> bool:
        """Tell whether this is the engine's own thread, where nothing may block."""
        return threading.current_thread() is self._thread

    def _supervise(self) -> None:
        pause = 1.0
        while True:
            try:
                asyncio.run(self._serve())
                return
            except BaseException as error:
                log.exception("the live loop died; it starts again in %g s", pause)
                for run in self._runs:
                    run.error = error
                threading.Event().wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _serve(self) -> None:
        self._loop, self._woken = asyncio.get_running_loop(), asyncio.Event()
        self._busy = {}
        self._feeds = {}
        watch = asyncio.create_task(self._watch_requests(), name="requests")
        try:
            await self._schedule(self._woken)
        finally:
            watch.cancel()

    async def _schedule(self, woken: asyncio.Event) -> None:
        while self._runs or not self._closing:
            woken.clear()
            self._reap()
            if self._closing and not self._runs:
                return
            self._start_ticks()
            await self.clock.wait(woken, self._next_wake())

    async def _watch_requests(self) -> None:
        """Look once a second whether another process asks for something, and let the run tick."""
        while True:
            await asyncio.sleep(LOOK_S)
            for run in list(self._runs):
                with contextlib.suppress(OSError, StateError):
                    run.asked = await self._workers.call(run.shelf.is_asked, seconds=None)
                if run.asked:
                    self.wake()

    def _start_ticks(self) -> None:
        now = self.clock.now()
        for group in _groups(self._runs):
            if any(run.id in self._busy for run in group):
                continue
            wanted = any(_is_wanted(run, now) for run in group)
            if wanted:
                task = asyncio.create_task(self._pass(group))
                for run in group:
                    self._busy[run.id] = task

    async def _pass(self, group: list[LiveRun]) -> None:
        """Make one tick of a group and say when the next is due."""
        try:
            for run in group:
                if run.instance is None:
                    await self._prepare(run)
            ready = [run for run in group if run.instance is not None]
            if ready:
                await self._ticker.tick(ready)
        except Exception as error:
            log.exception("a tick failed")
            for run in group:
                run.error = error
        finally:
            for run in group:
                run.next_at, run.asked = self._next_at(run), False
                self._busy.pop(run.id, None)
            self.wake()

    async def _prepare(self, run: LiveRun) -> None:
        """Fetch the history before the first tick, and make the instance."""
        now = floor_to(self.clock.now())
        kept = run.kept
        cursor = now if kept is None else kept.state.cursor
        feed = self._feed(run)
        try:
            history = await feed.prepare(cursor, run.spec.history_ms)
        except TradenbError as error:
            run.error = error
            log.warning("%s: %s", run.id, error)
            return
        state = State(run.symbol, run.strategy, run.spec.every_ms, cursor)
        if kept is not None:
            state = kept.state
        run.start = cursor if kept is None else kept.start
        run.history_start = history.candles.start
        run.outbox = [] if kept is None else [*kept.outbox]
        run.told_seq = 0 if kept is None else _first_untold(kept)
        histories = Histories(self._unknown_symbol)
        histories.put(history)

        def make_context(saved: str) -> Context:
            return Context(run.symbol, "live", run.rules, histories, saved)

        run.feed = feed
        run.instance = Instance(
            run.spec,
            state,
            history.candles,
            run.place,
            make_context,
            rules=run.rules,
            numbering=Numbering(0 if kept is None else kept.last_seq),
            saved="{}" if kept is None else kept.user_state,
        )

    def _unknown_symbol(self, symbol: str) -> Any:
        raise TradenbError(f"{symbol} is not followed by this run")

    def _feed(self, run: LiveRun) -> Feed:
        rules = run.rules
        key = (
            id(run.source),
            run.symbol,
            rules.price_anomaly_factor,
            rules.candle_retries,
            rules.candle_retry_seconds,
        )
        if key not in self._feeds:
            self._feeds[key] = Feed(run.source, run.symbol, rules, self.clock, self._workers)
        return self._feeds[key]

    def _reap(self) -> None:
        """Take out the runs that have ended or are to be left."""
        for run in list(self._runs):
            if run.id in self._busy:
                continue
            done = run.instance is not None and run.instance.state.done and run.saved
            over = self._end is not None and _cursor(run) >= self._end
            if done or over or run.leaving:
                self._remove(run, done=done)

    def _remove(self, run: LiveRun, *, done: bool) -> None:
        with self._lock:
            self._runs.remove(run)
        run.shelf.close()
        run.enter("done" if done else "idle")

    def _next_at(self, run: LiveRun) -> int:
        """Return when a run is due: after the next minute has closed and settled, ms UTC."""
        now = self.clock.now()
        settle = 1 + round(run.rules.settle_seconds * 1000)
        boundary = floor_to(now - settle) + MINUTE + settle
        return min(now + run.rules.tick_ms, boundary)

    def _next_wake(self) -> int | None:
        """Return when the scheduler must look again; None while a stepped clock must not move."""
        if self._busy and self.clock.stepped:
            return None
        due = [run.next_at for run in self._runs if run.id not in self._busy]
        return min(due, default=None)


def _is_wanted(run: LiveRun, now: int) -> bool:
    return run.next_at <= now or bool(run.commands) or run.asked


def _first_untold(kept: Kept) -> int:
    """Return the number of the last event that subscribers were told for certain.

    What is in the outbox may or may not have been told before the process ended; the journal has
    it by now, and it is told again: at least once, never lost.
    """
    return kept.outbox[0].seq - 1 if kept.outbox else kept.last_seq


def _cursor(run: LiveRun) -> int:
    return 0 if run.instance is None else run.instance.state.cursor


def _groups(runs: Iterable[LiveRun]) -> list[list[LiveRun]]:
    """Put runs that share a risk rule together, in the order in which they were started."""
    groups: list[tuple[set[str], list[LiveRun]]] = []
    for run in runs:
        names = {rule.name for rule in run.spec.risk}
        sharing = [group for group in groups if group[0] & names]
        merged = (names.union(*(group[0] for group in sharing)), [*_members(sharing), run])
        groups = [group for group in groups if group not in sharing]
        groups.append(merged)
    return [sorted(members, key=lambda run: run.place) for _, members in groups]


def _members(groups: Iterable[tuple[set[str], list[LiveRun]]]) -> list[LiveRun]:
    return [run for _, members in groups for run in members]
