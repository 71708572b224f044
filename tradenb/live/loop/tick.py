"""One pass of the live loop for runs that share risk rules.

Fetch what closed since the cursors, let it happen, commit, and only then tell anybody. A tick that
fails changes nothing: the states from before are put back and the next tick feeds the same candles
again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from tradenb.core.events import Event
from tradenb.core.lifecycle.state import State
from tradenb.core.timeframe import MINUTE, floor_to
from tradenb.engine.call import Pump
from tradenb.engine.session.books import Peers
from tradenb.engine.session.pump import Session
from tradenb.errors import StateConflict, StateError
from tradenb.live.loop.deadline import longest_call
from tradenb.live.loop.feed import Feed
from tradenb.live.loop.gather import together
from tradenb.live.loop.notify import Notifier
from tradenb.live.loop.record import RunRecord
from tradenb.live.loop.snapshot import (
    Before,
    checkpoint_of,
    ended_if_idle,
    instance_of,
    killed,
    obey,
    remembered,
    saved,
    tick_of,
)
from tradenb.live.state.storage import Asked, Request

log = logging.getLogger("tradenb")


class GroupTick:
    """One tick of a group: what it began with, and how far it has come.

    No candle that closes after `end` is fed. Those of the group that stand still take part in its
    books.
    """

    def __init__(
        self,
        notifier: Notifier,
        runs: Sequence[RunRecord],
        end: int | None = None,
        *,
        still: Sequence[RunRecord] = (),
    ) -> None:
        self._notifier = notifier
        self._runs = runs
        self._began = notifier.clock.monotonic()
        now = floor_to(notifier.clock.now())
        self._newest = now if end is None else min(now, end)
        self._requests: dict[str, list[Request]] = {}
        self._befores: dict[str, Before] = {}
        self._cursors = {run.id: instance_of(run).state.cursor for run in runs}
        self._told: dict[str, list[Event]] = {run.id: [] for run in runs}
        rules = {rule.name for run in runs for rule in run.spec.risk}
        own = [(run.symbol, run.strategy) for run in runs]
        unkept = [each for run in still if (each := run.storage.unkept) is not None]
        self._books = runs[0].storage.books(rules, own, unkept) if rules else None

    async def go(self) -> None:
        """Do all of it."""
        try:
            for run in self._runs:
                await self._take_requests(run)
            await self._bring()
            session = self._session()
            await self._drive(session, session.pump(self._newest))
            for run in self._runs:
                instance_of(run).state = ended_if_idle(instance_of(run).state)
            await self._settle(session)
            await self._call_back(session)
        except BaseException as error:
            for run in self._runs:
                self._put_back(run)
            if not isinstance(error, Exception):
                raise
            for run in self._runs:
                await self._notifier.fail(run, error)
            return
        finally:
            if self._books is not None:
                await self._notifier.workers.call(self._books.leave, seconds=None)
        for run in self._runs:
            await self._report(run)

    async def _take_requests(self, run: RunRecord) -> None:
        """Put what the user asked for, here or in another process, into the state."""
        instance = instance_of(run)
        while run.commands:
            run.uncommitted.append(run.commands.popleft())
            obey(run, run.uncommitted[-1])
        asked: Asked = await self._notifier.workers.call(run.storage.look, seconds=None)
        found = asked.requests
        self._requests[run.id] = found
        for request in found:
            if request.command is None:
                run.releasing = True
            else:
                obey(run, request.command)
        run.storage.take(found)
        instance.halted = asked.kill is not None
        if asked.kill is not None:
            before = instance.state
            instance.state = killed(before, asked.kill, self._notifier.clock.now())
            run.recorder.hear(instance.state.commands[len(before.commands) :])
        self._befores[run.id] = remembered(instance)

    async def _bring(self) -> None:
        """Have the candles of all runs; those of a slow or failing symbol are fed later."""
        due = [run for run in self._runs if instance_of(run).state.cursor < self._newest]
        if not due:
            return
        feeds = {id(feed): feed for feed in map(_feed, due)}
        tasks = {key: asyncio.create_task(feed.bring(self._newest)) for key, feed in feeds.items()}
        await together([*tasks.values()])
        for run in due:
            task = tasks[id(run.feed)]
            if not task.done():
                task.cancel()
                continue
            try:
                history = await task  # runs on one symbol have it both or neither
                # Another run may have made the feed load a longer one.
                run.histories.put(history)
                instance_of(run).candles = history.candles
            except Exception as error:  # noqa: BLE001 - the others go on
                await self._notifier.fail(run, error)
            else:
                run.error = None

    def _session(self) -> Session:
        instances = [instance_of(run) for run in self._runs]
        for place, instance in enumerate(instances):
            instance.place = place
        find_peers = self._find_peers if self._books is not None else None
        session = Session(instances, defer_callbacks=True, find_peers=find_peers)
        age = self._notifier.clock.now() - self._newest
        fresh = age < min(run.rules.late_entry_seconds for run in self._runs) * 1000
        session.fresh_from = self._newest if fresh else self._newest + 1
        for run in self._runs:
            run.recorder.miss(instance_of(run), session.fresh_from, self._newest)
        return session

    async def _drive(self, session: Session, pump: Pump) -> None:
        """Call the functions that a pump asks for, each with a deadline.

        What has happened is committed before a strategy is asked: a strategy that hangs delays no
        exit, its own or another's.
        """
        failure: Exception | None = None
        reply: Any = None
        while True:
            try:
                call = pump.throw(failure) if failure else pump.send(reply)
            except StopIteration:
                return
            failure, reply = None, None
            if call.asks:
                session.settle()
                if session.events:
                    await self._settle(session)
            seconds = self._deadline()
            try:
                reply = await self._notifier.workers.call(
                    call.function, *call.args, seconds=seconds
                )
            except Exception as error:  # noqa: BLE001 - the user's code; goes to the pump
                failure = error

    def _deadline(self) -> float:
        clock, sharing = self._notifier.clock, len(self._runs)
        return min(longest_call(clock, run.rules, sharing=sharing) for run in self._runs)

    def _find_peers(self) -> Peers:
        """Say who else takes part in the books; from here to the commit their rules are locked."""
        peers = [] if self._books is None else self._books.enter()
        places = [run.place for run in self._runs]
        peers = [item._replace(place=_among(places, item.place)) for item in peers]
        members = [(item.rules, item.start) for item in peers if not item.state.done]
        members += [(tuple(rule.name for rule in run.spec.risk), run.start) for run in self._runs]
        since: dict[str, int] = {}
        for rules, start in members:
            since |= {name: min(start, since.get(name, start)) for name in rules}
        return Peers(tuple(peers), since)

    async def _settle(self, session: Session) -> None:
        """Commit what has happened, and then tell of it."""
        events, session.events = session.events, []
        before = {run.id: run.committed for run in self._runs}
        committed = []
        try:
            for run in self._runs:
                if await self._commit(run, [event for event in events if _is_of(event, run)]):
                    committed.append(run)  # noqa: PERF401 - as far as it came
        finally:
            if self._books is not None:
                await self._notifier.workers.call(self._books.leave, seconds=None)
            callbacks = session.take_callbacks()
            for run in committed:
                run.callbacks += [item for item in callbacks if _is_of(item[1], run)]
                await self._announce(run)
        sharing = [run for run in self._runs if run.spec.risk]
        if any(_moved(before[run.id], run.committed) for run in sharing):
            await self._show_books()

    async def _call_back(self, session: Session) -> None:
        """Call the callbacks of what is on disk, those of a tick that failed since as well."""
        for run in self._runs:
            due, run.callbacks = run.callbacks, []
            await self._drive(session, session.call_back(due))
        await self._settle(session)

    async def _show_books(self) -> None:
        """Write the views of the books that runs of the group take part in."""
        if self._books is None:
            return
        generations = [run.storage.generation for run in self._runs if run.committed is not None]
        try:
            await self._notifier.workers.call(self._books.show, generations, seconds=None)
        except (StateError, OSError) as error:
            log.warning("%s", error)

    async def _commit(self, run: RunRecord, events: list[Event]) -> bool:
        """Put the new state on disk; tell whether there was something to tell."""
        instance = instance_of(run)
        same = instance.state is run.committed and not events and not run.outbox
        # What was asked for is taken once it is on disk; else it would be asked of the next holder.
        if same and not self._requests.get(run.id):
            return False
        wall = self._notifier.clock.now()
        outbox = [*run.outbox, *(event._replace(wall=wall) for event in events)]
        checkpoint, since = checkpoint_of(run, outbox), self._cursors[run.id]
        try:
            synced = await self._notifier.workers.call(saved, run, checkpoint, since, seconds=None)
        except StateConflict as error:
            run.error, run.saved, run.undecided = error, False, True
            raise
        run.outbox, run.committed, run.saved = outbox, instance.state, True
        run.uncommitted = []
        self._befores[run.id] = remembered(instance)
        requests = self._requests.pop(run.id, [])
        if requests:
            await self._notifier.workers.call(run.storage.done, requests, seconds=None)
        return bool(synced)

    async def _announce(self, run: RunRecord) -> None:
        """Bring the events to the journal, the subscribers and the views."""
        fresh = [event for event in run.outbox if event.seq > run.published_seq]
        self._told[run.id] += fresh
        try:
            await self._notifier.workers.call(run.storage.append, run.outbox, seconds=None)
            run.outbox = []
        except (StateError, OSError) as error:
            # They are in the document, which keeps them until the journal has them.
            await self._notifier.fail(run, error)
        if fresh:
            run.published_seq = fresh[-1].seq
            await self._notifier.tell(fresh)
        await self._notifier.workers.call(run.storage.show, seconds=None)

    async def _report(self, run: RunRecord) -> None:
        fed = (instance_of(run).state.cursor - self._cursors[run.id]) // MINUTE
        duration = (self._notifier.clock.monotonic() - self._began) * 1000
        wall = self._notifier.clock.now()
        tick = tick_of(run, self._told[run.id], wall, duration, fed) if fed > 0 else None
        await self._notifier.report(run, tick, duration)

    def _put_back(self, run: RunRecord) -> None:
        before = self._befores.get(run.id)
        if before is None:
            return  # nothing has happened to it yet
        instance = instance_of(run)
        if instance.state is not before.state:
            run.saved = False
        instance.state = before.state
        instance.numbering.last = before.last_seq
        instance.asks_lost = before.asks_lost
        instance.skipping = before.skipping
        instance.renew(before.user_state)


def _among(places: Sequence[int], place: float) -> float:
    """Return where somebody with a place stands among instances that are counted from 0."""
    return sum(other < place for other in places) - 0.5


def _moved(before: State | None, after: State | None) -> bool:
    """Tell whether what a risk book shows of a run has changed."""
    if before is None or after is None:
        return before is not after
    return (before.signal, before.opened_at) != (after.signal, after.opened_at) or (
        before.trades is not after.trades
    )


def _feed(run: RunRecord) -> Feed:
    if run.feed is None:
        raise RuntimeError(f"{run.id} has not been prepared")
    return run.feed


def _is_of(event: Event, run: RunRecord) -> bool:
    return (event.symbol, event.strategy) == (run.symbol, run.strategy)
