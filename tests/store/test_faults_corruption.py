"""Faults 10, 11, 13: bytes that are not what was written."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from tests.store.life import Life, Memory, live
from tests.store.samples import (
    BAK,
    DOCUMENT,
    KEY,
    body,
    changed,
)
from tests.store.stores import begun, two_generations
from tradenb.errors import StateCorrupt, StateError
from tradenb.store.codec import Damaged, Generation, dump, framed
from tradenb.store.document.commit import encode
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.document.migrations import VERSION
from tradenb.store.document.read import decode, read_document
from tradenb.testing.world.fake_disk import FakeDisk

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


@settings(max_examples=examples(200))
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
        (None, "does not exist"),
        (b"nothing", "not JSON"),
        (b"[]", "not a document"),
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


def test_reading_without_the_lock_finds_the_newest_valid_generation():
    disk = FakeDisk()
    assert read_document(disk, DOCUMENT) is None
    disk = two_generations()
    assert read_document(disk, DOCUMENT) == Generation(2, body(2), 2)
    disk.plant(DOCUMENT, b"damaged")
    assert read_document(disk, DOCUMENT) == Generation(1, body(1), 2)
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
