"""State and events as plain dicts: exact, and never refused if the machine made them."""

from __future__ import annotations

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.generators import fixed_scenarios
from tests.scenarios import on_tradenb
from tests.store.samples import MINUTE, T0, body, state
from tradenb.core.columns import EVENT_COLUMNS
from tradenb.core.events import AskRow, Event
from tradenb.core.lifecycle.holding import Holding
from tradenb.core.lifecycle.state import Command, Refusing, State
from tradenb.core.money.position_money import Charged, PositionMoney
from tradenb.core.signal import Refused, Signal, Trade
from tradenb.engine.serialise import event_to_row, from_record, row_to_event, to_record
from tradenb.engine.session import pump as session
from tradenb.store.codec import dump, parse
from tradenb.store.document.core_records import EventRow
from tradenb.store.document.schema import StateRecord, problems_of

TIMES = st.integers(0, 7_000_000_000_000)
PRICES = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(max_size=8)
SIDES = st.sampled_from(["long", "short"])
SIGNALS = st.builds(
    Signal,
    id=TEXTS,
    symbol=TEXTS,
    strategy=TEXTS,
    position=SIDES,
    entry=PRICES,
    take_profit=PRICES,
    stop_loss=PRICES,
    minutes=st.integers(1, 10**6),
    size=st.none() | PRICES,
    note=st.none() | TEXTS,
    at=TIMES,
    until=st.none() | TIMES,
    breakout=st.booleans(),
    wait=st.none() | st.integers(1, 10**6),
    targets=st.lists(st.tuples(PRICES, PRICES), max_size=3).map(tuple),
    **dict.fromkeys(
        ("trail", "trail_distance", "trail_after", "breakeven", "breakeven_plus"),
        st.none() | PRICES,
    ),
    add=st.none() | PRICES,
    price_step=st.none() | PRICES,
)
TRADES = st.builds(
    Trade,
    signal_id=TEXTS,
    symbol=TEXTS,
    strategy=TEXTS,
    position=SIDES,
    opened_at=TIMES,
    closed_at=TIMES,
    entry=PRICES,
    exit=PRICES,
    take_profit=PRICES,
    stop_loss=PRICES,
    size=st.none() | PRICES,
    exit_reason=st.sampled_from(["take_profit", "stop_loss", "time_expired", "flattened"]),
    pnl_percent=PRICES,
    late=st.booleans(),
    note=st.none() | TEXTS,
    entries=st.integers(1, 10**6),
    exits=st.integers(1, 10**6),
    invested=PRICES,
    **dict.fromkeys(("quantity", "cost", "pnl", "fees"), st.none() | PRICES),
)
MONEY = st.builds(PositionMoney, **dict.fromkeys(PositionMoney._fields, PRICES))
CHARGED = st.builds(Charged, until=TIMES, paid=PRICES, of_position=PRICES)
RUNGS = st.lists(st.tuples(PRICES, PRICES), max_size=3).map(tuple)
HOLDINGS = st.builds(
    Holding,
    **dict.fromkeys(("invested", "cost", "paid", "fee", "realised", "peak"), PRICES),
    **dict.fromkeys(("first_entry", "first_stop"), PRICES),
    first_target=st.none() | PRICES,
    stop_by=st.sampled_from(["stop_loss", "breakeven", "trailing_stop"]),
    rungs=RUNGS,
    **dict.fromkeys(("full", "secured", "trailed"), st.booleans()),
    **dict.fromkeys(("entries", "exits"), st.integers(1, 10**6)),
    money=st.none() | MONEY,
)
REFUSING = st.builds(
    Refusing,
    exit_reason=st.sampled_from(["risk", "funds"]),
    name=TEXTS,
    **dict.fromkeys(("first", "last"), TIMES),
    count=st.integers(1, 10**6),
)
ASKS = st.builds(
    AskRow,
    asked=st.sampled_from(["entry", "manage"]),
    outcome=st.sampled_from(["none", "candidate", "refused", "skipped", "error"]),
    reason=TEXTS,
    **dict.fromkeys(("first", "last"), TIMES),
    count=st.integers(1, 10**6),
)
COMMANDS = st.builds(
    Command,
    at=TIMES,
    kind=st.sampled_from(["cancel", "stop", "flatten"]),
    id=st.none() | TEXTS,
    cancel_id=st.none() | TEXTS,
)


@st.composite
def states(draw) -> State:
    signal = draw(st.none() | SIGNALS)
    opened_at = None if signal is None else draw(st.none() | TIMES)
    return State(
        symbol=draw(TEXTS),
        strategy=draw(TEXTS),
        every=draw(st.integers(1, 10**9)),
        cursor=draw(TIMES),
        signal=signal,
        opened_at=opened_at,
        holding=None if opened_at is None else draw(st.none() | HOLDINGS),
        tested=draw(st.booleans()),
        refusing=draw(st.none() | REFUSING),
        asks=tuple(draw(st.lists(ASKS, max_size=3))),
        earned=draw(PRICES),
        charged=draw(CHARGED),
        gained=draw(st.integers(0, 100)),
        lost=draw(st.integers(0, 100)),
        warming=draw(st.booleans()),
        stopping=draw(st.booleans()),
        done=draw(st.booleans()),
        commands=tuple(draw(st.lists(COMMANDS, max_size=3))),
        ids=tuple(draw(st.lists(TEXTS, max_size=3))),
        trades=tuple(draw(st.lists(TRADES, max_size=3))),
    )


