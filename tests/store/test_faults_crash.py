"""Faults 2 to 4: the process or the power ends at every operation of a run's life."""

from __future__ import annotations

import itertools
import random

import pytest

from tests.store.life import Life, Memory, check, live
from tests.store.samples import BAK, DOCUMENT
from tradenb.store.codec import decode
from tradenb.testing.disk import Crash, FakeDisk

TICKS = 4


def operations(make=FakeDisk) -> int:
    disk = make()
    live(disk, Memory(), TICKS)
    return len(disk.operations)


def crashed(at: int, *, done: bool = False, make=FakeDisk) -> tuple[FakeDisk, Memory]:
    disk, memory = make(), Memory()
    disk.crash(at, done=done)
    live(disk, memory, TICKS)
    return disk, memory


def outcomes(chooser, make=FakeDisk):
    """Yield what a power loss at each operation can leave of state and journal, nothing twice."""
    seen = set()
    for at in range(operations(make)):
        disk, memory = crashed(at, make=make)
        for metadata, data in chooser(len(disk.pending), at):
            left = disk.copy()
            left.power_loss(metadata, data)
            files = left.files().items()
            truth = tuple(item for item in files if {"state", "journal"} & set(item[0].parts))
            if (memory.acked, len(memory.announced), truth) not in seen:
                seen.add((memory.acked, len(memory.announced), truth))
                yield left, memory.copy()


def in_order(pending: int, at: int):
    """Every prefix of the changes of names."""
    return itertools.product(range(pending + 1), ("lost", "kept"))


def reordered(pending: int, at: int):
    """Any of the changes of names, all subsets if they are few; the data torn in many ways."""
    chance = random.Random(at)
    if pending <= 4:
        subsets = [
            [i for i in range(pending) if bits >> i & 1] for bits in range(1 << pending)
        ]
    else:
        subsets = [[i for i in range(pending) if chance.random() < 0.5] for _ in range(16)]
    for subset in subsets:
        yield subset, random.Random(chance.random())


def test_a_life_has_more_than_a_hundred_operations():
    assert operations() > 100


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_fault_02_killed_at_every_operation_the_state_is_the_old_or_the_new_one(done):
    for at in range(operations()):
        disk, memory = crashed(at, done=done)
        check(disk, memory).tick()


def test_fault_02_killed_twice_in_a_row():
    for at in range(0, operations(), 5):
        for again in range(0, 40, 9):
            disk, memory = crashed(at)
            disk.crash(again)
            live(disk, memory, 2, pid=2)
            check(disk, memory)


def test_fault_02_without_hard_links_as_well():
    for at in range(operations(WithoutLinks)):
        disk, memory = crashed(at, make=WithoutLinks)
        check(disk, memory)


class WithoutLinks(FakeDisk):
    def __init__(self) -> None:
        super().__init__(links=False)


@pytest.mark.parametrize("make", [FakeDisk, WithoutLinks])
def test_fault_03_power_loss_with_names_in_order_leaves_the_old_or_the_new_state(make):
    for left, memory in outcomes(in_order, make):
        check(left, memory)


@pytest.mark.parametrize("make", [FakeDisk, WithoutLinks])
def test_fault_04_power_loss_with_names_reordered_and_data_torn(make):
    for left, memory in outcomes(reordered, make):
        check(left, memory)


@pytest.mark.parametrize("make", [FakeDisk, WithoutLinks])
def test_fault_04_the_generation_before_survives_a_power_loss_too(make):
    """When the document rots later, `.bak` has to be whole: it is only then that it is needed."""
    for left, memory in outcomes(reordered, make):
        bak = left.files().get(BAK)
        assert bak is None or decode(bak).body["last_event_seq"] >= memory.acked - 1


def test_killed_and_then_without_power_before_the_next_process_has_synced():
    """The second process must not rely on what the first one only left in the cache."""
    for at in range(0, operations(), 2):
        disk, memory = crashed(at)
        try:
            Life(disk, memory, pid=2).tick()
        except Crash:
            pytest.fail("nothing crashes here")
        disk.power_loss(0)
        check(disk, memory)


def test_a_run_that_is_never_disturbed_keeps_its_document_and_the_one_before():
    disk, memory = FakeDisk(), Memory()
    assert live(disk, memory, 7) == 0
    files = disk.files()
    assert decode(files[DOCUMENT]).body["last_event_seq"] == 7
    assert decode(files[BAK]).body["last_event_seq"] == 6
    assert [path.name for path in files if ".tmp" in path.name] == []
