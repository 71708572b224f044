"""One tick of the live loop, for the runs that share risk rules.

Fetch what closed since the cursors, let it happen, commit, and only then tell anybody. A tick that
fails changes nothing: the states from before are restored and the next tick feeds the same candles
again.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from operator import methodcaller
from typing import Any, Final

from tradenb.core.events import Event
from tradenb.core.timeframe import MINUTE, floor_to
from tradenb.engine.call import Pump
from tradenb.engine.session.books import Peer, Peers
from tradenb.engine.session.pump import Session
from tradenb.errors import StateError, StateLocked
from tradenb.live.loop.feed import gather
from tradenb.live.loop.first_state import note_rules
from tradenb.live.loop.notify import Notifier
from tradenb.live.loop.read_symbols import ReadSymbols
from tradenb.live.loop.record import UNREADABLE, RunRecord
from tradenb.live.loop.tick_member import (
    Due,
    Saved,
    TickMember,
    in_books,
    retry_later,
    save_all,
)
from tradenb.live.loop.worker_threads import longest_call, spread
from tradenb.live.state.control_requests import Requests
from tradenb.live.state.shared_books import SharedBooks, joined

log = logging.getLogger("tradenb")
_POLL: Final = methodcaller("poll")


class GroupTick:
    """One tick of a group: what it began with, and how far it has come.

    No candle that closes after `end` is fed. `undecided` are runs of the group that do not tick;
    what they hold counts in the books.
    """

    def __init__(
        self,
        notifier: Notifier,
        runs: Sequence[RunRecord],
        end: int | None = None,
        *,
        undecided: Sequence[RunRecord] = (),
        reads: ReadSymbols,
    ) -> None:
        self._notifier, self._reads = notifier, reads
        self._clock, self._workers = notifier.clock, notifier.workers
        self._members = [
            TickMember(run, run.instance, run.instance.state.cursor)
            for run in runs
            if run.instance is not None
        ]
        self._undecided = undecided
        self._lost: list[tuple[RunRecord, StateLocked]] = []
        self._reading: list[RunRecord] = []
        self._books: SharedBooks | None = None
        self._began = self._clock.monotonic()
        now = floor_to(self._clock.now())
        self._newest = now if end is None else min(now, end)
        self._until = self._newest

    async def run(self) -> None:
        """Make the tick; whatever goes wrong is reported, and the runs go on."""
        try:
            await self._accept_requests()
            if not self._members:
                return
            await self._fetch()
            session = self._make_session()
            if session.accounts and self._books is not None:
                await self._look_at_accounts(session, self._books)
            await self._drive(session, session.pump(self._until))
            for member in self._members:
                if member.instance.state.commands:
                    member.end_if_idle(self._newest)
                feed = member.run.feed
                if member.run.arrival.late_asks or (feed and feed.lateness.arrivals):
                    session.events += member.note_late_asks(feed, session.fresh_from)
            await self._settle(session)
            await self._call_back(session)
        except BaseException as error:
            for member in self._members:
                member.restore()
            if not isinstance(error, Exception):
                raise
            for member in self._members:
                await self._notifier.report_error(member.run, error)
            return
        finally:
            await self._unlock()
            for run, lost in self._lost:
                await self._notifier.report_error(run, lost)
        for member in self._members:
            await self._finish(member)

    async def _accept_requests(self) -> None:
        """Put what the user asked for, here or in another process, into the states."""
        for member in self._members:
            if member.instance.state.commands:
                member.redate_commands()
            commands = member.run.commands
            while commands:
                member.run.uncommitted.append(commands.popleft())
                member.obey(member.run.uncommitted[-1])
        storages = [member.run.storage for member in self._members]
        polled: list[Requests] = await spread(self._workers, _POLL, storages)
        for member, found in [*zip(self._members, polled, strict=True)]:
            run = member.run
            if found.lost is not None:  # another process asks and saves for it; the others go on
                self._members.remove(member)
                self._lost.append((run, found.lost))
                continue
            if found.requests:
                member.obey_requests(found.requests)
                run.storage.accept(found.requests)
            kill = found.kill or ("halt" if found.unreadable else None)
            member.instance.halted = kill is not None
            member.hear_orders()
            if kill is not None:
                note = UNREADABLE if found.kill is None else None
                member.obey_kill_switch(kill, self._clock.now(), note)
                if run.wake_orders is not None:
                    run.wake_orders()
            if found.unreadable or run.unreadable is not None:
                run.note_unreadable(found.unreadable)
            # Commands survive a tick that fails: they are obeyed before the first snapshot.
            member.take_snapshot()

    async def _fetch(self) -> None:
        """Fetch the candles of all runs; those of a slow or failing symbol are fed later."""
        due = [member for member in self._members if member.instance.state.cursor < self._newest]
        feeds = {id(each.run.feed): each.run.feed for each in due if each.run.feed is not None}
        if len(feeds) > 1:
            await gather([feed.begin_fetch(self._newest) for feed in feeds.values()])
        else:
            for feed in feeds.values():
                await feed.fetch(self._newest)
        # Runs on one symbol have it both or neither; a request may still be under way.
        histories = {key: feed.history for key, feed in feeds.items() if feed.history is not None}
        candles = {key: history.candles for key, history in histories.items()}
        if any(each.end < self._newest for each in candles.values()):
            self._until = retry_later([each.run for each in self._members], self._newest)
        for member in due:
            run, feed = member.run, feeds[id(member.run.feed)]
            # Another run may have made the feed load a longer one.
            run.histories.put(histories[id(feed)])
            member.instance.candles = candles[id(feed)]
            if feed.failure is not None and run.arrival.failed_at != self._newest:
                run.arrival.failed_at = self._newest
                await self._notifier.report_error(run, feed.failure)
            elif run.error is not run.unreadable and feed.last_error is None and not feed.is_busy:
                run.error = run.unreadable

    def _make_session(self) -> Session:
        runs = [member.run for member in self._members]
        self._reading = [run for run in runs if run.reads]
        rules = {rule.name for run in runs for rule in run.spec.risk}
        own = [(run.symbol, run.strategy) for run in runs]
        unkept = [each for run in self._undecided if (each := run.storage.unkept) is not None]
        accounts = {run.account.name for run in runs if run.account is not None}
        if rules or accounts:
            self._books = runs[0].storage.books(rules, own, unkept, accounts=accounts)
        instances = [member.instance for member in self._members]
        for place, instance in enumerate(instances):
            instance.place = place
        find_peers = self._find_peers if self._books is not None else None
        session = Session(instances, defer_callbacks=True, find_peers=find_peers)
        # The newest close that the exchange has shown: one that is not there delays no older one.
        newest = min(self._newest, max(instance.candles.end for instance in instances))
        age = self._clock.now() - newest
        fresh = age < min(each.run.rules.late_entry_seconds for each in self._members) * 1000
        session.fresh_from = newest if fresh else self._newest + 1
        for member in self._members:
            run = member.run
            some_left_out = member.instance.halted or session.fresh_from > member.cursor + MINUTE
            if some_left_out and member.instance.candles.end > member.cursor:
                run.recorder.note_skipped(member.instance, session.fresh_from, self._newest)
            if run.feed is not None and run.feed.revisions.count > run.arrival.noted:
                member.note_revisions(run.feed)
            if run.arrival.untold:
                session.events += member.events_of_warnings(run.arrival.untold)
            if run.order_news:
                session.events += member.events_of_orders()
        return session

    async def _drive(self, session: Session, pump: Pump) -> None:
        """Call the functions that a pump asks for, each with a deadline."""
        failure: Exception | None = None
        reply: Any = None
        while True:
            try:
                call = pump.throw(failure) if failure else pump.send(reply)
            except StopIteration:
                return
            failure, reply = None, None
            if call.asks:
                # What has happened is committed before a strategy is asked: one that hangs must
                # delay no exit, its own or another's.
                session.settle()
                if session.events:
                    await self._settle(session)
                reading, self._reading = self._reading, []
                if reading:
                    await self._reads.fetch(reading, self._newest)
            seconds = longest_call(self._clock, [member.run.rules for member in self._members])
            asked_again = True
            while asked_again:
                failure, reply, asked_again = None, None, False
                try:
                    reply = await self._workers.call(call.function, *call.args, seconds=seconds)
                except Exception as error:  # noqa: BLE001 - the user's code; goes to the pump
                    failure = error
                wanting = [each.run for each in self._members if call.asks and each.run.wanted]
                for run in wanting:
                    failure = await self._reads.follow_wanted(run, call.args[0], self._newest)
                    asked_again = failure is None

    async def _look_at_accounts(self, session: Session, books: SharedBooks) -> None:
        """Read what runs outside the group have booked; while that fails, nothing is opened."""
        try:
            found: list[Peer] = await self._workers.call(books.read, seconds=None)
        except (StateError, OSError) as error:
            for account in session.accounts:
                account.lose(str(error))
            return
        peers = joined(found, self._places())
        for account in session.accounts:
            account.include(peers.peers)

    async def _unlock(self) -> None:
        """Unlock the books; at most ticks nothing is locked, and no worker is needed."""
        locks = None if self._books is None else self._books.unlock()
        if locks is not None:
            await self._workers.call(locks.close, seconds=None)

    def _find_peers(self) -> Peers:
        """Say who else takes part in the books; from here to the commit their rules are locked."""
        peers = [] if self._books is None else self._books.lock()
        return joined(peers, self._places())

    def _places(self) -> list[tuple[int, tuple[str, ...], int]]:
        """Return place, risk rules and start of each run of the group."""
        runs = [member.run for member in self._members]
        return [(run.place, tuple(rule.name for rule in run.spec.risk), run.start) for run in runs]

    async def _settle(self, session: Session) -> None:
        """Commit what has happened, in the order of the runs, and tell of it after that."""
        events, session.events = session.events, []
        sharing = [] if self._books is None else [member.run for member in self._members]
        before = [in_books(run.committed) for run in sharing]
        try:
            saved = await self._commit(events)
        finally:
            # Other processes wait for the rules; they see what was committed, published or not.
            await self._unlock()
        callbacks = session.callbacks.take()
        for member, result in saved:
            if result.synced:
                member.run.callbacks += [each for each in callbacks if member.owns(each[1])]
                await self._publish(member, result.untold)
        for _, result in saved:
            if result.error is not None:
                raise result.error
        if before != [in_books(run.committed) for run in sharing]:
            await self._write_book_views()

    async def _commit(self, events: Sequence[Event]) -> list[tuple[TickMember, Saved]]:
        """Put the new states on disk, and tell journals and views; return what became of each.

        What others may have seen of a run is committed in the order of the runs, one after another,
        before those of which only time has passed; the first that fails ends it.
        """
        async with contextlib.AsyncExitStack() as locks:
            for member in self._members:
                if member.run.sends_orders:
                    await locks.enter_async_context(member.run.commit_lock)
            wall = self._clock.now()
            ordered, quiet = list[Due](), list[Due]()
            for member in self._members:
                if (checkpoint := member.checkpoint(events, wall)) is not None:
                    only_time = member.has_only_waited(checkpoint)
                    (quiet if only_time else ordered).append((member, checkpoint))
            saved: list[Saved] = []
            if ordered:
                saved = await self._workers.call(save_all, ordered, seconds=None)
            if quiet and all(each.error is None for each in saved):
                for each in await spread(self._workers, save_all, [[due] for due in quiet]):
                    saved += each
            done = [*zip([*ordered, *quiet], saved, strict=False)]
            for (member, checkpoint), result in done:
                member.note_result(checkpoint, result)
            return [(member, result) for (member, _), result in done]

    async def _publish(self, member: TickMember, untold: Exception | None) -> None:
        """Tell the subscribers of what is on disk; `untold` is why the journal does not have it."""
        run = member.run
        fresh = [event for event in run.outbox if event.seq > run.published_seq]
        member.published += fresh
        if untold is None:
            run.outbox = []
        else:  # they are in the document, which keeps them until the journal has them
            await self._notifier.report_error(run, untold)
        if fresh:
            run.published_seq = fresh[-1].seq
            if self._notifier.bus.subscriptions:
                await self._notifier.publish(fresh)

    async def _call_back(self, session: Session) -> None:
        """Call the callbacks of what is on disk, those of a tick that failed since as well."""
        for member in self._members:
            due, member.run.callbacks = member.run.callbacks, []
            await self._drive(session, session.call_back(due))
        await self._settle(session)

    async def _write_book_views(self) -> None:
        """Write the views of the books that runs of the group take part in."""
        if self._books is None:
            return
        runs = [member.run for member in self._members]
        generations = [run.storage.generation for run in runs if run.committed is not None]
        try:
            await self._workers.call(self._books.write_views, generations, seconds=None)
        except (StateError, OSError) as error:
            log.warning("%s", error)

    async def _finish(self, member: TickMember) -> None:
        """Keep the result of the tick, and tell it to those who subscribed to ticks."""
        run = member.run
        duration_ms = (self._clock.monotonic() - self._began) * 1000
        tick = member.result(self._clock.now(), duration_ms)
        if tick is not None:
            run.last_ticks.append(tick)
        if self._notifier.bus.subscriptions:
            await self._notifier.publish_tick(run, tick, duration_ms)
        else:
            run.measured_at = self._clock.now()
        if run.rules is not member.instance.rules or run.arrival.warnings:
            note_rules(run, member.kept)
