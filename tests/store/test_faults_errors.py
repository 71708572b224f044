"""Faults 7 and 8: the disk refuses, at every call, once or for good."""

from __future__ import annotations

import errno

import pytest

from tests.store.ends import TICKS, WithoutLinks, operations
from tests.store.life import Life, Memory, check, live
from tests.store.samples import DOCUMENT, HOME, KEY, body
from tests.store.stores import begun
from tradenb.errors import StateCorrupt, StateError, StateWriteError
from tradenb.store.document.read import decode
from tradenb.testing.world.fake_disk import FakeDisk


def started(disk: FakeDisk, memory: Memory) -> Life:
    """Start, as often as it takes: a start that fails is tried again."""
    for _ in range(3):
        try:
            return Life(disk, memory)
        except StateCorrupt:
            raise
        except StateError:
            disk.restart()
    raise AssertionError("it does not start")


def lives_through(disk: FakeDisk, memory: Memory) -> None:
    """Tick until all is done, in one process; the loop stays alive."""
    life = started(disk, memory)
    for _ in range(TICKS + 3):
        if memory.acked < TICKS:
            try:
                life.tick()
            except StateWriteError:
                continue
    life.flush()
    assert memory.acked == life.n >= TICKS


@pytest.mark.parametrize(
    ("make", "done"), [(FakeDisk, False), (FakeDisk, True), (WithoutLinks, False)]
)
def test_fault_07_an_error_at_any_call_is_survived_by_the_loop(make, done):
    for at in range(0, operations(make), 2 if make is WithoutLinks else 1):
        disk, memory = make(), Memory()
        disk.fail(at, errno.EIO, done=done)
        lives_through(disk, memory)
        disk.restart()
        check(disk, memory)


def test_fault_07_an_error_and_then_a_power_loss():
    for at in range(0, operations(), 2):
        disk, memory = FakeDisk(), Memory()
        disk.fail(at, errno.EIO, done=at % 4 == 0)
        live(disk, memory, TICKS)
        disk.power_loss(0)
        check(disk, memory)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS], ids=errno.errorcode.get)
def test_fault_08_a_full_disk_stops_nothing_and_heals_by_itself(error):
    for at in range(20, operations(), 3):
        disk, memory = FakeDisk(), Memory()
        life = Life(disk, memory)
        disk.fail(at, error, forever=True)
        refused = 0
        for _ in range(6):
            try:
                life.tick()
            except StateWriteError:
                refused += 1
            assert len(memory.announced) <= memory.acked, "announced what is not on disk"
        assert refused
        disk.heal()
        life.tick()
        assert memory.acked == life.n
        disk.restart()
        check(disk, memory)


def test_fault_08_every_generation_in_force_is_named_in_the_error():
    disk = FakeDisk()
    store = begun(disk)
    store.commit(body(1))
    disk.fail(0, errno.ENOSPC, forever=True)
    with pytest.raises(StateWriteError, match=r"No space left.*generation 1 is in force") as caught:
        store.commit(body(2))
    assert caught.value.retryable
    assert store.seq == 1


def test_an_error_after_the_replace_leaves_open_which_one_is_in_force():
    """The replace fails, and the disk does not even say whether it happened."""
    for happened in (True, False):
        disk = FakeDisk()
        store = begun(disk)
        store.commit(body(1))
        at = replace_of_document(disk)
        disk.fail(at, errno.EIO, done=happened)
        disk.fail(at + 1, errno.EIO)
        with pytest.raises(StateWriteError, match="generation 1 or the one after it is in force"):
            store.commit(body(2))
        assert store.commit(body(2)).seq == (3 if happened else 2)
        assert decode(disk.files()[DOCUMENT]).body == body(2)


def replace_of_document(disk: FakeDisk) -> int:
    """Return how many operations a commit has before it replaces the document."""
    trial = disk.copy()
    store = begun(trial)
    first = len(trial.operations)
    store.commit(body(2))
    names = [(item.name, item.path) for item in trial.operations[first:]]
    made = sum(
        name in ("make_folder", "exists") or path in HOME.document(KEY).parents
        for name, path in names[: names.index(("replace", DOCUMENT))]
    )
    return names.index(("replace", DOCUMENT)) - made


def test_a_failed_sync_of_the_folder_is_a_commit_that_may_not_be_announced():
    disk = FakeDisk()
    store = begun(disk)
    store.commit(body(1))
    disk.fail(replace_of_document(disk) + 1, errno.EIO)
    assert store.commit(body(2)) == (2, False, False)
    disk.power_loss(0)
    assert begun(disk).seq == 1


def test_a_failed_sync_is_never_tried_again_on_the_same_file():
    synced: list[int] = []

    class Counting(FakeDisk):
        def sync(self, handle: int) -> None:
            synced.append(handle)
            super().sync(handle)

    disk, memory = Counting(), Memory()
    life = Life(disk, memory)
    for at in range(60):
        disk.heal()
        disk.fail(at % 31, errno.EIO)
        try:
            life.tick()
        except StateWriteError:
            continue
    assert len(synced) == len(set(synced)), "a descriptor was synced twice"
