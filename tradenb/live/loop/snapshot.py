"""A run at one moment of a tick: what to remember of it, what to put back, what it came to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tradenb.core import prices
from tradenb.core.events import Event
from tradenb.core.lifecycle.commands import give, stop
from tradenb.core.lifecycle.state import Command, State
from tradenb.core.timeframe import floor_to
from tradenb.engine.context import saved_state
from tradenb.engine.session.instance import Instance
from tradenb.live.loop.record import RunRecord
from tradenb.live.loop.tick_result import Tick
from tradenb.live.state.storage import Checkpoint


class Before(NamedTuple):
    """What an instance was, to be put back if what follows fails."""

    state: State
    user_state: str
    last_seq: int
    asks_lost: int
    skipping: bool


def remembered(instance: Instance) -> Before:
    """Return what an instance is now, to be put back later."""
    return Before(
        instance.state,
        saved_state(instance.context),
        instance.numbering.last,
        instance.asks_lost,
        instance.skipping,
    )


def checkpoint_of(run: RunRecord, outbox: Sequence[Event]) -> Checkpoint:
    """Return what a document should remember of a run."""
    instance = instance_of(run)
    return Checkpoint(
        state=instance.state,
        user_state=saved_state(instance.context),
        last_seq=instance.numbering.last,
        start=run.start,
        history_start=run.history_start,
        outbox=tuple(outbox),
        place=run.place,
        price=_price_of(run),
    )


def saved(run: RunRecord, checkpoint: Checkpoint, since: int) -> bool:
    """Commit what a run has come to since a cursor; what it went through is written down first."""
    run.recorder.note(instance_of(run).candles, checkpoint, since)
    return run.storage.commit(checkpoint)


def tick_of(run: RunRecord, events: Sequence[Event], wall: int, duration: float, fed: int) -> Tick:
    """Say what a tick came to."""
    instance = instance_of(run)
    state, candles = instance.state, instance.candles
    action = "idle"
    if state.signal is not None:
        action = "active" if state.is_open else "scheduled"
    for event in events:
        if event.kind in ("opened", "closed", "cancelled"):
            action = event.kind
    price = prices.market_price(candles, candles.index(state.cursor), run.rules)
    signal_id = None if state.signal is None else state.signal.id
    return Tick(
        state.cursor, wall, run.symbol, run.strategy, action, price, signal_id, duration, fed
    )


def _price_of(run: RunRecord) -> float | None:
    """Return the market price at the cursor; None where no candle was fed yet."""
    instance = instance_of(run)
    candles = instance.candles
    row = candles.index(instance.state.cursor)
    return prices.market_price(candles, row, run.rules) if 0 <= row < len(candles) else None


def instance_of(run: RunRecord) -> Instance:
    """Return the instance of a run that has been prepared."""
    if run.instance is None:
        raise RuntimeError(f"{run.id} has not been prepared")
    return run.instance


def obey(run: RunRecord, command: Command) -> None:
    """Take a command; a stop ends an idle run at once, if no earlier candle is to be fed first."""
    instance = instance_of(run)
    state = instance.state
    at_once = command.kind == "stop" and state.cursor >= floor_to(command.at)
    instance.state = stop(state, command.at) if at_once else give(state, command)
    run.recorder.hear((command,))


def ended_if_idle(state: State) -> State:
    """End a run that was stopped and has nothing open, now that the candles before are fed."""
    stops = [command.at for command in state.commands if command.kind == "stop"]
    return stop(state, stops[0]) if stops and state.signal is None and not state.done else state


def killed(state: State, kind: str, now: int) -> State:
    """Obey the kill switch: a waiting entry is cancelled; flatten closes what is open as well."""
    scheduled = state.is_scheduled
    if state.commands or not (scheduled or (state.is_open and kind == "flatten")):
        return state
    return give(state, Command(at=now, kind="cancel" if scheduled else "flatten"))
