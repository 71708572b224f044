"""One pass of the live loop for runs that share risk rules.

Fetch what closed since the cursors, let it happen, commit, and only then tell anybody. A tick that
fails changes nothing: the states from before are put back and the next tick feeds the same candles
again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from tradenb.core import touch
from tradenb.core.events import Event
from tradenb.core.machine import Command, State, give, stop
from tradenb.core.timeframe import MINUTE, floor_to
from tradenb.engine.context import saved_state
from tradenb.engine.session import Instance, Pump, Session
from tradenb.errors import StateError
from tradenb.live.deadline import longest_call
from tradenb.live.feed import Feed
from tradenb.live.outcome import Tick
from tradenb.live.run import LiveRun
from tradenb.live.shelf import Asked, Kept, Request
from tradenb.live.telling import Ticker

TOGETHER_S: Final = 5.0


class Before(NamedTuple):
    """What an instance was, to be put back if what follows fails."""

    state: State
    user_state: str
    last_seq: int
    asks_lost: int
    skipping: bool


class Pass:
    """One tick of a group: what it began with, and how far it has come."""

    def __init__(self, ticker: Ticker, runs: Sequence[LiveRun]) -> None:
        self._ticker = ticker
        self._runs = runs
        self._began = ticker.clock.monotonic()
        self._newest = floor_to(ticker.clock.now())
        self._requests: dict[str, list[Request]] = {}
        self._befores: dict[str, Before] = {}
        self._cursors = {run.id: instance_of(run).state.cursor for run in runs}
        self._told: dict[str, list[Event]] = {run.id: [] for run in runs}

    async def go(self) -> None:
        """Do all of it."""
        try:
            for run in self._runs:
                await self._take_requests(run)
            await self._bring()
            session = self._session()
            await self._drive(session, session.pump(self._newest))
            for run in self._runs:
                instance_of(run).state = _ended_if_idle(instance_of(run).state)
            await self._settle(session)
            await self._drive(session, session.call_back())
            await self._settle(session)
        except BaseException as error:
            for run in self._runs:
                self._put_back(run)
            if not isinstance(error, Exception):
                raise
            for run in self._runs:
                await self._ticker.fail(run, error)
            return
        for run in self._runs:
            await self._report(run)

    async def _take_requests(self, run: LiveRun) -> None:
        """Put what the user asked for, here or in another process, into the state."""
        instance = instance_of(run)
        while run.commands:
            instance.state = _obeyed(instance.state, run.commands.popleft())
        asked: Asked = await self._ticker.workers.call(run.shelf.look, seconds=None)
        found = asked.requests
        self._requests[run.id] = found
        for request in found:
            if request.command is None:
                run.leaving = True
            else:
                instance.state = _obeyed(instance.state, request.command)
        run.shelf.take(found)
        instance.halted = asked.kill is not None
        if asked.kill is not None:
            instance.state = _killed(instance.state, asked.kill, self._ticker.clock.now())
        self._befores[run.id] = _before(instance)

    async def _bring(self) -> None:
        """Have the candles of all runs; those of a slow or failing symbol are fed later."""
        due = [run for run in self._runs if instance_of(run).state.cursor < self._newest]
        if not due:
            return
        tasks = {
            run.id: asyncio.create_task(_feed(run).bring(self._newest), name=run.id) for run in due
        }
        await asyncio.wait(tasks.values(), timeout=None if len(due) == 1 else TOGETHER_S)
        for run in due:
            task = tasks[run.id]
            if not task.done():
                task.cancel()
                continue
            try:
                history = await task
                # Another run may have made the feed load a longer one.
                run.histories.put(history)
                instance_of(run).candles = history.candles
            except Exception as error:  # noqa: BLE001 - the others go on
                await self._ticker.fail(run, error)
            else:
                run.error = None

    def _session(self) -> Session:
        instances = [instance_of(run) for run in self._runs]
        for place, instance in enumerate(instances):
            instance.place = place
        session = Session(instances, defer_callbacks=True)
        age = self._ticker.clock.now() - self._newest
        fresh = age < min(run.rules.late_entry_seconds for run in self._runs) * 1000
        session.fresh_from = self._newest if fresh else self._newest + 1
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
            if call.asks and session.events:
                await self._settle(session)
            seconds = self._deadline()
            try:
                reply = await self._ticker.workers.call(call.function, *call.args, seconds=seconds)
            except Exception as error:  # noqa: BLE001 - the user's code; goes to the pump
                failure = error

    def _deadline(self) -> float:
        clock, sharing = self._ticker.clock, len(self._runs)
        return min(longest_call(clock, run.rules, sharing=sharing) for run in self._runs)

    async def _settle(self, session: Session) -> None:
        """Commit what has happened, and then tell of it."""
        events, session.events = session.events, []
        for run in self._runs:
            own = [event for event in events if _is_of(event, run)]
            if await self._commit(run, own):
                await self._announce(run)

    async def _commit(self, run: LiveRun, events: list[Event]) -> bool:
        """Put the new state on disk; tell whether there was something to tell."""
        instance = instance_of(run)
        if instance.state is run.committed and not events and not run.outbox:
            return False
        wall = self._ticker.clock.now()
        outbox = [*run.outbox, *(event._replace(wall=wall) for event in events)]
        synced = await self._ticker.workers.call(
            run.shelf.commit, kept_of(run, outbox), seconds=None
        )
        run.outbox, run.committed, run.saved = outbox, instance.state, True
        self._befores[run.id] = _before(instance)
        requests = self._requests.pop(run.id, [])
        if requests:
            await self._ticker.workers.call(run.shelf.done, requests, seconds=None)
        return bool(synced)

    async def _announce(self, run: LiveRun) -> None:
        """Bring the events to the journal, the subscribers and the views."""
        fresh = [event for event in run.outbox if event.seq > run.told_seq]
        self._told[run.id] += fresh
        try:
            await self._ticker.workers.call(run.shelf.append, run.outbox, seconds=None)
            run.outbox = []
        except (StateError, OSError) as error:
            # They are in the document, which keeps them until the journal has them.
            await self._ticker.fail(run, error)
        if fresh:
            run.told_seq = fresh[-1].seq
            await self._ticker.tell(fresh)
        await self._ticker.workers.call(run.shelf.show, seconds=None)

    async def _report(self, run: LiveRun) -> None:
        fed = (instance_of(run).state.cursor - self._cursors[run.id]) // MINUTE
        duration = (self._ticker.clock.monotonic() - self._began) * 1000
        wall = self._ticker.clock.now()
        tick = tick_of(run, self._told[run.id], wall, duration, fed) if fed > 0 else None
        await self._ticker.report(run, tick, duration)

    def _put_back(self, run: LiveRun) -> None:
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


def kept_of(run: LiveRun, outbox: Sequence[Event]) -> Kept:
    """Return what a document should remember of a run."""
    instance = instance_of(run)
    return Kept(
        state=instance.state,
        user_state=saved_state(instance.context),
        last_seq=instance.numbering.last,
        start=run.start,
        history_start=run.history_start,
        outbox=tuple(outbox),
        place=run.place,
    )


def tick_of(run: LiveRun, events: Sequence[Event], wall: int, duration: float, fed: int) -> Tick:
    """Say what a tick came to."""
    instance = instance_of(run)
    state, candles = instance.state, instance.candles
    action = "idle"
    if state.signal is not None:
        action = "scheduled" if state.opened_at is None else "active"
    for event in events:
        if event.kind in ("opened", "closed", "cancelled"):
            action = event.kind
    price = touch.market_price(candles, candles.index(state.cursor), run.rules)
    signal_id = None if state.signal is None else state.signal.id
    return Tick(
        state.cursor, wall, run.symbol, run.strategy, action, price, signal_id, duration, fed
    )


def instance_of(run: LiveRun) -> Instance:
    """Return the instance of a run that has been prepared."""
    if run.instance is None:
        raise RuntimeError(f"{run.id} has not been prepared")
    return run.instance


def _obeyed(state: State, command: Command) -> State:
    """Take a command; a stop ends an idle run at once, if no earlier candle is to be fed first."""
    if command.kind == "stop" and state.cursor >= floor_to(command.at):
        return stop(state, command.at)
    return give(state, command)


def _ended_if_idle(state: State) -> State:
    """End a run that was stopped and has nothing open, now that the candles before are fed."""
    stops = [command.at for command in state.commands if command.kind == "stop"]
    return stop(state, stops[0]) if stops and state.signal is None and not state.done else state


def _killed(state: State, kind: str, now: int) -> State:
    """Obey the kill switch: a waiting entry is cancelled; flatten closes what is open as well."""
    scheduled = state.signal is not None and state.opened_at is None
    opened = state.opened_at is not None and kind == "flatten"
    if state.commands or not (scheduled or opened):
        return state
    return give(state, Command(now, "cancel" if scheduled else "flatten"))


def _feed(run: LiveRun) -> Feed:
    if run.feed is None:
        raise RuntimeError(f"{run.id} has not been prepared")
    return run.feed


def _before(instance: Instance) -> Before:
    return Before(
        instance.state,
        saved_state(instance.context),
        instance.numbering.last,
        instance.asks_lost,
        instance.skipping,
    )


def _is_of(event: Event, run: LiveRun) -> bool:
    return (event.symbol, event.strategy) == (run.symbol, run.strategy)
