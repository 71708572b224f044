"""The record of what a run went through: whole lines or none, whatever happens to the disk."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tradenb.store.journal.recording import Recording
from tradenb.testing.world.fake_disk import Crash, FakeDisk

PATH = Path("/trader/dump/data/lived/dip/BTCUSDT.jsonl")
T0 = 1_704_067_200_000
BEGUN = {"begun": T0, "start": T0, "code": "c0de", "rules": {"fee_percent": 0.1}}


def candle(number):
    return [T0 + number * 60_000, 100.0, 101.25, 99.5, 100.1 + number, 1e-07]


def record(disk):
    return Recording(disk, PATH)


def test_what_is_appended_is_read_in_order_to_the_last_bit():
    disk = FakeDisk()
    lines = [BEGUN, candle(0), [*candle(1), T0], candle(2)]
    record(disk).append(lines[:2], sync=False)
    record(disk).append(lines[2:], sync=True)
    assert list(record(disk).read()) == lines
    assert list(record(disk).read(since=T0 + 60_000)) == [lines[0], *lines[2:]]


@pytest.mark.parametrize("name", BEGUN)
def test_a_beginning_that_lacks_something_is_passed_over_by_all_who_read_it(name):
    disk = FakeDisk()
    lacking = {**BEGUN, name: None}
    without = {"begun": T0, **{key: BEGUN[key] for key in BEGUN if key != name}}
    record(disk).append([BEGUN, lacking, candle(0)], sync=True)
    assert list(record(disk).read()) == [BEGUN, candle(0)]
    if name != "begun":
        record(disk).append([without], sync=True)
        assert list(record(disk).read()) == [BEGUN, candle(0)]


def test_nothing_is_there_before_the_first_line():
    assert list(record(FakeDisk()).read()) == []


def test_a_process_that_dies_anywhere_leaves_whole_lines_and_the_next_goes_on():
    for at in range(100):
        disk = FakeDisk()
        record(disk).append([candle(0)], sync=True)
        disk.crash(at=at)
        try:
            record(disk).append([candle(1), candle(2)], sync=True)
        except Crash:
            disk.restart()
            died = True
        else:
            disk.restart()
            died = False
        record(disk).append([candle(3)], sync=True)
        found = list(record(disk).read())
        assert found[0] == candle(0)
        assert found[-1] == candle(3)
        assert found[1:-1] in ([], [candle(1)], [candle(1), candle(2)])
        if not died:
            assert found == [candle(number) for number in range(4)]
            break
    assert at >= 4


@pytest.mark.parametrize("seed", range(40))
def test_a_power_loss_takes_what_was_not_synced_and_nothing_before(seed):
    disk, random = FakeDisk(), Random(seed)
    own = record(disk)
    for number in range(6):
        own.append([candle(number)], sync=number == 3)
    disk.power_loss(data=random)
    found = list(record(disk).read())
    assert found[:4] == [candle(number) for number in range(4)]
    assert all(line in (candle(4), candle(5)) for line in found[4:])
    record(disk).append([candle(6)], sync=True)
    assert list(record(disk).read())[-1] == candle(6)


def test_a_write_that_failed_half_way_is_no_line_and_the_next_is_one():
    disk = FakeDisk()
    own = record(disk)
    own.append([candle(0)], sync=False)
    disk.fail(at=2, error=28)
    with pytest.raises(OSError, match="space"):
        own.append([candle(1)], sync=False)
    disk.heal()
    own.append([candle(2)], sync=False)
    assert list(own.read()) == [candle(0), candle(2)]


@pytest.mark.parametrize(
    "line", [b"[1]", b'["a",1,1,1,1,1]', b"[1,null,1,1,1,1]", b"nonsense", b"[" * 9_000, b"\xff"]
)
def test_lines_that_are_none_are_passed_over(line):
    disk = FakeDisk()
    record(disk).append([candle(0)], sync=False)
    disk.plant(PATH, disk.files()[PATH] + line + b"\n")
    record(disk).append([candle(1)], sync=False)
    assert list(record(disk).read()) == [candle(0), candle(1)]


def test_a_record_that_is_set_aside_is_kept():
    disk = FakeDisk()
    own = record(disk)
    own.set_aside("before-0")
    own.append([candle(0)], sync=False)
    own.set_aside("before-7")
    own.append([candle(1)], sync=False)
    assert list(own.read()) == [candle(1)]
    assert PATH.with_name("BTCUSDT.jsonl.before-7") in disk.files()
