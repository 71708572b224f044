"""Every way in which the process or the power can end in the middle of a run's life."""

from __future__ import annotations

import itertools
import random

from tests.store.life import Memory, check, live
from tests.store.samples import BAK
from tradenb.store.document.read import decode
from tradenb.testing.world.fake_disk import FakeDisk

TICKS = 3
QUIET = {"read", "exists", "size", "names", "same", "close"}  # change nothing on the disk


class WithoutLinks(FakeDisk):
    """A file system without hard links."""

    def __init__(self) -> None:
        super().__init__(links=False)


def operations(make=FakeDisk) -> int:
    """How many operations an undisturbed life has."""
    disk = make()
    live(disk, Memory(), TICKS)
    return len(disk.operations)


def moments(make=FakeDisk) -> list[int]:
    """The operations before which a crash leaves another disk than a crash one earlier."""
    disk = make()
    live(disk, Memory(), TICKS)
    names = [operation.name for operation in disk.operations]
    return [
        at
        for at, name in enumerate(names)
        if at == 0 or name == "write" or names[at - 1] not in QUIET
    ]


def crashed(at: int, *, done: bool = False, make=FakeDisk) -> tuple[FakeDisk, Memory]:
    """The disk after a process that died at an operation."""
    disk, memory = make(), Memory()
    disk.crash(at, done=done)
    live(disk, memory, TICKS)
    return disk, memory


def outcomes(chooser, make=FakeDisk):
    """Yield what a power loss at each operation can leave of state and journal, nothing twice."""
    seen = set()
    for at in moments(make):
        disk, memory = crashed(at, make=make)
        for metadata, data in chooser(len(disk.pending), at):
            left = disk.copy()
            left.power_loss(metadata, data)
            files = left.files().items()
            truth = tuple(item for item in files if {"state", "journal"} & set(item[0].parts))
            told = memory.acked, len(memory.announced), truth
            if told not in seen:
                seen.add(told)
                yield left, memory.copy()


def in_order(pending: int, at: int):
    """Every prefix of the changes of names."""
    return itertools.product(range(pending + 1), ("lost", "kept"))


def reordered(pending: int, at: int):
    """Any of the changes of names, all subsets if they are few; the data torn in many ways."""
    chance = random.Random(at)
    if pending <= 4:
        subsets = [[i for i in range(pending) if bits >> i & 1] for bits in range(1 << pending)]
    else:
        subsets = [[i for i in range(pending) if chance.random() < 0.5] for _ in range(12)]
    for subset in subsets:
        yield subset, random.Random(chance.random())


def check_power_loss(left: FakeDisk, memory: Memory) -> None:
    """Demand that the run goes on, and that it still could if the document rotted later."""
    bak = left.files().get(BAK)
    assert bak is None or decode(bak).body["last_event_seq"] >= memory.acked - 1
    check(left, memory)
