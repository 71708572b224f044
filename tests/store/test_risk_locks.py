"""The locks of risk rules: taken in the order of names, for a limited time."""

from __future__ import annotations

import pytest

from tests.store.samples import HOME
from tradenb.errors import StateLocked
from tradenb.store.lock import FileLock, risk_locks
from tradenb.testing.world.fake_disk import FakeDisk


def test_risk_locks_are_taken_in_the_order_of_names_and_given_back():
    disk = FakeDisk()
    with risk_locks(disk, HOME, ["z", "A", "m", "z"]):
        taken = [item.path for item in disk.operations if item.name == "lock"]
        assert taken[-3:] == [HOME.risk_lock(name) for name in ("A", "m", "z")]
        with pytest.raises(StateLocked):
            FileLock(disk, HOME.risk_lock("m")).acquire()
    for name in ("A", "m", "z"):
        with FileLock(disk, HOME.risk_lock(name)):
            pass


def test_risk_locks_wait_for_others_and_not_for_ever():
    disk, clock = FakeDisk(), [0.0]
    other = FileLock(disk, HOME.risk_lock("b"))
    other.acquire()

    def wait(seconds: float) -> None:
        clock[0] += seconds

    arguments = {"timeout_seconds": 1.0, "now": lambda: clock[0], "wait": wait}
    with pytest.raises(StateLocked, match="risk rule b"), risk_locks(disk, HOME, "ab", **arguments):
        pass
    assert clock[0] >= 1.0
    with FileLock(disk, HOME.risk_lock("a")):
        pass

    def release(seconds: float) -> None:
        other.release()

    with risk_locks(disk, HOME, "ab", timeout_seconds=1.0, wait=release):
        pass


def test_risk_locks_are_freed_when_what_they_guard_fails():
    disk = FakeDisk()
    with pytest.raises(ZeroDivisionError), risk_locks(disk, HOME, ["a"]):
        raise ZeroDivisionError
    with risk_locks(disk, HOME, ["a"]):
        pass
