"""Faults 12 and 76: JSON that is well formed and makes no sense, or means harm."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.store.samples import (
    DOCUMENT,
    T0,
    body,
    changed,
    row,
    signal,
    state,
    trade,
)
from tests.store.stores import begun
from tradenb.errors import StateCorrupt, StateError
from tradenb.store.codec import LIMIT, Damaged, dump, framed
from tradenb.store.document.commit import encode
from tradenb.store.document.migrations import VERSION
from tradenb.store.document.read import decode, read_document
from tradenb.testing.world.fake_disk import FakeDisk

NONSENSE = {
    "stop is null": (("state", "signal", "stop_loss"), None),
    "stop is text": (("state", "signal", "stop_loss"), "98.5"),
    "stop is a bool": (("state", "signal", "stop_loss"), True),
    "stop above entry": (("state", "signal", "stop_loss"), 110.0),
    "target at entry": (("state", "signal", "take_profit"), signal(3)["entry"]),
    "negative size": (("state", "signal", "size"), -1.0),
    "no minutes": (("state", "signal", "minutes"), 0),
    "half a minute": (("state", "signal", "minutes"), 0.5),
    "off the grid": (("state", "cursor"), T0 + 3 * 60_000 + 1),
    "cursor before opening": (("state", "cursor"), T0),
    "cursor before start": (("start",), T0 + 86_400_000 - 60_000 * 34),
    "opened off the grid": (("state", "opened_at"), T0 + 1),
    "open without opening": (("state", "opened_at"), None),
    "unknown id": (("state", "ids"), ["other"]),
    "id is empty": (("state", "ids"), [""]),
    "both": (("state", "scheduled"), signal(3)),
    "other symbol": (("state", "signal", "symbol"), "ETHUSDT"),
    "other state": (("state", "symbol"), "ETHUSDT"),
    "decided after its entry": (("state", "signal", "at"), T0 + 4 * 60_000),
    "state of another": (("state", "strategy"), "other"),
    "run of another": (("symbol",), "ETHUSDT"),
    "milestones of nothing": (("state",), {**state(2), "milestones": {"gained": 10, "lost": 0}}),
    "outbox in disorder": (("outbox",), [row(2), row(2)]),
    "level 15": (("state", "milestones", "gained"), 15),
    "level 110": (("state", "milestones", "lost"), 110),
    "no timeframe": (("state", "every"), 7),
    "done": (("state", "done"), True),
    "trade later": (("state", "trades", 0, "closed_at"), T0 + 60 * 60_000),
    "trade backwards": (("state", "trades", 0, "opened_at"), T0 + 60 * 60_000),
    "trade of another": (("state", "trades", 0, "strategy"), "other"),
    "unknown exit": (("state", "trades", 0, "exit_reason"), "luck"),
    "commands in disorder": (
        ("state", "commands"),
        [
            {"at": 2, "kind": "stop", "id": None, "cancel_id": None},
            {"at": 1, "kind": "stop", "id": None, "cancel_id": None},
        ],
    ),
    "release is no command": (
        ("state", "commands"),
        [{"at": 2, "kind": "release", "id": None, "cancel_id": None}],
    ),
    "time is text": (("saved_at",), "2024-01-01"),
    "seconds too large": (("saved_at",), 10**16),
    "a price below nothing": (("price",), -1.0),
    "an end before its start": (("end",), T0),
    "unknown field": (("colour",), "red"),
    "missing field": (("account",), KeyError),
    "outbox ahead": (("last_event_seq",), 2),
    "outbox of another": (("outbox", 0, "symbol"), "ETHUSDT"),
    "history after start": (("history_start",), T0 + 1),
    "user state is a list": (("user_state",), "[]"),
    "user state is broken": (("user_state",), "{"),
    "user state is nan": (("user_state",), '{"a":NaN}'),
    "no body": ((), None),
}


@pytest.mark.parametrize(("path", "value"), NONSENSE.values(), ids=NONSENSE)
def test_fault_12_valid_json_that_makes_no_sense_is_refused(path, value):
    found = changed(3, *path, to=value) if path else value
    with pytest.raises(Damaged):
        decode(framed(VERSION, 1, dump(found)))
    if path:
        with pytest.raises(StateError, match="invalid state"):
            begun(FakeDisk()).commit(found)


def test_fault_12_the_body_of_the_table_is_a_good_one():
    assert decode(framed(VERSION, 1, dump(body(3)))).body == body(3)


def test_a_position_is_not_given_up_for_a_long_name_or_note():
    found = body(3)
    found["state"]["signal"]["id"] = "i" * 9_999
    found["state"]["signal"]["note"] = "n" * 9_999
    found["state"]["ids"].append("i" * 9_999)
    assert decode(framed(VERSION, 1, dump(found))).body == found


def test_all_problems_are_named_at_once():
    found = body(3)
    found["state"]["signal"]["stop_loss"] = 200.0
    found["state"]["every"] = 7
    found["account"] = 5
    with pytest.raises(Damaged) as caught:
        decode(framed(VERSION, 1, dump(found)))
    assert "stop_loss must be below entry" in str(caught.value)
    assert "account" in str(caught.value)
    found["state"]["trades"] = [{}] * 500
    with pytest.raises(Damaged, match=r"and \d+ more") as caught:
        decode(framed(VERSION, 1, dump(found)))
    assert len(str(caught.value)) < 10_000


def paths_of(value, path=()):
    """Every place in a body."""
    yield path
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for name, item in items:
        yield from paths_of(item, (*path, name))


PATHS = [path for path in paths_of(body(3)) if path]
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3), max_leaves=4)


@settings(max_examples=examples(300))
@given(st.sampled_from(PATHS), VALUES | st.dictionaries(st.text(max_size=3), LEAVES, max_size=2))
def test_fault_12_whatever_stands_anywhere_is_accepted_or_refused_and_never_raises_otherwise(
    path, value
):
    found = changed(3, *path, to=value)
    try:
        data = encode(1, found)
    except ValueError:
        raw = json.dumps(found).encode()
        with pytest.raises(Damaged):
            decode(framed(VERSION, 1, raw))
    else:
        assert decode(data).body == found


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b'{"a":' + b"9" * 1_000_000 + b"}",
        b'{"a":1e999}',
        b'{"a":NaN}',
        b'{"account":1,"account":2}',
        dump(body(1)).replace(b'"account"', b'"account":"x","account"'),
        b'"\\ud800"',
        b'{"a":"\xff"}',
    ],
    ids=["lists", "objects", "digits", "infinite", "nan", "twice", "twice in all", "half", "bytes"],
)
def test_fault_76_a_hostile_body_is_refused(raw):
    with pytest.raises(Damaged):
        decode(framed(VERSION, 1, raw))


def test_fault_76_a_gigabyte_is_not_read():
    asked = []

    class Large(FakeDisk):
        def read(self, path, *, limit, start=0):
            asked.append(limit)
            return b"x" * limit

    with pytest.raises(StateCorrupt, match="larger than"):
        read_document(Large(), DOCUMENT)
    assert max(asked) == LIMIT + 1


def test_fault_76_what_could_not_be_read_again_is_not_written():
    store = begun(FakeDisk())
    with pytest.raises(StateError, match="must stay within"):
        store.commit({**body(1), "user_state": json.dumps({"a": "x" * LIMIT})})
    with pytest.raises(StateError, match="invalid state"):
        store.commit({**body(1), "account": object()})


def test_what_is_no_json_is_not_dumped():
    endless: list = []
    endless.append(endless)
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    for value in ({1}, float("nan"), float("inf"), endless, deep):
        with pytest.raises(Damaged):
            dump(value)


def test_any_text_is_kept_exactly():
    for text in ("\ud800", "a\ud83d\ude00b", "\x00\x1b[31m", "\u2028", '"\\', "\U0001f600" * 9):
        found = changed(3, "state", "signal", "note", to=text)
        data = encode(1, found)
        assert decode(data).body["state"]["signal"]["note"] in (
            text,
            text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass"),
        )


def test_a_thousand_trades_and_ids_fit_and_one_more_does_not():
    found = body(1_100)
    found["state"]["ids"] = found["state"]["ids"][-1_000:]
    found["state"]["trades"] = [trade(i) for i in range(101, 1_101)]
    assert len(encode(1, found)) < 1 << 20
    found["state"]["trades"].insert(0, trade(100))
    with pytest.raises(ValueError, match="1000 items"):
        encode(1, found)
