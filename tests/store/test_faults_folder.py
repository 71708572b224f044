"""Faults 17, 18 and 20: what is missing beside the document, and what is too much."""

from __future__ import annotations

import errno

import pytest

from tests.store.life import Life, Memory
from tests.store.samples import BAK, DOCUMENT, HOME, KEY, body, row
from tests.store.stores import begun
from tradenb.errors import StateLocked, StateWriteError
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.document.read import decode
from tradenb.store.journal.event_journal import Journal
from tradenb.store.lock import FileLock
from tradenb.store.view_files import behind, run_views
from tradenb.testing.world.fake_disk import FakeDisk


def test_fault_17_a_folder_that_was_deleted_is_made_again():
    disk, memory = FakeDisk(), Memory()
    life = Life(disk, memory)
    life.tick()
    disk.remove(HOME.data)
    committed = life.store.commit(body(2, [row(1), row(2)]))
    assert committed.renewed
    assert committed.seq == 2
    assert life.lock.held
    disk.power_loss(0)
    assert begun(disk).seq == 2
    assert Journal(disk, HOME.journal(KEY)).append([row(1), row(2)]) == 2


def test_fault_17_a_folder_that_was_deleted_is_made_again_without_a_lock_too():
    disk = FakeDisk()
    store = begun(disk)
    store.commit(body(1))
    disk.remove(HOME.data)
    assert store.commit(body(2)).renewed
    disk.power_loss(0)
    assert begun(disk).seq == 2


def test_fault_17_a_folder_that_is_moved_away_and_back_is_gone_on_with():
    disk = FakeDisk()
    store = begun(disk)
    store.commit(body(1))
    document = disk.files()[DOCUMENT]
    disk.remove(HOME.data)
    disk.fail(0, errno.EROFS, forever=True)
    with pytest.raises(StateWriteError):
        store.commit(body(2))
    disk.heal()
    disk.plant(DOCUMENT, document)
    assert store.commit(body(2)) == (2, True, False)


def test_fault_17_a_folder_that_another_run_has_taken_over_is_left_to_it():
    disk = FakeDisk()
    first = FileLock(disk, HOME.lock(KEY))
    first.acquire()
    store = DocumentStore(disk, DOCUMENT, guard=first.assure)
    store.load()
    store.commit(body(1))
    disk.remove(HOME.state)
    second = FileLock(disk, HOME.lock(KEY))
    second.acquire()
    with pytest.raises(StateLocked):
        store.commit(body(2))
    assert DOCUMENT not in disk.files()
    second.release()
    assert store.commit(body(2)).renewed


def test_fault_18_ten_thousand_leftovers_are_swept_and_nobody_elses():
    disk = FakeDisk()
    store = begun(disk)
    store.commit(body(1))
    others = DOCUMENT.with_name("ETHUSDT.json.7-1.tmp")
    for path in [others, *(DOCUMENT.with_name(f"{DOCUMENT.name}.7-{i}.tmp") for i in range(300))]:
        handle = disk.create(path)
        disk.close(handle)
    found = DocumentStore(disk, DOCUMENT).load()
    assert found.swept == 300
    assert sorted(disk.files()) == sorted([DOCUMENT, others])


def test_fault_18_a_sweep_has_a_bound(monkeypatch):
    monkeypatch.setattr("tradenb.store.document.load._MOST_LEFTOVERS", 10)
    disk = FakeDisk()
    begun(disk).commit(body(1))
    for i in range(25):
        disk.close(disk.create(DOCUMENT.with_name(f"{DOCUMENT.name}.7-{i}.tmp")))
    assert [DocumentStore(disk, DOCUMENT).load().swept for _ in range(4)] == [10, 10, 5, 0]


def test_fault_18_leftovers_in_the_way_of_a_commit_are_passed_by():
    disk = FakeDisk()
    store = begun(disk, pid=7)
    for i in range(1, 30):
        disk.plant(DOCUMENT.with_name(f"{DOCUMENT.name}.7-{i}.tmp"), b"half a doc")
    disk.plant(BAK.with_name(f"{BAK.name}.tmp"), b"half a bak")
    store.commit(body(1))
    store.commit(body(2))
    assert decode(disk.files()[BAK]).body == body(1)


def test_a_commit_finds_a_free_name_or_gives_up():
    disk = FakeDisk()
    store = begun(disk, pid=7)
    for i in range(1, 250):
        disk.plant(DOCUMENT.with_name(f"{DOCUMENT.name}.7-{i}.tmp"), b"")
    for _ in range(2):
        with pytest.raises(StateWriteError, match="no free name"):
            store.commit(body(1))
    assert store.commit(body(1)).seq == 1


def test_fault_20_views_that_a_crash_left_behind_are_seen_and_rebuilt():
    disk, memory = FakeDisk(), Memory()
    Life(disk, memory).tick()
    paths = list(run_views(HOME.views(KEY), begun(disk).load().generation))
    assert len(paths) == 3
    for path in paths:
        for damaged in (b"", b"{", b'{"seq": 0}\n'):
            disk.restart()
            disk.plant(path, damaged)
            views = run_views(HOME.views(KEY), begun(disk).load().generation)
            assert list(behind(disk, views)) == [path]
            Life(disk, memory)
            assert not behind(disk, views)
