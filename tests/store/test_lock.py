"""Locks: faults 25, 26 and 30; who holds one is said, and death frees it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.store.samples import HOME, KEY
from tradenb.errors import StateError, StateLocked
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.lock import FileLock, Holder, holder_of
from tradenb.store.paths import Home
from tradenb.testing.world.fake_disk import FakeDisk

HOLDS = """
import os, sys
from pathlib import Path
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.lock import FileLock
lock = FileLock(DiskFilesystem(), Path(sys.argv[1]), started=1_700_000_040_000)
lock.acquire()
"""
SAYS_SO = "print('held', flush=True)\nsys.stdin.readline()\n"
# The child lives on until its input ends, which the test holds open.
FORKS = """
ready, child = os.pipe()
if os.fork() == 0:
    os.write(child, b"x")
    os.read(int(sys.argv[2]), 1)
    os._exit(0)
os.read(ready, 1)
"""
SPAWNS = """
import subprocess
subprocess.Popen(["cat"], stdin=int(sys.argv[2]))
"""


class Other:
    """A process that holds a lock until it is told or killed."""

    def __init__(self, path, extra: str = "") -> None:
        self.kept, given = os.pipe()
        os.set_inheritable(self.kept, True)
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDS + extra + SAYS_SO, str(path), str(self.kept)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[self.kept],
        )
        self.given = given
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"held\n"

    def __enter__(self) -> Other:
        return self

    def __exit__(self, *reason: object) -> None:
        os.close(self.given)
        os.close(self.kept)
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def path(tmp_path):
    return Home(tmp_path).lock(KEY)


def mine(path) -> FileLock:
    return FileLock(DiskFilesystem(), path, started=5)


def test_fault_26_a_second_process_is_told_who_holds_it_and_disturbs_nobody(path):
    with Other(path) as other:
        with pytest.raises(StateLocked, match="2023-11-14 22:14 UTC") as caught:
            mine(path).acquire()
        assert caught.value.pid == other.process.pid
        assert caught.value.host == os.uname().nodename
        assert caught.value.retryable
        assert str(other.process.pid) in str(caught.value)
        assert "BTCUSDT.json" in str(caught.value)
        assert holder_of(DiskFilesystem(), path).pid == other.process.pid
    with mine(path) as lock_:
        assert lock_.held
        assert holder_of(DiskFilesystem(), path) == Holder(os.getpid(), os.uname().nodename, 5)


def test_fault_26_the_same_process_is_told_as_well(path):
    with mine(path), pytest.raises(StateLocked) as caught:
        mine(path).acquire()
    assert caught.value.pid == os.getpid()
    with mine(path) as lock_, pytest.raises(StateLocked):
        lock_.acquire()


def test_fault_30_a_frozen_holder_holds_on(path):
    with Other(path) as other:
        other.process.send_signal(signal.SIGSTOP)
        with pytest.raises(StateLocked):
            mine(path).acquire()
        other.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("extra", [FORKS, SPAWNS], ids=["fork", "spawn"])
def test_fault_25_a_living_child_does_not_keep_the_lock_of_its_dead_parent(path, extra):
    with Other(path, extra) as other:
        other.process.send_signal(signal.SIGKILL)
        other.process.wait()
        with mine(path) as lock_:
            assert lock_.held


def test_fault_25_without_the_hook_a_living_child_would_keep_it(path):
    forget = "import tradenb.store.lock\ntradenb.store.lock._held.clear()\n"
    with Other(path, forget + FORKS) as other:
        other.process.send_signal(signal.SIGKILL)
        other.process.wait()
        with pytest.raises(StateLocked):
            mine(path).acquire()


def test_fault_25_a_child_that_ends_does_not_take_the_lock_from_its_parent(path):
    with mine(path) as lock_:
        child = os.fork()
        if child == 0:
            ok = not lock_.held
            lock_.release()
            os._exit(0 if ok else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert lock_.held
        with pytest.raises(StateLocked):
            mine(path).acquire()


def test_fault_25_the_handle_is_closed_when_another_program_is_started(path):
    with mine(path) as lock_:
        assert not os.get_inheritable(lock_._handle)


def test_a_lock_can_be_taken_again_after_it_was_released(path):
    lock_ = mine(path)
    for _ in range(3):
        lock_.acquire()
        lock_.release()
        lock_.release()
    assert path.exists()


def test_assure_takes_the_lock_anew_where_its_file_has_gone(path):
    with mine(path) as lock_:
        lock_.assure()
        path.unlink()
        lock_.assure()
        with pytest.raises(StateLocked):
            mine(path).acquire()
        path.unlink()
        with mine(path):
            with pytest.raises(StateLocked):
                lock_.assure()
            assert not lock_.held
        lock_.assure()
        assert lock_.held


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"pid":"x"}', b'{"pid":1}', b"\xff"])
def test_a_holder_that_has_not_signed_yet_is_another_process(text):
    disk = FakeDisk()
    with FileLock(disk, HOME.lock(KEY)):
        disk.plant(HOME.lock(KEY), text)
        assert holder_of(disk, HOME.lock(KEY)) == Holder(0, "", 0)
        assert "another process" in str(holder_of(disk, HOME.lock(KEY)))


def test_a_lock_is_held_even_if_the_disk_is_too_full_to_sign_it():
    disk = FakeDisk()
    with FileLock(disk, HOME.lock(KEY)):
        pass

    class Full(FakeDisk):
        def write(self, handle, data):
            raise OSError(28, "full")

    with FileLock(Full(), HOME.lock(KEY)) as lock_:
        assert lock_.held


def test_a_file_system_without_locks_says_so():
    class Without(FakeDisk):
        def lock(self, path):
            raise OSError(37, "No locks available")

    with pytest.raises(StateError, match="No locks available") as caught:
        FileLock(Without(), HOME.lock(KEY)).acquire()
    assert type(caught.value) is StateError


def test_a_folder_that_disappears_again_and_again_is_an_error():
    class Vanishing(FakeDisk):
        def same(self, handle, path):
            return False

    with pytest.raises(StateError, match="keeps disappearing"):
        FileLock(Vanishing(), HOME.lock(KEY)).acquire()
