"""`TickMember`: one run during one tick, from what it was before to what came of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from tradenb.core.events import Event, event_of
from tradenb.core.lifecycle.commands import abandon, give, stop, withdraw
from tradenb.core.lifecycle.exchange_route import report_command
from tradenb.core.lifecycle.state import Command, CommandKind, State
from tradenb.core.prices import market_price
from tradenb.core.rules import Rules
from tradenb.core.timeframe import floor_to
from tradenb.engine.context import saved_state
from tradenb.engine.session.instance import AskRows, Instance
from tradenb.errors import StateConflict
from tradenb.live.arrival.request_times import LAST_MS
from tradenb.live.arrival.retry_plan import plan_retry
from tradenb.live.loop.feed import Feed
from tradenb.live.loop.record import RunRecord
from tradenb.live.loop.tick_result import Tick
from tradenb.live.state.checkpoint import Checkpoint
from tradenb.live.state.control_requests import Abandon, Asked, Request, Withdrawal, standing

log = logging.getLogger("tradenb")


class Snapshot(NamedTuple):
    """What an instance was, to be restored if what follows fails."""

    state: State
    user_state: str
    last_seq: int
    skipping: bool
    rules: tuple[Rules, Rules]


@dataclass(eq=False)
class TickMember:
    """One run in a tick of its group.

    Attributes
    ----------
    instance : Instance
        Its part of the session.
    cursor : int
        Newest close that it had seen when the tick began, ms UTC.
    requests : list of Request
        What other processes asked for; their files stay until the answer is on disk.
    published : list of Event
        What came of the tick.
    before : Snapshot or None
        What is restored if the tick fails; None until it was asked to do anything.
    kept : Checkpoint or None
        What it has committed last.
    told : int
        How much of the news of its orders the next commit takes along; more may come meanwhile.
    """

    run: RunRecord
    instance: Instance
    cursor: int
    requests: list[Request] = field(default_factory=list)
    published: list[Event] = field(default_factory=list)
    before: Snapshot | None = None
    kept: Checkpoint | None = None
    told: int = 0

    def obey_requests(self, requests: list[Request]) -> None:
        """Take what other processes ask for; what is withdrawn at once was never given."""
        self.requests = requests
        given = [request.command for request in requests]
        self.run.releasing |= None in given
        for other in given:
            if isinstance(other, Withdrawal | Abandon):
                self.obey(other)
        for command in standing(given):
            self.obey(command)

    def obey(self, command: Asked) -> None:
        """Take a command; a stop ends an idle run at once, if no earlier candle is to be fed."""
        state = self.instance.state
        if isinstance(command, Withdrawal):
            self.instance.state, taken = withdraw(state, command.at, command.request)
            self.run.recorder.note_withdrawn(taken)
            return
        if isinstance(command, Abandon):
            self.abandon(command)
            return
        at_once = command.kind == "stop" and state.cursor >= floor_to(command.at)
        self.instance.state = stop(state, command.at) if at_once else give(state, command)
        self.run.recorder.note_commands((command,))

    def redate_commands(self) -> None:
        """Give now what was given while the clock was ahead: it waits for a candle after that."""
        state, now = self.instance.state, self.run.clock.now()
        ahead = [each for each in state.commands if each.at > now and each.kind != "report"]
        if ahead:
            left = tuple(each for each in state.commands if each not in ahead)
            self.instance.state = state._replace(commands=left)
            self.run.recorder.note_withdrawn(ahead)
        for command in ahead:
            self.obey(replace(command, at=now))

    def abandon(self, command: Abandon) -> None:
        """End what is held without a candle; the event is committed with what this tick brings."""
        run, instance = self.run, self.instance
        step = abandon(instance.state, command.price, instance.rules)
        if step is None:
            return
        instance.state, instance.refusing = step.state._replace(refusing=None), None
        instance.take_next_rules()
        instance.numbering.last += 1
        wall = run.clock.now()
        event = step.events[0]._replace(seq=instance.numbering.last, mode="live", wall=wall)
        run.outbox = [*run.outbox, event]
        if event.kind in instance.callbacks:
            run.callbacks.append((instance.callbacks[event.kind], event))

    def obey_kill_switch(self, kind: str, now: int, note: str | None) -> None:
        """Cancel a scheduled entry, saying why; "flatten" closes an open position as well."""
        state = self.instance.state
        closes = state.is_open and kind == "flatten"
        waits = any(each.kind != "report" for each in state.commands)
        if waits or not (state.is_scheduled or closes):
            return
        does: CommandKind = "cancel" if state.is_scheduled else "flatten"
        command = Command(at=now, kind=does, cancel_id=note)
        self.instance.state = give(state, command)
        self.run.recorder.note_commands((command,))

    def hear_orders(self) -> None:
        """Give the reports of its orders to the state, each once, as commands.

        One of before the cursor, of an exchange whose clock is behind, is given at the cursor: it
        acts on the same candle in a replay then.
        """
        state, ledger = self.instance.state, self.run.known_ledger
        if ledger is None or state.execution is None:
            return
        given = {
            each.values["seq"] for each in state.commands if each.values and each.kind == "report"
        }
        fresh = [
            report_command(report._replace(at=max(report.at, state.cursor)))
            for report in ledger.reports
            if report.seq > state.execution.heard and report.seq not in given
        ]
        for command in fresh:
            self.instance.state = give(self.instance.state, command)
        if fresh:
            self.run.recorder.note_commands(fresh)

    def end_if_idle(self, newest: int) -> None:
        """End a run that was stopped and has nothing open, now that the candles before are fed.

        One that is to be fed when it has settled is waited for, one that is late is not.
        """
        state, rules = self.instance.state, self.run.rules
        settled = newest + round(rules.settle_seconds * 1000)
        if state.cursor < newest and self.run.clock.now() <= settled:
            return
        stops = [command.at for command in state.commands if command.kind == "stop"]
        if stops and state.signal is None and not state.done:
            self.instance.state = stop(state, stops[0])

    def take_snapshot(self) -> None:
        """Remember what the run is now."""
        instance = self.instance
        self.before = Snapshot(
            instance.state,
            saved_state(instance.context),
            instance.numbering.last,
            instance.skipping,
            (instance.rules, instance.next_rules or instance.rules),
        )

    def restore(self) -> None:
        """Put back what was remembered last, if anything was."""
        before, instance = self.before, self.instance
        if before is None:
            return
        if instance.state is not before.state:
            self.run.saved = False
        instance.state, instance.refusing = before.state, before.state.refusing
        instance.charged = before.state.charged
        instance.numbering.last = before.last_seq
        instance.asks = AskRows(before.state.asks)
        instance.skipping = before.skipping
        instance.give_rules(*before.rules)
        instance.renew(before.user_state)

    def note_revisions(self, feed: Feed) -> None:
        """Note candles that were changed after the run had acted on them."""
        run, state, rules = self.run, self.instance.state, self.instance.rules
        for _, words in run.arrival.note_revisions(feed.revisions, state, rules):
            log.warning("%s: %s", run.id, words)

    def note_late_asks(self, feed: Feed | None, fresh_from: int) -> list[Event]:
        """Count asks that were left out in a row because their candles came late; tell of many."""
        run, state = self.run, self.instance.state
        if not self.instance.skipping:
            run.arrival.end_late_asks()
            return []
        arrivals = [] if feed is None else feed.lateness.arrivals
        known = [each for each in arrivals if each.close < fresh_from]
        news = run.arrival.note_late_asks(known, state, self.cursor, run.rules)
        for _, words in news:
            log.warning("%s: %s", run.id, words)
        return self.events_of_warnings(news)

    def events_of_warnings(self, warnings: Sequence[tuple[int, str]]) -> list[Event]:
        """Make numbered events of warnings, which the next commit takes along."""
        found = []
        for at, note in warnings:
            self.instance.numbering.last += 1
            event = event_of(self.run, at, "error", note=note)
            found.append(event._replace(seq=self.instance.numbering.last, mode="live"))
        return found

    def events_of_orders(self) -> list[Event]:
        """Return the news of its orders with numbers, which the next commit takes along."""
        news, found = self.run.order_news, []
        self.told = len(news)
        for event in news:
            self.instance.numbering.last += 1
            found.append(event._replace(seq=self.instance.numbering.last))
        return found

    def checkpoint(self, events: Sequence[Event], wall: int) -> Checkpoint | None:
        """Return what the document should remember now, with its own of some events.

        None if nothing is to be committed.
        """
        run, instance = self.run, self.instance
        instance.rest()
        asks = instance.asks.shortened()
        if asks != instance.state.asks:
            instance.state = instance.state._replace(asks=asks)
        own = [each._replace(wall=wall) for each in events if self.owns(each)]
        # Requests are committed though nothing else changed: their files go only once the document
        # names them, else the next holder of the run would be asked again.
        if instance.state is run.committed and not (own or run.outbox or self.requests):
            return None
        return Checkpoint(
            state=instance.state,
            user_state=saved_state(instance.context),
            last_seq=instance.numbering.last,
            start=run.start,
            history_start=run.history_start,
            # What the journal has not confirmed stays in the document, in front of what is new: a
            # crash between document and journal loses no event.
            outbox=(*run.outbox, *own),
            place=run.place,
            price=self._price(),
            reads=tuple(run.reads),
            rules=instance.rules,
            ledger=run.known_ledger,
            orders_of=run.storage.orders_of,
        )

    def has_only_waited(self, checkpoint: Checkpoint) -> bool:
        """Tell whether it has begun, and only time has passed since the last commit."""
        run = self.run
        told = checkpoint.outbox or self.requests or run.uncommitted
        return run.committed is not None and not told

    def note_result(self, checkpoint: Checkpoint, result: Saved) -> None:
        """Let the state in memory be what is on disk now; after a conflict it is to be decided."""
        run, state, before = self.run, checkpoint.state, self.run.committed
        if result.error is not None:
            if isinstance(result.error, StateConflict):
                run.error, run.saved, run.undecided = result.error, False, True
            return
        if before is not None and before.signal not in (None, state.signal):
            run.arrival.ended.append((before, state))
        run.outbox, run.committed, run.saved = [*checkpoint.outbox], state, True
        run.uncommitted, run.arrival.untold, self.kept = [], [], checkpoint
        run.order_news, self.told = run.order_news[self.told :], 0
        self.requests = []
        if run.wake_orders is not None:
            run.wake_orders()
        # From here on a failure of this tick goes back to what is on disk, and not behind it.
        self.take_snapshot()

    def result(self, wall: int, duration_ms: float) -> Tick | None:
        """Say what the tick came to; None if it fed no candle."""
        run, state = self.run, self.instance.state
        price = self._price()
        if state.cursor <= self.cursor or price is None:
            return None
        action = "idle"
        if state.signal is not None:
            action = "active" if state.is_open else "scheduled"
        for event in self.published:
            if event.kind in ("opened", "closed", "cancelled"):
                action = event.kind
        return Tick(
            at=state.cursor,
            wall=wall,
            symbol=run.symbol,
            strategy=run.strategy,
            action=action,
            price=price,
            signal_id=None if state.signal is None else state.signal.id,
            duration_ms=duration_ms,
            candles=len(self.instance.candles.between(self.cursor, state.cursor)),
        )

    def owns(self, event: Event) -> bool:
        """Tell whether an event is one of this run."""
        return (event.symbol, event.strategy) == (self.run.symbol, self.run.strategy)

    def _price(self) -> float | None:
        """Return the market price at the cursor; None where no candle was fed yet."""
        candles = self.instance.candles
        row = candles.index(self.instance.state.cursor)
        if not 0 <= row < len(candles):
            return None
        return market_price(candles, row, self.instance.rules)


def in_books(state: State | None) -> object:
    """Return what risk books show of a run."""
    return None if state is None else (state.signal, state.opened_at, state.trades)


Due = tuple[TickMember, Checkpoint]
"""A run, and what is to be committed of it."""


class Saved(NamedTuple):
    """What became of the commit of a run.

    Attributes
    ----------
    synced : bool
        Whether it survives a power loss. If not, nobody is told of it yet.
    error : Exception or None
        Why it failed: what was in force before is.
    untold : Exception or None
        Why the journal did not take the events of a commit that is synced.
    """

    synced: bool
    error: Exception | None = None
    untold: Exception | None = None


def save_all(due: Sequence[Due]) -> list[Saved]:
    """Commit runs in order until one fails, then bring what is synced to journals and views."""
    saved: list[Saved] = []
    try:
        for member, checkpoint in due:
            saved.append(Saved(_save(member, checkpoint)))
    except Exception as error:  # noqa: BLE001 - the tick raises it when it has noted the others
        saved.append(Saved(False, error))
    return [
        result._replace(untold=member.run.storage.announce()) if result.synced else result
        for (member, _), result in zip(due, saved, strict=False)
    ]


def _save(member: TickMember, checkpoint: Checkpoint) -> bool:
    """Write down what a run went through, then commit; tell whether that is synced."""
    storage = member.run.storage
    member.run.recorder.write(member.instance.candles, checkpoint, member.cursor)
    is_synced = storage.commit(checkpoint)
    if member.requests:
        storage.remove_requests(member.requests)
    return is_synced


def retry_later(runs: Sequence[RunRecord], newest: int) -> int:
    """Plan the next tick of a group that lacks candles; return up to which close it is fed now."""
    feeds = {id(feed): feed for run in runs if (feed := run.feed) is not None}
    now = runs[0].clock.now()
    late_s = min(run.rules.late_entry_seconds for run in runs)
    late_at = newest + round(late_s * 1000) - LAST_MS
    plan = plan_retry(newest, now, [each.awaited(now) for each in feeds.values()], late_at=late_at)
    for run in runs:
        run.arrival.retry_at = plan.retry_at
    return plan.until
