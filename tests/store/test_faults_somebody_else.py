"""Fault 29: a document that somebody else wrote while the run held it."""

from __future__ import annotations

import pytest

from tests.store.life import Memory, live
from tests.store.samples import (
    BAK,
    DOCUMENT,
    HOME,
    body,
    changed,
)
from tests.store.stores import begun, two_generations
from tradenb.errors import StateCorrupt, StateError
from tradenb.store.codec import encode
from tradenb.store.document import DocumentStore
from tradenb.store.paths import Key
from tradenb.testing.disk import FakeDisk


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
