"""`Scheduler`: which runs tick when, on one event loop.

It looks which runs are due, groups those that share a risk rule, and lets each group tick as a
task; a group that is slow delays no other. It ends with its loop, and the next loop has its own:
nothing of a loop that died is left in the way.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Iterable
from functools import partial
from operator import methodcaller
from typing import Final

from tradenb.brokers.order_managers import OrderManagers
from tradenb.core.timeframe import MINUTE
from tradenb.errors import TradenbError
from tradenb.live.loop.conflict import decide
from tradenb.live.loop.feed import Feed, FeedKey
from tradenb.live.loop.notify import Notifier
from tradenb.live.loop.record import RunRecord, due_after
from tradenb.live.loop.startup import Startup
from tradenb.live.loop.tick import GroupTick
from tradenb.live.loop.worker_threads import spread
from tradenb.live.state.shared_books import account_key

log = logging.getLogger("tradenb")

_HAS_REQUESTS: Final = methodcaller("has_requests")
LONGEST_BEAT_MS: Final = 60_000
# How long past its end a rehearsal tries to save its last state.
UNSAVED_MS: Final = 600_000


class Scheduler:
    """Lets runs tick.

    Parameters
    ----------
    runs : list of RunRecord
        Those that are scheduled; another thread may append to it.
    closing : Event
        Set when the loop is to end with its last run.
    end : int, optional
        Close time after which nothing comes any more, ms UTC; the loop ends when all runs have.
    poll_s : float
        How often to look for requests of other processes.
    """

    def __init__(
        self,
        notifier: Notifier,
        runs: list[RunRecord],
        closing: threading.Event,
        *,
        end: int | None,
        poll_s: float,
    ) -> None:
        self._notifier = notifier
        self._clock, self._workers = notifier.clock, notifier.workers
        self._runs = runs
        self._closing = closing
        self._end = end
        self._poll_s = poll_s
        self._woken = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._known: list[RunRecord] = []
        self._groups: list[list[RunRecord]] = []
        self._trading: list[RunRecord] = []
        self._feeds: dict[FeedKey, Feed] = {}
        self._startup = Startup(notifier, self._feeds)
        # Made for the first run whose broker has a key.
        self._orders: OrderManagers | None = None

    def wake(self) -> None:
        """Look again which runs are due; from any thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # closed meanwhile
                self._loop.call_soon_threadsafe(self._woken.set)

    async def run(self, died: BaseException | None = None) -> None:
        """Schedule until there is nothing more to come; `died` ended the loop before this one."""
        self._loop = asyncio.get_running_loop()
        for run in self._runs:
            run.feed, run.reads = None, dict.fromkeys(run.reads)  # they are of the loop before
            run.commit_lock = asyncio.Lock()
        tasks = [asyncio.create_task(self._poll_requests(), name="requests")]
        if died is not None:
            tasks.append(asyncio.create_task(self._report_death(died), name="death"))
        try:
            while True:
                # Cleared before looking: a wake-up that comes from here on is seen by the wait.
                self._woken.clear()
                self._look_who_is_here()
                self._start_orders()
                self._release_ended()
                if not self._runs and (self._closing.is_set() or self._end is not None):
                    return
                await self._clock.wait(self._woken, self._start_ticks())
        finally:
            for task in tasks:
                task.cancel()
            if self._orders is not None:
                self._orders.cancel()

    def _look_who_is_here(self) -> None:
        if self._runs != self._known:
            self._known = [*self._runs]
            self._groups = grouped(self._known)
            self._trading = [run for run in self._known if run.reads_account]

    def _start_orders(self) -> None:
        if self._trading and self._orders is None:
            self._orders = OrderManagers(self._clock, self._workers, self._notifier)
        if self._orders is not None:
            self._orders.start(self._trading)

    async def _report_death(self, died: BaseException) -> None:
        error = TradenbError(f"the live loop died of {died!r:.200} and was started again")
        error.__cause__ = died
        for run in [*self._runs]:
            await self._notifier.report_error(run, error)

    async def _poll_requests(self) -> None:
        """Look regularly for requests of other processes; a run that has one ticks at once."""
        while True:
            await asyncio.sleep(self._poll_s)
            runs = [*self._runs]
            storages = [run.storage for run in runs]
            found = await spread(self._workers, _HAS_REQUESTS, storages)
            for run, has_requests in zip(runs, found, strict=True):
                if has_requests:  # what was asked for in this process meanwhile stays asked for
                    run.tick_now = True
                    self._woken.set()

    def _start_ticks(self) -> int | None:
        """Let the groups tick that are due; return when to look again at the others.

        None: only when woken, as a group does whose tick ends; a stepped clock must not move while
        one ticks.
        """
        now, first = self._clock.now(), None
        for group in self._groups:  # plain loops: each tick that ends looks at all runs
            # Runs that share a rule never tick apart, not even when only one of them is due: what
            # one opens must be in the book that the next is asked with.
            is_due = False
            for run in group:
                if run.id in self._busy:
                    break
                is_due = is_due or _is_due(run, now)
            else:
                if is_due:
                    self._start_tick(group)
                    continue
                for run in group:
                    if first is None or run.next_at < first:
                        first = run.next_at
        return None if self._busy and self._clock.stepped else first

    def _start_tick(self, group: list[RunRecord]) -> None:
        task = asyncio.create_task(self._tick(group))
        for run in group:
            run.tick_now = False
            if run.feed is not None:  # a start that failed keeps to its pause
                run.arrival.retry_at = 0
            self._busy[run.id] = task

    async def _tick(self, group: list[RunRecord]) -> None:
        """Make one tick of a group, note what is wrong, and say when the next is due."""
        try:
            await self._tick_decided(group)
            for run in group:
                if run.error is not None or run.warnings or run.storage.errors.is_noted:
                    await self._note_error(run)
        finally:
            for run in group:
                run.next_at = self._next_at(run)
                run.last_tick_s = self._clock.monotonic()
                self._busy.pop(run.id, None)
            self._woken.set()

    async def _tick_decided(self, group: list[RunRecord]) -> None:
        """Let those of a group tick whose state is not in doubt."""
        try:
            for run in group:
                if run.undecided:
                    await decide(run, self._workers, self._notifier)
            decided = [run for run in group if not run.undecided]
            for run in decided:
                if run.cursor > self._clock.now() + MINUTE:
                    await self._startup.put_back(run)
            if any(run.feed is None for run in decided):
                await self._startup.prepare(decided)
            ready = [run for run in decided if run.feed is not None]
            if ready:
                undecided = [run for run in group if run.undecided]
                reads = self._startup.reads
                tick = GroupTick(self._notifier, ready, self._end, undecided=undecided, reads=reads)
                await tick.run()
        except Exception as error:
            log.exception("a tick failed")
            for run in group:
                run.error = error

    async def _note_error(self, run: RunRecord) -> None:
        """Write what is wrong, or that it is over, where other processes read it."""
        now, note = self._clock.now(), run.storage.errors.note
        with contextlib.suppress(Exception):
            await self._workers.call(note, run.error, run.warnings, now, seconds=None)

    def _release_ended(self) -> None:
        """Give back the runs that have ended or are to be released, unless they tick just now."""
        for run in self._runs:
            if run.id in self._busy:
                if run.feed is None and run.releasing and not run.commands:
                    # The exchange may not answer for minutes; what was commanded would be lost.
                    self._startup.forget(run)
                if run.releasing and self._orders is not None and not self._clock.stepped:
                    self._orders.end(run.id)  # its tick may hang as long as the exchange does
                continue
            # A state that is not on disk has not ended: the next tick tries to save it again.
            done = run.instance is not None and run.instance.state.done and run.saved
            over = self._end is not None and (
                run.cursor >= self._end or self._clock.now() >= self._end + UNSAVED_MS
            )
            # What was asked for just before is put on disk by one more tick.
            asked = run.commands and run.feed is not None and not run.undecided
            if done or over or (run.releasing and not asked):
                self._busy[run.id] = asyncio.create_task(self._release(run, done=done))

    async def _release(self, run: RunRecord, *, done: bool) -> None:
        """Write the views of a run, and release its lock."""
        if self._orders is not None:
            await self._orders.end(run.id)
        told = run.instance is not None and run.saved and not (run.outbox or run.undecided)
        try:
            await self._workers.call(partial(run.storage.close, told=told), seconds=None)
        except Exception:
            log.exception("%s: its files could not be closed", run.id)
        if run.feed is None:
            self._startup.forget(run)
        self._runs.remove(run)
        if self._orders is not None:
            self._orders.forget(run.id)
        del self._busy[run.id]
        self._workers.close(keep=2 * len(self._runs))
        followed = {id(feed) for each in self._runs for feed in (each.feed, *each.reads.values())}
        for key in [key for key, feed in self._feeds.items() if id(feed) not in followed]:
            del self._feeds[key]
        completed = self._end is not None and run.cursor >= self._end and run.saved
        run.set_status("done" if done or completed else "idle")
        self._woken.set()

    def _next_at(self, run: RunRecord) -> int:
        """Return when a run is due: when the next candle is usually there, or is requested again.

        Shorter waits keep their beat: how long a tick takes is no part of the wait for the next.
        """
        now, tick_ms = self._clock.now(), run.rules.tick_ms
        late = now - run.next_at
        since = late % tick_ms if 0 <= late < LONGEST_BEAT_MS else 0
        due = due_after(now, run.rules, 0 if run.feed is None else run.feed.times.first_ms)
        return min(now + tick_ms - since, due, run.arrival.retry_at or due)


