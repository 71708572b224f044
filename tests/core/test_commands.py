"""The machine's steps one by one: the graceful end, and what a user commands."""

from __future__ import annotations

import pytest

from tests.core.steps import BUY, GRID, IDLE, RULES, entered, event
from tests.sources import MINUTE, T0, candles, flat, minute
from tradenb.core.candidate import short
from tradenb.core.lifecycle.commands import give, stop
from tradenb.core.lifecycle.machine import advance
from tradenb.core.lifecycle.state import EXITS, Command, NeedCandidate, State, Step
from tradenb.core.prices import pnl_percent
from tradenb.core.rules import Rules


def test_stop_ends_an_idle_instance_at_once_and_twice_is_once():
    waiting = give(IDLE, Command(minute(3), "flatten"))
    ended = IDLE._replace(stopping=True, done=True)
    assert stop(waiting, minute(7)) == ended == stop(ended, minute(8))


def test_stop_follows_an_open_signal_to_its_end():
    opened = entered(BUY).state
    stopping = stop(opened, minute(6))
    assert stopping == opened._replace(commands=(Command(minute(6), "stop"),))
    step = advance(stopping._replace(cursor=minute(6)), GRID, RULES)
    expected = opened._replace(cursor=minute(6), stopping=True)
    assert step == Step(minute(7), EXITS, expected, (), None)
    assert advance(expected, GRID, RULES).state.signal is opened.signal


def test_commands_wait_in_the_order_of_time_and_of_giving():
    first, second, third = (
        Command(minute(9), "cancel", "a"),
        Command(minute(9), "flatten"),
        Command(minute(3), "stop"),
    )
    assert give(give(give(IDLE, first), second), third).commands == (third, first, second)


@pytest.mark.parametrize(
    ("given", "acts"), [(minute(5), 6), (minute(5) - 1, 5), (minute(5) + 1, 6), (T0 - 999, 1)]
)
def test_a_command_acts_on_the_first_candle_that_closes_after_it(given, acts):
    state = give(IDLE._replace(every=60 * MINUTE), Command(given, "stop"))
    while not state.done:
        state = (step := advance(state, GRID, RULES)).state
    assert step.at == minute(acts)


def test_a_command_of_later_candles_waits_for_them():
    state = give(IDLE, Command(minute(30), "stop"))
    asked = advance(state._replace(cursor=minute(29)), GRID, RULES)
    assert asked.need == NeedCandidate(minute(30), minute(30))
    assert asked.state.commands == state.commands


@pytest.mark.parametrize("kind", ["cancel", "flatten"])
def test_a_command_that_finds_nothing_is_dropped_and_the_ask_stays(kind):
    state = give(IDLE._replace(cursor=minute(4)), Command(minute(4), kind))
    dropped = advance(state, GRID, RULES)
    assert dropped == Step(minute(5), EXITS, IDLE._replace(cursor=minute(4)), (), None)
    assert advance(dropped.state, GRID, RULES).need == NeedCandidate(minute(5), minute(30))


@pytest.mark.parametrize(
    ("command", "ends"),
    [
        (Command(minute(6), "cancel"), True),
        (Command(minute(6), "cancel", "mine", "button"), True),
        (Command(minute(6), "cancel", "other"), False),
        (Command(minute(6), "flatten"), True),
        (Command(minute(6), "stop"), True),
    ],
)
def test_a_waiting_signal_is_cancelled_and_nobody_is_asked_on_that_candle(command, ends):
    waiting = entered(short(take_profit=98, stop_loss=102, minutes=9, entry=100.5, id="mine")).state
    step = advance(give(waiting._replace(cursor=minute(6)), command), GRID, RULES)
    if not ends:
        assert step == Step(minute(7), EXITS, waiting._replace(cursor=minute(6)), (), None)
        return
    note = "button" if command.cancel_id else None
    cancelled = event(minute(7), "cancelled", waiting.signal, 100.0, "user", note=note)
    stopping = command.kind == "stop"
    after = IDLE._replace(cursor=minute(7), ids=("mine",), stopping=stopping, done=stopping)
    assert step == Step(minute(7), EXITS, after, (cancelled,), None)


def flattened(row, rules=RULES, *commands: Command) -> Step:
    """A long from 100 with stop 99 and target 102 is flattened on a candle."""
    opened = entered(BUY).state._replace(cursor=minute(6))
    rows = [*flat(6), row]
    for command in (Command(minute(6), "flatten"), *commands):
        opened = give(opened, command)
    return advance(opened, candles(rows), rules)


def closed(step: Step) -> tuple[State, float | None, str | None, float | None]:
    (found,) = step.events
    return step.state, found.price, found.exit_reason, found.pnl_percent


def test_flatten_closes_at_the_market_price_and_nobody_is_asked_on_that_candle():
    state, price, reason, pnl = closed(flattened((100.0, 101.5, 99.5, 101.0, 1.0)))
    assert (price, reason) == (101.0, "flattened")
    assert pnl == pnl_percent("long", 100.0, 101.0, RULES)
    assert (state.cursor, state.signal, state.done) == (minute(7), None, False)


@pytest.mark.parametrize(
    ("row", "order", "price", "reason"),
    [
        ((100.0, 100.0, 99.0, 101.0, 1.0), "stop_first", 99.0, "stop_loss"),
        ((98.0, 100.0, 98.0, 100.0, 1.0), "stop_first", 98.0, "stop_loss"),
        ((100.0, 102.0, 99.5, 101.0, 1.0), "stop_first", 101.0, "flattened"),
        ((100.0, 102.0, 99.5, 101.0, 1.0), "target_first", 102.0, "take_profit"),
        ((100.0, 102.0, 99.0, 101.0, 1.0), "target_first", 102.0, "take_profit"),
        ((100.0, 101.0, 99.0, 101.0, 1.0), "target_first", 99.0, "stop_loss"),
    ],
)
def test_what_stands_before_flatten_wins_and_then_the_ask_stays(row, order, price, reason):
    found = closed(flattened(row, Rules(same_candle=order)))
    assert found[1:3] == (price, reason)
    asked_again = reason != "flattened"
    assert found[0].cursor == minute(6 if asked_again else 7)


@pytest.mark.parametrize("kinds", [("stop",), ("cancel", "stop"), ("flatten",)])
def test_several_commands_act_on_one_candle_in_the_order_given(kinds):
    more = [Command(minute(6) + 1, kind) for kind in kinds]
    state, _, reason, _ = closed(flattened((100.0, 100.0, 100.0, 100.0, 1.0), RULES, *more))
    stops = "stop" in kinds
    assert (reason, state.stopping, state.done, state.commands) == ("flattened", stops, stops, ())


def test_a_cancel_does_not_touch_an_open_signal():
    opened = entered(BUY).state._replace(cursor=minute(6))
    step = advance(give(opened, Command(minute(6), "cancel")), GRID, RULES)
    assert step == Step(minute(7), EXITS, opened, (), None)
