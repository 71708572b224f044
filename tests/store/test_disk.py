"""The fake disk itself: what a cache shows, what a power loss leaves, what faults do."""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest

from tradenb.testing.world.fake_disk import Crash, FakeDisk, Operation

TOP = Path("/disk")
A, B = TOP / "a", TOP / "b"


@pytest.fixture
def disk() -> FakeDisk:
    made = FakeDisk()
    made.make_folder(TOP)
    made.sync_folder(TOP.parent)
    return made


def put(disk: FakeDisk, path: Path, data: bytes, *, sync: bool = False) -> None:
    handle = disk.create(path)
    disk.write(handle, data)
    if sync:
        disk.sync(handle)
    disk.close(handle)


def test_a_file_survives_when_both_its_bytes_and_its_name_were_synced(disk):
    put(disk, A, b"bytes", sync=True)
    lost, named, whole = disk.copy(), disk.copy(), disk.copy()
    lost.power_loss()
    assert lost.files() == {}
    named.sync_folder(TOP)
    named.power_loss()
    assert named.files() == {A: b"bytes"}
    whole.power_loss(metadata=1)
    assert whole.files() == {A: b"bytes"}


def test_a_name_without_its_bytes(disk):
    put(disk, A, b"bytes")
    disk.sync_folder(TOP)
    kept, torn = disk.copy(), set()
    disk.power_loss()
    assert disk.files() == {A: b""}
    for seed in range(50):
        trial = kept.copy()
        trial.power_loss(data=random.Random(seed))
        torn.add(trial.files()[A])
    kept.power_loss(data="kept")
    assert kept.files() == {A: b"bytes"}
    assert {b"", b"bytes"} < torn
    assert all(b"bytes".startswith(data) for data in torn)


def test_torn_data_may_have_holes(disk):
    data = bytes(range(1, 256)) * 20
    put(disk, A, data)
    disk.sync_folder(TOP)
    holes = 0
    for seed in range(30):
        trial = disk.copy()
        trial.power_loss(data=random.Random(seed))
        left = trial.files()[A]
        assert len(left) <= len(data)
        assert all(byte in (0, data[at]) for at, byte in enumerate(left))
        holes += left.strip(b"\0") != left and left.rstrip(b"\0") != b""
    assert holes


def test_changes_of_names_survive_in_order_or_in_any_choice(disk):
    put(disk, A, b"old", sync=True)
    disk.sync_folder(TOP)
    put(disk, B, b"new", sync=True)
    disk.replace(B, A)
    assert len(disk.pending) == 2
    seen = {}
    for chosen in ((), (0,), (1,), (0, 1)):
        trial = disk.copy()
        trial.power_loss(chosen)
        seen[chosen] = trial.files()
    assert seen == {
        (): {A: b"old"},
        (0,): {A: b"old", B: b"new"},
        (1,): {A: b"new"},
        (0, 1): {A: b"new"},
    }


def test_what_is_in_a_folder_that_did_not_survive_is_gone(disk):
    disk.make_folder(TOP / "inner")
    put(disk, TOP / "inner" / "a", b"bytes", sync=True)
    disk.sync_folder(TOP / "inner")
    disk.power_loss()
    assert disk.files() == {}
    assert disk.names(TOP) == []


def test_a_death_of_the_process_loses_nothing_that_was_written(disk):
    put(disk, A, b"bytes")
    disk.crash(at=0)
    with pytest.raises(Crash):
        disk.unlink(A)
    with pytest.raises(Crash):
        disk.files() and disk.read(A, limit=9)
    disk.restart()
    assert disk.read(A, limit=9) == b"bytes"


def test_a_crash_may_come_after_the_operation_or_in_the_middle_of_a_write(disk):
    put(disk, A, b"bytes")
    disk.crash(at=0, done=True)
    with pytest.raises(Crash):
        disk.unlink(A)
    disk.restart()
    assert disk.files() == {}
    disk.crash(at=1)
    with pytest.raises(Crash):
        put(disk, B, b"0123456789")
    disk.restart()
    assert disk.files() == {B: b"01234"}


def test_locks_and_handles_end_with_their_process(disk):
    disk.lock(A)
    handle = disk.create(B)
    with pytest.raises(BlockingIOError):
        disk.lock(A)
    disk.restart()
    disk.lock(A)
    with pytest.raises(OSError, match=r"Bad file"):
        disk.write(handle, b"")


def test_errors_once_for_ever_and_done_all_the_same(disk):
    disk.fail(1, errno.EIO)
    disk.exists(A)
    with pytest.raises(OSError, match=r"Input/output"):
        disk.exists(A)
    assert not disk.exists(A)
    disk.fail(0, errno.ENOSPC, forever=True)
    for _ in range(3):
        assert not disk.exists(A)
        with pytest.raises(OSError, match=r"No space") as caught:
            disk.create(A)
        assert caught.value.filename == str(A)
    disk.heal()
    disk.fail(0, errno.EIO, done=True)
    with pytest.raises(OSError, match=r"Input/output"):
        disk.create(A)
    assert disk.exists(A)


def test_a_full_disk_takes_half_of_a_write(disk):
    handle = disk.create(A)
    disk.fail(0, errno.ENOSPC)
    with pytest.raises(OSError, match=r"No space"):
        disk.write(handle, b"0123456789")
    assert disk.files() == {A: b"01234"}


def test_a_lying_disk(disk):
    handle = disk.create(A)
    disk.lie(0)
    disk.write(handle, b"bytes")
    assert disk.files() == {A: b"byte"}


def test_truncating_is_data_and_can_be_lost(disk):
    put(disk, A, b"0123456789", sync=True)
    disk.sync_folder(TOP)
    disk.truncate(A, 4)
    trial = disk.copy()
    trial.power_loss()
    assert trial.files() == {A: b"0123456789"}
    disk.power_loss(data="kept")
    assert disk.files() == {A: b"0123"}


def test_two_names_are_one_file_on_every_copy(disk):
    put(disk, A, b"one")
    disk.link(A, B)
    trial = disk.copy()
    handle = trial.append(B)
    trial.write(handle, b"two")
    assert trial.files() == {A: b"onetwo", B: b"onetwo"}
    assert disk.files() == {A: b"one", B: b"one"}


def test_a_disk_without_links(disk):
    disk = FakeDisk(links=False)
    disk.plant(A, b"")
    with pytest.raises(PermissionError):
        disk.link(A, B)


def test_planted_files_survive_and_removed_ones_do_not(disk):
    disk.plant(TOP / "x" / "y" / "z", b"1")
    disk.plant(TOP / "x" / "other", b"2")
    disk.power_loss()
    assert len(disk.files()) == 2
    disk.remove(TOP / "x" / "y")
    disk.power_loss(data="kept")
    assert disk.files() == {TOP / "x" / "other": b"2"}


def test_operations_are_listed(disk):
    put(disk, A, b"", sync=True)
    assert disk.operations[-4:] == [
        Operation("create", A),
        Operation("write", A),
        Operation("sync", A),
        Operation("close", A),
    ]
