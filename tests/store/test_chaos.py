"""Lives in which everything goes wrong in turn, from a seed: errors, lies, deaths, power losses."""

from __future__ import annotations

import errno
import random

import pytest

from tests.store.life import Memory, check, live
from tradenb.testing.world.fake_disk import FakeDisk

ERRORS = (errno.EIO, errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EMFILE)


def disturb(disk: FakeDisk, chance: random.Random) -> None:
    at, error = chance.randrange(160), chance.choice(ERRORS)
    match chance.randrange(5):
        case 0:
            disk.crash(at, done=chance.random() < 0.5)
        case 1:
            disk.fail(at, error, done=chance.random() < 0.5)
        case 2:
            disk.fail(at, error, forever=True)
        case 3:
            disk.lie(at)
        case _:
            for _ in range(4):
                disk.fail(chance.randrange(160), error)


def end(disk: FakeDisk, chance: random.Random) -> None:
    pending = range(len(disk.pending))
    match chance.randrange(4):
        case 0:
            disk.power_loss(chance.randrange(len(disk.pending) + 1), chance)
        case 1:
            disk.power_loss([i for i in pending if chance.random() < 0.5], chance)
        case _:
            disk.restart()


@pytest.mark.parametrize("seed", range(30))
def test_a_run_goes_on_whatever_happens(seed):
    chance = random.Random(seed)
    disk, memory = FakeDisk(links=seed % 3 > 0), Memory()
    for pid in range(8):
        disturb(disk, chance)
        live(disk, memory, 3, pid=pid)
        end(disk, chance)
    last = check(disk, memory)
    last.tick()
    disk.power_loss(0)
    check(disk, memory)
