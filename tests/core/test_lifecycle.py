"""The machine's steps one by one: what becomes of a scheduled and of an open signal."""

from __future__ import annotations

import pytest

from tests.core.steps import IDLE, RULES, event, signal
from tests.sources import MINUTE, candles, flat, minute
from tradenb.core.lifecycle.commands import give
from tradenb.core.lifecycle.machine import advance, answer
from tradenb.core.lifecycle.state import (
    ENTRIES,
    EXITS,
    NEED_CANDLES,
    Command,
    NeedClearance,
    State,
    Step,
)
from tradenb.core.prices import pnl_percent
from tradenb.core.risk import Refusal
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal, Trade

TARGET_FIRST = Rules(same_candle="target_first")
STILL = (100.0, 100.0, 100.0, 100.0, 1.0)


def short_signal() -> Signal:
    return signal(position="short", take_profit=98.0, stop_loss=101.0)


def holding(held: Signal, since: int = 5) -> State:
    return IDLE._replace(cursor=minute(5), signal=held, opened_at=minute(since))


def waiting(entry: float = 99.5, **changes) -> State:
    return IDLE._replace(cursor=minute(5), signal=signal(entry=entry, **changes))


def step_on(state: State, *rows, rules: Rules = RULES) -> Step:
    """What happens to a state at minute 5 on the rows that follow."""
    return advance(state, candles([*flat(5), *rows]), rules)


def trade(held: Signal, at: int, price: float, reason: str) -> Trade:
    pnl = pnl_percent(held.position, held.entry, price, RULES)
    prices = (held.entry, price, held.take_profit, held.stop_loss)
    times = (minute(5), minute(at))
    return Trade(
        held.id, "BTCUSDT", "dip", held.position, *times, *prices, None, reason, pnl, False, None
    )


# ------------------------------------------------------------------------------------- open


@pytest.mark.parametrize(
    ("held", "row", "price", "reason"),
    [
        (signal(), (100.0, 100.0, 99.0, 100.0, 1.0), 99.0, "stop_loss"),
        (signal(), (98.0, 103.0, 98.0, 100.0, 1.0), 98.0, "stop_loss"),
        (signal(), (100.0, 102.0, 99.0, 100.0, 1.0), 99.0, "stop_loss"),
        (signal(), (103.0, 104.0, 103.0, 103.0, 1.0), 102.0, "take_profit"),
        (short_signal(), (100.0, 101.0, 100.0, 100.0, 1.0), 101.0, "stop_loss"),
        (short_signal(), (102.5, 103.0, 97.0, 100.0, 1.0), 102.5, "stop_loss"),
        (short_signal(), (97.0, 97.0, 96.0, 97.0, 1.0), 98.0, "take_profit"),
    ],
)
def test_an_open_signal_closes_at_stop_or_target_the_worse_case_first(held, row, price, reason):
    step = step_on(holding(held), STILL, row)
    pnl = pnl_percent(held.position, 100.0, price, RULES)
    closed = event(minute(7), "closed", held, price, reason, pnl=pnl)
    after = IDLE._replace(cursor=minute(6), trades=(trade(held, 7, price, reason),))
    assert step == Step(minute(7), EXITS, after, (closed,), None)


def test_with_target_first_a_candle_that_touches_both_closes_at_the_target():
    step = step_on(holding(signal()), (98.0, 103.0, 98.0, 100.0, 1.0), rules=TARGET_FIRST)
    assert (step.events[0].price, step.events[0].exit_reason) == (102.0, "take_profit")
    step = step_on(holding(signal()), (98.0, 101.0, 98.0, 100.0, 1.0), rules=TARGET_FIRST)
    assert (step.events[0].price, step.events[0].exit_reason) == (98.0, "stop_loss")


def test_a_position_expires_at_the_market_price_when_its_minutes_are_over():
    held = signal(minutes=3)
    rows = [STILL, STILL, (100.0, 100.6, 100.0, 100.5, 1.0), STILL]
    (closed,) = step_on(holding(held), *rows).events
    assert (closed.at, closed.price, closed.exit_reason) == (minute(8), 100.5, "time_expired")
    (closed,) = step_on(holding(held), *rows, rules=Rules(price="average")).events
    assert closed.price == pytest.approx(100.073333333)
    late = (*rows[:2], (100.0, 100.0, 98.9, 100.0, 1.0))
    assert step_on(holding(held), *late).events[0].exit_reason == "stop_loss"


def test_milestones_fire_between_entry_and_exit_and_not_on_their_candles():
    held = signal(take_profit=110.0)
    rows = [(100.0, 101.0, 100.0, 101.0, 1.0), (101.0, 103.0, 101.0, 102.5, 1.0)]
    last = (102.5, 110.0, 99.6, 104.0, 1.0)
    step = step_on(holding(held), *rows, last)
    assert [(item.at, item.kind, item.level, item.price) for item in step.events] == [
        (minute(6), "milestone", 10, 101.0),
        (minute(7), "milestone", 20, 102.5),
        (minute(8), "closed", None, 110.0),
    ]
    assert (step.at, step.state.gained, step.state.lost) == (minute(8), 0, 0)