def grouped(runs: Iterable[RunRecord]) -> list[list[RunRecord]]:
    """Put runs that share a risk rule under one home together, in the order of their places."""
    joined: dict[
        object, object
    ] = {}  # a rule leads to another one of its group, the last to itself
    groups: dict[object, list[RunRecord]] = {}

    def last(rule: object) -> object:
        while (following := joined.setdefault(rule, rule)) != rule:
            joined[rule] = rule = joined[following]
        return rule

    ruled = [(run, _rules_of(run)) for run in runs]
    for _, rules in ruled:
        for rule in rules:
            joined[last(rule)] = last(rules[0])
    for run, rules in ruled:
        groups.setdefault(last(rules[0]) if rules else id(run), []).append(run)
    return [sorted(members, key=lambda run: run.place) for members in groups.values()]


def _rules_of(run: RunRecord) -> list[object]:
    """Return what a run shares with others: its risk rules and its account."""
    names = [rule.name for rule in run.spec.risk]
    if run.account is not None:
        names.append(account_key(run.account.name))
    return [(run.storage.home, name) for name in names]


def _is_due(run: RunRecord, now: int) -> bool:
    ahead = run.next_at - now
    # Further ahead than any wait: the wall clock was put back meanwhile.
    return ahead <= 0 or ahead > run.rules.tick_ms or run.tick_now
