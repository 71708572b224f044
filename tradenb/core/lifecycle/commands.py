"""Commands of the user: kept in the state of a run, obeyed on the next candle that closes."""

from __future__ import annotations

from typing import assert_never

from tradenb.core import prices
from tradenb.core.candles.arrays import Candles
from tradenb.core.events import Event, event_of
from tradenb.core.lifecycle.exchange_route import hear, leave_entering, leave_without_candle
from tradenb.core.lifecycle.opened import close, flatten
from tradenb.core.lifecycle.scheduled import cancel
from tradenb.core.lifecycle.state import (
    BY_HAND,
    EXITS,
    Command,
    State,
    Step,
    idle_after,
    tested,
)
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal


def stop(state: State, at: int) -> State:
    """Begin the graceful end at a moment: at once if nothing is open or scheduled.

    Parameters
    ----------
    state : State
    at : int
        When it was asked for, ms UTC.
    """
    if state.signal is None:
        return state._replace(stopping=True, done=True, commands=())
    return give(state, Command(at=at, kind="stop"))


def give(state: State, command: Command) -> State:
    """Add a command; it acts on the first candle that closes after it was given."""
    ordered = sorted((*state.commands, command), key=lambda command: command.at)
    return state._replace(commands=tuple(ordered))


def withdraw(state: State, at: int, request: str | None) -> tuple[State, tuple[Command, ...]]:
    """Take back commands that have not acted; return them with the state.

    Parameters
    ----------
    at : int
        When that was asked for, ms UTC.
    request : str or None
        The id of a request; None means all that were given by then.
    """
    taken = tuple(each for each in state.commands if is_withdrawn(each, at, request))
    left = tuple(each for each in state.commands if each not in taken)
    return state._replace(commands=left), taken


def abandon(state: State, price: float, rules: Rules) -> Step | None:
    """End a signal whose symbol gives no candle any more: at the cursor, without a candle.

    Parameters
    ----------
    price : float
        What the position is worth, quote currency; it is paid as at market. A waiting entry is
        cancelled. What is at an exchange is sold there, at its price.

    Returns
    -------
    Step or None
        None where nothing is open or scheduled; what happens is noticed after its candle.
    """
    at, signal = state.cursor, state.signal
    if signal is None:
        return None
    if state.execution is not None and (state.is_open or state.is_sending):
        left = leave_without_candle(state)
        event = event_of(state, at, "exiting", signal, price=price, exit_reason="abandoned")
        return None if left is state else Step(at, EXITS, left, (event,), None)
    if state.opened_at is None:
        cancelled = event_of(
            state, at, "cancelled", signal, price=price, exit_reason="user", note="abandoned"
        )
        step = Step(at, EXITS, idle_after(state, state.trades), (cancelled,), None)
    else:
        step = close(state, signal, state.opened_at, at, price, "abandoned", rules)
    ended = step.state.moved(at)
    if state.is_open:
        ended = ended._replace(trades=(*ended.trades[:-1], ended.trades[-1]._replace(late=True)))
    return step._replace(state=ended, events=(step.events[0]._replace(late=True),))


def is_withdrawn(command: Command, at: int, request: str | None) -> bool:
    """Tell whether a command is one of those that `withdraw` takes back."""
    if command.kind == "report":
        return False
    return command.at <= at if request is None else command.request == request


def obey(state: State, candles: Candles, rules: Rules, row: int) -> Step:
    """Let the commands act that were given before the candle closed.

    cancel and flatten end a scheduled signal; stop does too, and ends the run where nothing is
    open. On an open signal stop forbids further asks, and flatten closes it at the market price,
    unless the test that stands before it finds the stop (or, with target_first, either) touched.
    close and move act after the tests of the candle (managing.py); where nothing is held they are
    dropped. What orders did acts in its place among them (exchange_route.py).
    """
    at, flattened = candles.ends_at(row), None
    due = [command for command in state.commands if command.at < at]
    kept = () if state.signal is None else tuple(each for each in due if each.kind in BY_HAND)
    state = state._replace(commands=(*kept, *state.commands[len(due) :]))
    events: tuple[Event, ...] = ()
    for command in due:
        if command.kind in BY_HAND:
            continue
        if command.kind == "report":
            price = prices.market_price(candles, row, rules)
            state, found = hear(state, command, at, price, rules)
            events += found
            continue
        if command.kind == "stop":
            state = state._replace(stopping=True, done=state.signal is None)
        signal = state.signal
        if signal is None:
            continue
        if state.is_sending:
            leaves = command.kind != "stop" and _ends_scheduled(command, signal)
            state = leave_entering(state) if leaves else state
        elif state.is_open:
            if command.kind == "flatten" and flattened is None:
                flattened = command.at
        elif _ends_scheduled(command, signal):
            note = command.cancel_id
            step = cancel(state, signal, candles, rules, at, "user", note)
            state, events = step.state.moved(at), (*events, *step.events)
    if flattened is not None and state.signal is not None and state.opened_at is not None:
        step = flatten(state, state.signal, state.opened_at, candles, rules, row, flattened)
        return step._replace(events=(*events, *step.events))
    if state.opened_at == at:
        # Orders opened it within this candle, behind a stop of theirs.
        state = tested(state) if kept else state.moved(at)
    return Step(at, EXITS, state, events, None)


def _ends_scheduled(command: Command, signal: Signal) -> bool:
    match command.kind:
        case "stop" | "flatten":
            return True
        case "cancel":
            return command.id is None or command.id == signal.id
        case "close" | "move" | "report":
            return False
        case _:
            assert_never(command.kind)
