"""The machine's steps one by one: when it asks, and what follows from an answer."""

from __future__ import annotations

import pytest

from tests.core.steps import BUY, GRID, IDLE, RULES, asked, entered, event, replied, signal
from tests.sources import minute
from tradenb.core.lifecycle.machine import advance, answer
from tradenb.core.lifecycle.state import (
    ASKS,
    EXITS,
    NEED_CANDLES,
    NOT_ASKED,
    WARM_UP,
    NeedCandidate,
    NeedCandles,
    NeedClearance,
    Step,
)
from tradenb.core.risk import Refusal
from tradenb.core.signal import Refused

# ------------------------------------------------------------------------------------- the gate


def test_an_idle_instance_is_asked_at_the_next_multiple_of_its_interval():
    before = IDLE._replace(cursor=minute(4))
    expected = Step(minute(5), ASKS, before, (), NeedCandidate(minute(5), minute(30)))
    assert advance(IDLE, GRID, RULES) == expected


@pytest.mark.parametrize(("cursor", "at"), [(0, 5), (4, 5), (5, 10), (6, 10), (9, 10)])
def test_the_gate_is_arithmetic_wherever_the_cursor_stands(cursor, at):
    assert asked(IDLE._replace(cursor=minute(cursor))).at == minute(at)


def test_until_bounds_the_asks_and_the_candles():
    assert asked(until=minute(12)).need == NeedCandidate(minute(5), minute(12))
    nothing = Step(minute(4), EXITS, IDLE._replace(cursor=minute(4)), (), NEED_CANDLES)
    assert advance(IDLE, GRID, RULES, minute(4)) == nothing


def test_without_later_candles_it_needs_candles_and_nothing_changes():
    state = IDLE._replace(cursor=minute(30))
    step = advance(state, GRID, RULES)
    assert step == Step(minute(30), EXITS, state, (), NeedCandles())
    assert step.state is state


def test_one_that_is_done_only_lets_time_pass():
    state = IDLE._replace(done=True)
    assert advance(state, GRID, RULES) == Step(
        minute(30), EXITS, state._replace(cursor=minute(30)), (), NEED_CANDLES
    )


# ------------------------------------------------------------------------------------- answers


@pytest.mark.parametrize("reply", [None, NOT_ASKED])
def test_a_none_leaves_no_trace(reply):
    step = asked()
    again = answer(step.state, step.need, reply, GRID, RULES)
    assert again == Step(minute(10), ASKS, step.state, (), NeedCandidate(minute(10), minute(30)))
    assert again.state is step.state


def test_after_the_last_ask_of_the_candles_the_cursor_moves_on():
    step = asked(IDLE._replace(cursor=minute(29)))
    assert answer(step.state, step.need, None, GRID, RULES) == Step(
        minute(30), ASKS, IDLE._replace(cursor=minute(30)), (), None
    )


def test_a_row_of_warm_ups_gives_one_skipped_event():
    step = replied(WARM_UP)
    skipped = event(minute(5), "skipped", reason="warm_up")
    warming = IDLE._replace(cursor=minute(5), warming=True)
    assert step == Step(minute(5), ASKS, warming, (skipped,), None)
    again = replied(WARM_UP, step.state)
    assert (again.at, again.events) == (minute(15), ())


@pytest.mark.parametrize("left_out", [True, False])
def test_any_outcome_ends_the_row_but_an_ask_that_was_left_out_does_not(left_out):
    warming = IDLE._replace(cursor=minute(5), warming=True)
    step = replied(NOT_ASKED if left_out else None, warming)
    assert step.state.warming is left_out
    assert replied(WARM_UP, step.state).events == (
        () if left_out else (event(minute(10), "skipped", reason="warm_up"),)
    )


@pytest.mark.parametrize(
    ("reply", "refused", "names"),
    [
        (7, Refused(f"dip-BTCUSDT-{minute(5)}", None), "candidate_type"),
        ({"id": "mine", "position": "buy"}, Refused("mine", None), "position,stop_loss_number"),
        ({"id": 7, "position": "short"}, Refused(f"dip-BTCUSDT-{minute(5)}", "short"), "stop_loss"),
        ({"id": "", "position": "long"}, Refused(f"dip-BTCUSDT-{minute(5)}", "long"), "stop_loss"),
        ({"id": "i" * 9_999}, Refused(f"dip-BTCUSDT-{minute(5)}", None), "position,stop_loss"),
    ],
)
def test_what_is_no_candidate_is_rejected_and_the_next_ask_comes_as_ever(reply, refused, names):
    step = replied(reply)
    assert step._replace(events=()) == Step(
        minute(5), ASKS, IDLE._replace(cursor=minute(5)), (), None
    )
    (rejected,) = step.events
    expected = event(minute(5), "rejected", refused, 100.0, "invalid", note=rejected.note)
    assert rejected == expected
    assert rejected.note.startswith(names)
    assert " | " in rejected.note


def test_a_good_candidate_needs_clearance_and_then_opens():
    expected = NeedClearance(minute(5), signal(), activation=False)
    assert replied(BUY) == Step(minute(5), ASKS, IDLE._replace(cursor=minute(4)), (), expected)
    opened = event(minute(5), "opened", signal(), 100.0)
    state = IDLE._replace(cursor=minute(5), signal=signal(), opened_at=minute(5))
    assert entered(BUY) == Step(
        minute(5), ASKS, state._replace(ids=(signal().id,)), (opened,), None
    )


def test_a_candidate_with_a_limit_entry_is_scheduled_under_its_own_id():
    wait = BUY._replace(entry=99.9, id="mine", note="dip", size=2)
    held = signal(id="mine", entry=99.9, note="dip", size=2.0)
    state = IDLE._replace(cursor=minute(5), signal=held, ids=("mine",))
    scheduled = event(minute(5), "scheduled", held, 100.0, note="dip")
    assert entered(wait) == Step(minute(5), ASKS, state, (scheduled,), None)


def test_a_candidate_that_risk_refuses_is_forgotten_but_for_its_event():
    step = entered(BUY._replace(id="mine"), Refusal("portfolio", "full"))
    rejected = event(
        minute(5), "rejected", signal(id="mine"), 100.0, "risk", note="portfolio | full"
    )
    assert step == Step(minute(5), ASKS, IDLE._replace(cursor=minute(5)), (rejected,), None)


def test_endless_words_of_a_risk_rule_are_cut():
    (rejected,) = entered(BUY, Refusal("portfolio", "full " * 1_000_000)).events
    assert rejected.note.startswith("portfolio | full full ")
    assert rejected.note.endswith(" fu...")
    assert len(rejected.note) < 2_100


def test_an_id_is_used_up_and_the_last_thousand_are_known():
    known = IDLE._replace(ids=tuple(f"id-{number}" for number in range(1_000)))
    assert replied(BUY._replace(id="id-0"), known).events[0].note.startswith("id_used | ")
    opened = entered(BUY._replace(id="mine"), state=known).state
    assert opened.ids == (*known.ids[1:], "mine")
    again = replied(BUY._replace(id="id-0"), opened._replace(signal=None, cursor=minute(5)))
    assert again.need.signal.id == "id-0"


def test_only_what_was_asked_can_be_answered():
    with pytest.raises(TypeError, match="only a candidate or a clearance can be answered"):
        answer(IDLE, NEED_CANDLES, None, GRID, RULES)