EVENTS = st.builds(
    Event,
    seq=st.integers(1, 10**9),
    at=TIMES,
    symbol=TEXTS,
    strategy=TEXTS,
    kind=st.sampled_from(["opened", "closed", "rejected", "skipped", "error", "milestone"]),
    signal=st.none() | SIGNALS | st.builds(Refused, id=TEXTS, position=st.none() | SIDES),
    price=st.none() | PRICES,
    exit_reason=st.none() | TEXTS,
    pnl_percent=st.none() | PRICES,
    level=st.none() | st.integers(-100, 100),
    late=st.booleans(),
    note=st.none() | TEXTS,
    mode=st.just("live"),
    wall=st.none() | TIMES,
    **dict.fromkeys(("fraction", "quantity"), st.none() | PRICES),
)


def through_json(value):
    return parse(dump(value))


@given(states())
def test_a_state_comes_back_exactly(found):
    assert from_record(to_record(found)) == found
    assert from_record(through_json(to_record(found))) == found


@given(EVENTS)
def test_an_event_comes_back_equal_in_every_column(event):
    row = event_to_row(event)
    again = row_to_event(through_json(row))
    assert event_to_row(again) == row
    pieces = {} if event.quantity is None else {"quantity": event.quantity}
    assert {name: getattr(again, name) for name in EVENT_COLUMNS} | pieces == row
    assert type(again.signal) is type(event.signal)


@given(PRICES)
def test_a_float_keeps_every_bit(price):
    assert struct.pack("d", through_json([price])[0]) == struct.pack("d", price)


def test_the_columns_are_those_of_a_frame_and_of_the_store():
    row = event_to_row(Event(1, T0, "BTCUSDT", "dip", "skipped"))
    assert list(row) == list(EVENT_COLUMNS)
    assert [*row, "quantity"] == list(EventRow.model_fields)
    plain = to_record(State("BTCUSDT", "dip", MINUTE, T0))
    assert [*plain, "earned", "charged", "execution", "asks"] == list(StateRecord.model_fields)
    signal = Signal("a", "B", "c", "long", 1.0, 2.0, 0.5, 1, None, None, T0)
    refused = Event(1, T0, "B", "c", "rejected", Refused("a", None), note="words")
    assert row_to_event(event_to_row(refused)) == refused
    opened = Event(1, T0, "B", "c", "opened", signal, price=1.0)
    assert row_to_event(event_to_row(opened)) == opened


def test_numbers_of_numpy_become_plain_ones():
    import numpy as np

    signal = Signal("a", "B", "c", "long", 1.0, 2.0, 0.5, 1, np.float64(3), None, T0)
    event = Event(1, T0, "B", "c", "milestone", signal, price=np.float64(1.5), level=np.int64(10))
    row = event_to_row(event)
    assert {type(value) for value in row.values()} <= {int, float, str, bool, type(None)}
    assert json.loads(json.dumps(row)) == row


def test_whole_numbers_that_other_tools_wrote_become_floats_again():
    record = state(3)
    record["signal"]["entry"] = 100
    record["trades"][0]["exit"] = 99
    found = from_record(record)
    assert type(found.signal.entry) is float
    assert type(found.trades[0].exit) is float


def known_in(found, sample):
    """What an older file says of a record: the fields that it knows."""
    if isinstance(sample, dict):
        return {key: known_in(found[key], sample[key]) for key in sample}
    if isinstance(sample, list) and len(sample) == len(found):
        return [known_in(one, other) for one, other in zip(found, sample, strict=True)]
    return found


@pytest.mark.parametrize("n", range(9))
def test_the_samples_are_states(n):
    record = to_record(from_record(state(n)))
    assert known_in(record, state(n)) == state(n)
    assert from_record(record) == from_record(state(n))
    assert problems_of(body(n)) == ""


def test_whatever_the_machine_does_the_store_accepts(monkeypatch):
    """The checks of a document know the machine: no state that it can be in is called damaged."""
    seen: set[State] = set()
    advance, answer = session.advance, session.answer

    def advanced(*given):
        step = advance(*given)
        seen.add(step.state)
        return step

    def answered(*given):
        step = answer(*given)
        seen.add(step.state)
        return step

    monkeypatch.setattr(session, "advance", advanced)
    monkeypatch.setattr(session, "answer", answered)
    events: list[Event] = []
    take = session.Session.take_events

    def taken(self):
        found = take(self)
        events.extend(found.make())
        return found

    monkeypatch.setattr(session.Session, "take_events", taken)
    for scenario in fixed_scenarios(40):
        on_tradenb(scenario)
    assert len(seen) > 1_000
    assert {"opened", "closed", "scheduled", "cancelled", "rejected"} <= {e.kind for e in events}
    for found in seen:
        record = through_json(to_record(found))
        # When it manages is what the strategy says, not the document.
        assert from_record(record) == found._replace(manage_every=None, manage_waiting=False)
        StateRecord.model_validate(record)
    for number, event in enumerate(events, 1):  # a backtest gives numbers when they are looked at
        EventRow.model_validate(through_json(event_to_row(event._replace(seq=number))))
        assert not any(isinstance(v, float) and math.isnan(v) for v in event_to_row(event).values())
