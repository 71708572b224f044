"""Faults 2 to 4: the process or the power ends at every operation of a run's life."""

from __future__ import annotations

import pytest

from tests.store.ends import (
    WithoutLinks,
    check_power_loss,
    crashed,
    in_order,
    moments,
    operations,
    outcomes,
    reordered,
)
from tests.store.life import Life, Memory, check, live
from tests.store.samples import BAK, DOCUMENT
from tradenb.store.document.read import decode
from tradenb.testing.world.fake_disk import FakeDisk


def test_a_life_has_more_than_a_hundred_operations():
    assert operations() > 100


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_fault_02_killed_at_every_operation_the_state_is_the_old_or_the_new_one(done):
    for at in range(operations()) if done else moments():
        disk, memory = crashed(at, done=done)
        check(disk, memory).tick()


def test_fault_02_without_hard_links_as_well():
    for at in moments(WithoutLinks):
        disk, memory = crashed(at, make=WithoutLinks)
        check(disk, memory)


def test_fault_02_killed_twice_in_a_row():
    for at in moments()[::5]:
        for again in range(0, 40, 9):
            disk, memory = crashed(at)
            disk.crash(again)
            live(disk, memory, 2, pid=2)
            check(disk, memory)


def test_fault_03_power_loss_with_names_in_order_leaves_the_old_or_the_new_state():
    for left, memory in outcomes(in_order):
        check_power_loss(left, memory)


@pytest.mark.parametrize("make", [FakeDisk, WithoutLinks])
def test_fault_04_power_loss_with_names_reordered_and_data_torn(make):
    for left, memory in outcomes(reordered, make):
        check_power_loss(left, memory)


def test_killed_and_then_without_power_before_the_next_process_has_synced():
    """The second process must not rely on what the first one only left in the cache."""
    for at in moments():
        disk, memory = crashed(at)
        Life(disk, memory, pid=2).tick()
        disk.power_loss(0)
        check(disk, memory)


def test_a_run_that_is_never_disturbed_keeps_its_document_and_the_one_before():
    disk, memory = FakeDisk(), Memory()
    assert live(disk, memory, 7) == 0
    files = disk.files()
    assert decode(files[DOCUMENT]).body["last_event_seq"] == 7
    assert decode(files[BAK]).body["last_event_seq"] == 6
    assert [path.name for path in files if ".tmp" in path.name] == []
