"""Fault 19: documents of older and newer versions."""

from __future__ import annotations

import pytest

from tests.store.samples import (
    BAK,
    DOCUMENT,
    body,
)
from tests.store.stores import begun, two_generations
from tradenb.core.rules import Rules
from tradenb.errors import StateVersionError
from tradenb.store.codec import Damaged, Generation, dump, framed
from tradenb.store.document.commit import encode
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.document.migrations import VERSION
from tradenb.store.document.read import decode, read_document
from tradenb.testing.world.fake_disk import Crash, FakeDisk


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
    with pytest.raises(Damaged, match="not a body of version 0"):
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
    names = [f"v{VERSION}.json", f"v{VERSION}_rules.json"]
    assert sorted(path.name for path in folder.iterdir()) == names
    ruled = {**body(6), "rules": Rules().model_dump(mode="json")}
    for name, seq, expected in zip(names, (5, 6), (body(5), ruled), strict=True):
        assert decode((folder / name).read_bytes()) == Generation(seq, expected, 1)
        assert encode(seq, expected) == (folder / name).read_bytes()


def test_rules_that_cannot_be_are_damage_and_are_named():
    for rules, words in [
        ({"fee_percent": -1.0}, "fee_percent: .* greater than or equal to 0"),
        ({"fees": 1.0}, "unknown rule 'fees'"),
        ([], "rules"),
    ]:
        with pytest.raises(Damaged, match=words):
            decode(framed(1, 5, dump({**body(5), "rules": rules})))
