"""Fault 29: a document that somebody else wrote while the run held it."""

from __future__ import annotations

import contextlib

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
from tradenb.errors import StateConflict, StateCorrupt, StateError
from tradenb.store.document.commit import encode
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.document.read import decode
from tradenb.store.document.state_conflict import ours_of
from tradenb.store.paths import Key
from tradenb.testing.world.fake_disk import Crash, FakeDisk


def test_fault_29_a_document_that_somebody_else_wrote_is_not_written_over():
    disk = two_generations()
    store = begun(disk)
    theirs = encode(3, changed(3, "account", to="theirs"))
    disk.plant(DOCUMENT, theirs)
    before = disk.files()
    for _ in range(2):
        with pytest.raises(StateError, match="another program wrote it") as caught:
            store.commit(body(3))
        assert not caught.value.retryable
    files = {path: data for path, data in disk.files().items() if ".tmp" not in path.name}
    (ours,) = set(files) - set(before)  # what was in force is kept, once
    assert ".ours-2-" in ours.name
    assert decode(files.pop(ours)).body == body(2)
    assert files == before
    disk.plant(DOCUMENT, before[BAK])
    with pytest.raises(StateError, match="another program"):
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
    assert ours_of(disk, DOCUMENT) == []


def test_fault_29_the_user_may_let_theirs_win():
    disk = two_generations()
    store = begun(disk)
    disk.plant(DOCUMENT, encode(3, changed(3, "account", to="theirs")))
    with pytest.raises(StateError):
        store.commit(body(3))
    with pytest.raises(StateConflict, match=r"tradenb resolve BTCUSDT:dip"):
        store.load()
    assert store.take_theirs().generation.body["account"] == "theirs"
    assert store.commit(body(4)).seq == 4
    (kept,) = [path for path in disk.files() if ".replaced-" in path.name]
    assert decode(disk.files()[kept]).body == body(2)


@pytest.mark.parametrize("decision", ["keep_ours", "take_theirs"])
def test_fault_29_a_crash_while_it_is_decided_leaves_the_decision_open(decision):
    """A crash at any step leaves it undecided, or decided; both states are on disk either way."""
    ends = set()
    for at in range(60):
        disk = two_generations()
        store = begun(disk)
        disk.plant(DOCUMENT, encode(3, changed(3, "account", to="theirs")))
        with pytest.raises(StateConflict):
            store.commit(body(3))
        disk.crash(at)
        done = False
        with contextlib.suppress(Crash):
            getattr(store, decision)()
            store.commit(body(4))
            done = True
        disk.restart()
        files = disk.files().items()
        held = [decode(data).body for path, data in files if ".tmp" not in path.name]
        assert changed(3, "account", to="theirs") in held
        # Ours of before is kept, until the next commit replaces it as it replaces any other.
        assert (body(4) if done and decision == "keep_ours" else body(2)) in held
        try:
            ends.add(DocumentStore(disk, DOCUMENT).load().generation.body["account"])
        except StateConflict:
            ends.add("undecided")
            assert body(2) in held
    assert "undecided" in ends
    assert len(ends) > 1


def test_fault_29_a_document_copied_to_another_name_is_damage_there():
    disk = two_generations()
    other = HOME.document(Key("dip", "ETHUSDT"))
    disk.plant(other, disk.files()[DOCUMENT])
    with pytest.raises(StateCorrupt, match="state of BTCUSDT:dip, under the name of ETHUSDT:dip"):
        DocumentStore(disk, other).load()


def test_a_document_that_was_damaged_under_the_run_is_nobody_s_and_written_anew():
    disk = two_generations()
    store = begun(disk)
    disk.plant(DOCUMENT, disk.files()[DOCUMENT][:100])
    committed = store.commit(body(3))
    assert (committed.renewed, begun(disk).load().generation.body) == (True, body(3))
    (kept,) = [path for path in disk.files() if ".corrupt-" in path.name]
    assert len(disk.files()[kept]) == 100
    assert store.commit(body(4)).renewed is False


def test_a_generation_that_was_loaded_is_not_lost_to_a_power_loss_after_it():
    """It may be there by a rename alone that no sync has made durable: its writer died."""
    renamed = 0
    for at in range(40):
        disk = two_generations()
        store = begun(disk)
        disk.crash(at)
        with contextlib.suppress(Crash):
            store.commit(body(3))
        disk.restart()
        loaded = begun(disk).seq
        renamed += loaded == 3
        disk.power_loss()
        assert begun(disk).seq == loaded
    assert 0 < renamed < 40


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


def test_what_had_come_furthest_is_the_last_however_many_digits_its_number_has():
    disk = FakeDisk()
    for name in (".ours-10-7", ".ours-9-8", ".ours-x", ".replaced-11-7"):
        disk.plant(DOCUMENT.with_name(DOCUMENT.name + name), b"{}")
    found = [path.name.removeprefix(DOCUMENT.name) for path in ours_of(disk, DOCUMENT)]
    assert found == [".ours-x", ".ours-9-8", ".ours-10-7"]
