"""A quick look at a document shows what a full look does, and leaves what is odd to it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.store.samples import body
from tradenb.errors import StateCorrupt
from tradenb.store import codec
from tradenb.store.codec import Damaged
from tradenb.store.document.glance import glance
from tradenb.store.document.migrations import VERSION
from tradenb.store.document.plain_record import record_of
from tradenb.store.paths import Home, Key, bak_of
from tradenb.testing.world.fake_disk import FakeDisk

HOME = Home(Path("/home"))


def planted(*seqs: int) -> tuple[FakeDisk, Path]:
    """Return a disk with a document of the first number, and before it one of the second."""
    disk, made = FakeDisk(), body(1)
    path = HOME.document(Key(made["strategy"], made["symbol"]))
    for name, seq in zip((path, bak_of(path)), seqs, strict=False):
        disk.plant(name, codec.encode(VERSION, seq, body(seq)))
    return disk, path


def cursor_of(found):
    return found["state"]["cursor"]


def test_the_document_is_shown_and_nothing_where_there_is_none():
    disk, path = planted(3, 2)
    assert glance(disk, path, cursor_of) == body(3)["state"]["cursor"]
    assert glance(*planted(), cursor_of) is None


def test_a_generation_before_it_that_is_newer_wins_as_it_does_for_a_run():
    assert glance(*planted(2, 5), cursor_of) == body(5)["state"]["cursor"]


def test_a_damaged_document_is_followed_by_the_one_before_it_and_else_by_words():
    disk, path = planted(3, 2)
    disk.plant(path, b"half")
    assert glance(disk, path, cursor_of) == body(2)["state"]["cursor"]
    disk.plant(bak_of(path), b"")
    with pytest.raises(StateCorrupt, match="not a document of a run"):
        glance(disk, path, cursor_of)


def test_a_whole_document_without_its_fields_is_told_by_the_full_check():
    disk, path = planted(3)
    poor = {name: value for name, value in body(3).items() if name != "state"}
    disk.plant(path, codec.framed(VERSION, 3, codec.dump(poor)))
    with pytest.raises(StateCorrupt, match="state: Field required"):
        glance(disk, path, cursor_of)


class Part(NamedTuple):
    price: Decimal
    note: str | None = None


class Whole(NamedTuple):
    at: int
    parts: tuple[Part, ...] = ()
    share: float = 0.0
    on: bool = False


def test_a_record_is_made_of_what_its_own_types_say():
    given = {"at": 3, "parts": [{"price": "0.10"}], "share": 1, "on": True, "of later": 1}
    made = Whole(3, (Part(Decimal("0.10")),), 1.0, on=True)
    assert record_of(Whole, given) == made


@pytest.mark.parametrize(
    "given",
    [
        [], {}, {"at": "3"}, {"at": True}, {"at": 3.0}, {"at": 3, "share": "1"}, {"at": 3, "on": 1},
        {"at": 3, "parts": {}}, {"at": 3, "parts": [1]}, {"at": 3, "parts": [{"price": 1.0}]},
        {"at": 3, "parts": [{"price": "NaN"}]},
        {"at": 3, "parts": [{"price": "1", "note": "\ud800"}]},
    ],
)  # fmt: skip
def test_what_is_of_another_type_is_no_record(given):
    with pytest.raises(Damaged):
        record_of(Whole, given)