def test_milestones_before_the_end_of_the_candles_are_remembered_in_the_state():
    held = signal(take_profit=110.0)
    step = step_on(holding(held), (100.0, 101.0, 99.6, 99.6, 1.0), (99.6, 102.2, 99.6, 102.2, 1.0))
    fired = [(item.at, item.level) for item in step.events]
    steps_down = [(minute(6), -level) for level in (10, 20, 30, 40)]
    assert fired == [*steps_down, (minute(7), 10), (minute(7), 20)]
    assert (step.state.gained, step.state.lost, step.need) == (20, 40, NEED_CANDLES)
    assert step.state.cursor == step.at == minute(7)


def test_an_open_signal_is_followed_up_to_a_command_and_no_further():
    state = give(holding(signal()), Command(minute(7), "flatten"))
    before = state._replace(cursor=minute(7))
    assert step_on(state, *[STILL] * 9) == Step(minute(7), EXITS, before, (), None)


def test_the_last_thousand_trades_are_kept():
    old = tuple(trade(signal(id=str(number)), 5, 102.0, "take_profit") for number in range(1_000))
    state = holding(signal())._replace(trades=old)
    after = step_on(state, (100.0, 102.0, 100.0, 102.0, 1.0)).state
    assert after.trades == (*old[1:], trade(signal(), 6, 102.0, "take_profit"))


def test_one_that_is_stopping_is_done_when_its_position_closes():
    state = holding(signal())._replace(stopping=True)
    after = step_on(state, (100.0, 102.0, 100.0, 102.0, 1.0)).state
    assert (after.done, after.signal) == (True, None)


# ------------------------------------------------------------------------------------- scheduled


def cleared(state: State, *rows, verdict: Refusal | None = None, rules: Rules = RULES) -> Step:
    """Let the risk rules speak about a scheduled signal whose entry is touched on the last row."""
    step = step_on(state, *rows, rules=rules)
    at = minute(5 + len(rows))
    asked = NeedClearance(at, state.signal, activation=True)
    assert step == Step(at, ENTRIES, state._replace(cursor=at - MINUTE), (), asked)
    return answer(step.state, asked, verdict, candles([*flat(5), *rows]), rules)


def test_a_touched_entry_opens_at_its_price_when_risk_lets_it():
    state = waiting(note="dip")
    opened = event(minute(7), "opened", state.signal, 99.5, note="dip")
    after = state._replace(cursor=minute(7), opened_at=minute(7))
    row = (100.0, 104.0, 99.5, 104.0, 1.0)
    assert cleared(state, STILL, row) == Step(minute(7), ENTRIES, after, (opened,), None)


def test_risk_may_refuse_an_entry_at_its_touch_and_the_signal_is_gone():
    row = (100.0, 100.0, 98.0, 99.0, 1.0)
    rejected = event(minute(6), "rejected", waiting().signal, 99.5, "risk", note="book | full")
    assert cleared(waiting(), row, verdict=Refusal("book", "full")) == Step(
        minute(6), ENTRIES, IDLE._replace(cursor=minute(5)), (rejected,), None
    )


def test_an_entry_and_a_stop_on_one_candle_are_opened_and_closed_as_neighbours():
    held = waiting().signal
    step = cleared(waiting(), (99.9, 100.0, 98.0, 100.0, 1.0))
    pnl = pnl_percent("long", 99.5, 99.0, RULES)
    expected = (
        event(minute(6), "opened", held, 99.5),
        event(minute(6), "closed", held, 99.0, "stop_loss", pnl=pnl),
    )
    assert (step.phase, step.events, step.state.cursor) == (ENTRIES, expected, minute(5))
    assert (step.state.signal, step.state.trades[0].opened_at) == (None, minute(6))


@pytest.mark.parametrize("open_", [99.0, 98.5])
def test_a_candle_that_opens_at_the_stop_or_beyond_rejects_the_price(open_):
    step = step_on(waiting(), STILL, (open_, 100.0, 98.0, 99.9, 1.0))
    cancelled = event(minute(7), "cancelled", waiting().signal, 99.9, "price_reject")
    assert step == Step(minute(7), EXITS, IDLE._replace(cursor=minute(6)), (cancelled,), None)


def test_with_target_first_a_touched_stop_rejects_the_price():
    step = step_on(waiting(), (100.0, 100.0, 99.0, 99.9, 1.0), rules=TARGET_FIRST)
    cancelled = event(minute(6), "cancelled", waiting().signal, 99.9, "price_reject")
    assert step == Step(minute(6), EXITS, IDLE._replace(cursor=minute(5)), (cancelled,), None)


def test_a_limit_entry_waits_its_time_and_the_last_candle_can_still_fill():
    rules = Rules(schedule_await_minutes=3)
    timeout = event(minute(8), "cancelled", waiting().signal, 100.0, "timeout")
    assert step_on(waiting(), *[STILL] * 9, rules=rules) == Step(
        minute(8), EXITS, IDLE._replace(cursor=minute(7)), (timeout,), None
    )
    touched = cleared(waiting(), STILL, STILL, (100.0, 100.0, 99.5, 100.0, 1.0), rules=rules)
    assert [item.kind for item in touched.events] == ["opened"]


def test_a_limit_entry_that_is_not_reached_goes_on_waiting():
    after = waiting()._replace(cursor=minute(7))
    assert step_on(waiting(), STILL, STILL) == Step(minute(7), EXITS, after, (), NEED_CANDLES)
