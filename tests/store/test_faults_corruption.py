"""Faults 10 to 13, 19, 29 and 76: bytes that are not what was written, or were by somebody else."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.life import Life, Memory, live
from tests.store.samples import (
    BAK,
    DOCUMENT,
    HOME,
    KEY,
    T0,
    body,
    changed,
    row,
    signal,
    state,
    trade,
)
from tradenb.errors import StateCorrupt, StateError, StateVersionError
from tradenb.store.codec import LIMIT, Generation, decode, encode, framed
from tradenb.store.document import DocumentStore
from tradenb.store.migrations import VERSION
from tradenb.store.paths import Key
from tradenb.store.reading import read_document
from tradenb.store.strict import Damaged, dump
from tradenb.testing.disk import Crash, FakeDisk

DAMAGED = {
    "empty": b"",
    "null": b"null",
    "object": b"{}",
    "byte order mark": b"\xef\xbb\xbf" + encode(1, body(1)),
    "zeros": bytes(4096),
    "cut off": encode(1, body(1))[:-7],
    "twice": encode(1, body(1)) * 2,
    "pretty": json.dumps(json.loads(encode(1, body(1))), indent=1).encode(),
    "no text": b"\xff\xfe\x00",
}


def begun(disk: FakeDisk, *, pid: int = 1) -> DocumentStore:
    store = DocumentStore(disk, DOCUMENT, pid=pid)
    store.load()
    return store


def two_generations() -> FakeDisk:
    disk = FakeDisk()
    store = begun(disk)
    store.commit(body(1))
    store.commit(body(2))
    return disk


def test_a_document_is_one_line_of_json_in_the_promised_form():
    data = encode(7, body(2))
    found = json.loads(data)
    assert list(found) == ["format", "v", "seq", "crc", "body"]
    assert found["format"] == "tradenb-state"
    assert (found["v"], found["seq"], found["body"]) == (VERSION, 7, body(2))
    assert decode(data) == Generation(7, body(2), VERSION)


def test_fault_10_every_flipped_bit_is_noticed():
    data = encode(7, body(2))
    for at in range(len(data)):
        for bit in (0, 3, 7):
            flipped = bytearray(data)
            flipped[at] ^= 1 << bit
            with pytest.raises(Damaged):
                decode(bytes(flipped))


def test_fault_10_a_flipped_bit_leads_to_the_generation_before_and_deletes_nothing():
    whole = two_generations().files()[DOCUMENT]
    chance = random.Random(10)
    for _ in range(40):
        disk = two_generations()
        flipped = bytearray(whole)
        flipped[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        disk.plant(DOCUMENT, bytes(flipped))
        store = DocumentStore(disk, DOCUMENT, pid=4)
        found = store.load()
        assert found.generation is not None
        assert found.generation.body == body(1)
        (moved,) = found.moved
        assert moved.path == DOCUMENT
        assert moved.to.name.startswith("BTCUSDT.json.corrupt-")
        assert moved.to.name.endswith("-4")
        assert disk.files()[moved.to] == bytes(flipped)
        store.commit(body(2))
        assert begun(disk).seq == 2


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_fault_11_what_is_no_document_is_moved_aside(data):
    disk = two_generations()
    disk.plant(DOCUMENT, data)
    found = DocumentStore(disk, DOCUMENT).load()
    assert found.seq == 1
    assert disk.files()[found.moved[0].to] == data


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
        with pytest.raises(StateError, match="makes no sense"):
            begun(FakeDisk()).commit(found)


def test_fault_12_the_body_of_the_table_is_a_good_one():
    assert decode(framed(VERSION, 1, dump(body(3)))).body == body(3)


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


@settings(max_examples=300)
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


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_fault_11_any_bytes_at_all(data):
    for bytes_ in (data, framed(VERSION, 3, data)):
        with pytest.raises(Damaged):
            decode(bytes_)


def test_fault_13_both_generations_damaged_is_said_and_nothing_begins_by_itself():
    disk = two_generations()
    disk.plant(DOCUMENT, b"damaged")
    disk.plant(BAK, framed(VERSION, 1, dump(changed(3, "state", "every", to=7))))
    store = DocumentStore(disk, DOCUMENT, pid=5)
    with pytest.raises(StateCorrupt, match="tradenb doctor --accept FILE") as caught:
        store.load()
    assert caught.value.path == str(DOCUMENT)
    assert caught.value.moved_to == f"{DOCUMENT}.corrupt-0-5"
    assert sorted(path.name for path in disk.files()) == [
        "BTCUSDT.json.bak.corrupt-1-5",
        "BTCUSDT.json.corrupt-0-5",
    ]
    with pytest.raises(StateError, match="load"):
        store.commit(body(1))
    with pytest.raises(StateCorrupt, match="no valid generation left"):
        DocumentStore(disk, DOCUMENT).load()


def test_fault_13_a_generation_that_the_user_chooses_is_put_in_force():
    disk = two_generations()
    mended = json.loads(disk.files()[DOCUMENT])
    mended["body"]["account"] = "mended by hand"
    disk.plant(DOCUMENT, b"damaged")
    disk.plant(BAK, b"damaged too")
    chosen = DOCUMENT.with_name("mended")
    disk.plant(chosen, json.dumps(mended, indent=2).encode())
    store = DocumentStore(disk, DOCUMENT)
    with pytest.raises(StateCorrupt):
        store.load()
    committed = store.accept(chosen)
    assert committed.seq == 3
    disk.power_loss(0)
    assert begun(disk).load().generation.body["account"] == "mended by hand"
    assert chosen in disk.files()


def test_accepting_keeps_what_was_in_force_and_numbers_after_it():
    disk = FakeDisk()
    store = begun(disk)
    for n in range(1, 6):
        store.commit(body(n))
    disk.plant(DOCUMENT.with_name("old"), encode(2, body(2)))
    before = disk.files()[DOCUMENT]
    store.accept(DOCUMENT.with_name("old"))
    assert begun(disk).seq == 6
    assert disk.files()[DOCUMENT.with_name("BTCUSDT.json.replaced-5-1")] == before


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "is not there"),
        (b"nothing", "no JSON"),
        (b"[]", "no document"),
        (b'{"format":"tradenb-state","v":"1","seq":1}', "whole numbers"),
        (encode(1, {**body(1), "outbox": []}).replace(b"BTCUSDT", b"ETHUSDT"), "ETHUSDT:dip"),
        (b'{"format":"tradenb-state","v":1,"seq":1,"body":' + b"[" * 99_999, "nested"),
    ],
)
def test_only_a_generation_of_this_run_can_be_accepted(data, words):
    disk = two_generations()
    file = DOCUMENT.with_name("chosen")
    if data is not None:
        disk.plant(file, data)
    before = disk.files()
    with pytest.raises(StateError, match=words):
        begun(disk).accept(file)
    assert disk.files() == before


# --- versions


def released(body_: dict) -> dict:
    """How version 0 would have written it."""
    old = {**body_, "exchange_name": body_["exchange"]}
    del old["exchange"]
    return old


def to_1(old: dict) -> dict:
    new = {**old, "exchange": old["exchange_name"]}
    del new["exchange_name"]
    return new


def test_fault_19_an_older_version_is_migrated_and_written_anew_by_the_next_commit():
    disk = FakeDisk()
    disk.plant(DOCUMENT, framed(0, 41, dump(released(body(4)))))
    store = DocumentStore(disk, DOCUMENT, migrations={0: to_1})
    found = store.load()
    assert found.generation == Generation(41, body(4), 0)
    assert decode(disk.files()[DOCUMENT], migrations={0: to_1}).version == 0
    store.commit(body(5))
    assert decode(disk.files()[DOCUMENT]) == Generation(42, body(5), 1)
    assert decode(disk.files()[BAK], migrations={0: to_1}).version == 0


def test_fault_19_killed_while_an_old_state_is_taken_over():
    for at in range(40):
        disk = FakeDisk()
        disk.plant(DOCUMENT, framed(0, 41, dump(released(body(4)))))
        disk.crash(at)
        try:
            store = DocumentStore(disk, DOCUMENT, migrations={0: to_1})
            store.load()
            store.commit(body(5))
        except Crash:
            disk.power_loss(at % 3 % (len(disk.pending) + 1), "kept" if at % 2 else "lost")
        disk.restart()
        found = DocumentStore(disk, DOCUMENT, migrations={0: to_1}).load()
        assert not found.moved
        assert (found.seq, found.generation.body) in [(41, body(4)), (42, body(5))]


def test_fault_19_versions_that_never_were_are_damage():
    for version, data in [(0, dump(released(body(4)))), (1, dump(released(body(4))))]:
        with pytest.raises(Damaged):
            decode(framed(version, 1, data))
    with pytest.raises(Damaged, match="no body of version 0"):
        decode(framed(0, 1, b"{}"), migrations={0: to_1})


@pytest.mark.parametrize("which", [DOCUMENT, BAK])
def test_fault_19_a_newer_version_is_refused_and_nothing_touched(which):
    disk = two_generations()
    disk.plant(which, framed(VERSION + 1, 9, b'{"what":"ever"}'))
    other = BAK if which == DOCUMENT else DOCUMENT
    disk.plant(other, b"damaged")
    before = disk.files()
    with pytest.raises(StateVersionError, match=f"{which}.*newer tradenb.*update"):
        begun(disk)
    with pytest.raises(StateVersionError):
        read_document(disk, DOCUMENT)
    assert disk.files() == before


def test_fault_19_the_released_versions_are_read(repository):
    folder = repository / "tests" / "store" / "golden"
    assert sorted(path.name for path in folder.iterdir()) == [f"v{VERSION}.json"]
    assert decode((folder / "v1.json").read_bytes()) == Generation(5, body(5), 1)
    assert encode(5, body(5)) == (folder / "v1.json").read_bytes()


# --- somebody else


def test_fault_29_a_document_that_somebody_else_wrote_is_not_written_over():
    disk = two_generations()
    store = begun(disk)
    theirs = encode(3, changed(3, "account", to="theirs"))
    disk.plant(DOCUMENT, theirs)
    before = disk.files()
    for _ in range(2):
        with pytest.raises(StateError, match="somebody else wrote it") as caught:
            store.commit(body(3))
        assert not caught.value.retryable
    assert {path: data for path, data in disk.files().items() if ".tmp" not in path.name} == before
    disk.plant(DOCUMENT, before[BAK])
    with pytest.raises(StateError, match="somebody else"):
        store.commit(body(3))


def test_fault_29_the_user_may_let_ours_win_and_theirs_is_kept():
    disk = two_generations()
    store = begun(disk)
    theirs = encode(30, changed(3, "account", to="theirs"))
    disk.plant(DOCUMENT, theirs)
    with pytest.raises(StateError):
        store.commit(body(3))
    kept = store.keep_ours()
    assert kept is not None
    assert disk.files()[kept] == theirs
    assert store.commit(body(3)).seq == 31
    assert begun(disk).load().generation.body == body(3)


def test_fault_29_the_user_may_let_theirs_win():
    disk = two_generations()
    store = begun(disk)
    disk.plant(DOCUMENT, encode(3, changed(3, "account", to="theirs")))
    with pytest.raises(StateError):
        store.commit(body(3))
    assert store.load().generation.body["account"] == "theirs"
    assert store.commit(body(4)).seq == 4


def test_fault_29_a_document_copied_to_another_name_is_damage_there():
    disk = two_generations()
    other = HOME.document(Key("dip", "ETHUSDT"))
    disk.plant(other, disk.files()[DOCUMENT])
    with pytest.raises(StateCorrupt, match="state of BTCUSDT:dip, under the name of ETHUSDT:dip"):
        DocumentStore(disk, other).load()


def test_the_newer_generation_wins_wherever_it_stands():
    disk = FakeDisk()
    disk.plant(DOCUMENT, encode(3, body(3)))
    disk.plant(BAK, encode(4, body(4)))
    store = DocumentStore(disk, DOCUMENT)
    assert store.load().seq == 4
    for at in range(40):
        trial = disk.copy()
        trial.crash(at)
        live(trial, Memory(), 1)
        trial.restart()
        assert begun(trial).seq >= 4
    store.commit(body(5))
    assert begun(disk).seq == 5


# --- hostile


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
    with pytest.raises(StateError, match="makes no sense"):
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


def test_reading_without_the_lock_finds_the_newest_valid_generation():
    disk = FakeDisk()
    assert read_document(disk, DOCUMENT) is None
    disk = two_generations()
    assert read_document(disk, DOCUMENT) == Generation(2, body(2), 1)
    disk.plant(DOCUMENT, b"damaged")
    assert read_document(disk, DOCUMENT) == Generation(1, body(1), 1)
    disk.plant(BAK, b"damaged too")
    before = disk.files()
    with pytest.raises(StateCorrupt, match="damaged"):
        read_document(disk, DOCUMENT)
    assert disk.files() == before


def test_a_start_after_a_quarantine_goes_on_from_the_generation_before():
    disk, memory = FakeDisk(), Memory()
    live(disk, memory, 3)
    disk.plant(DOCUMENT, b"damaged")
    life = Life(disk, memory)
    assert life.n == 2
    life.tick()
    disk.restart()
    assert Life(disk, memory).n == 3
    assert KEY == ("dip", "BTCUSDT")
