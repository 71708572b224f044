"""The journal: each event once, in order, over crashes and rotations; read from either end."""

from __future__ import annotations

import errno
import json

import pytest

from tests.store.samples import HOME, KEY, row
from tradenb.errors import StateWriteError
from tradenb.store.codec import dump
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.testing.world.fake_disk import FakeDisk

PATH = HOME.journal(KEY)


def rows(first: int, last: int) -> list[dict]:
    return [row(seq) for seq in range(first, last + 1)]


def text(found: list[dict]) -> bytes:
    return b"".join(dump(item) + b"\n" for item in found)


def journal(disk, **options) -> Journal:
    return Journal(disk, PATH, pid=3, **options)


def kept(disk: FakeDisk) -> dict[str, bytes]:
    return {path.name: data for path, data in disk.files().items() if ".torn-" in path.name}


def test_an_event_is_one_line_of_json():
    disk = FakeDisk()
    assert journal(disk).append(rows(1, 2)) == 2
    lines = disk.files()[PATH].decode().splitlines()
    assert [json.loads(line) for line in lines] == rows(1, 2)


def test_what_is_there_already_is_left_out():
    disk = FakeDisk()
    writer = journal(disk)
    writer.append(rows(1, 3))
    assert writer.append(rows(2, 5)) == 2
    assert writer.append(rows(2, 5)) == 0
    assert writer.append([]) == 0
    again = journal(disk)
    again.append(rows(4, 6))
    assert again.append(rows(6, 6)) == 0
    assert again.read() == rows(1, 6)
    assert disk.files()[PATH] == text(rows(1, 6))
    assert kept(disk) == {}


def test_what_is_returned_survives_a_power_loss():
    disk = FakeDisk()
    writer = journal(disk, rotate_bytes=900)
    for seq in range(1, 9):
        writer.append(rows(seq, seq))
        left = disk.copy()
        left.power_loss(0)
        assert journal(left).read() == rows(1, seq)


def test_a_torn_tail_is_completed_from_the_outbox_wherever_it_is_torn():
    for cut in range(1, len(text(rows(3, 4)))):
        disk = FakeDisk()
        disk.plant(PATH, text(rows(1, 2)) + text(rows(3, 4))[:-cut])
        assert journal(disk).append(rows(3, 5)) == 3
        assert disk.files()[PATH] == text(rows(1, 5))
        assert kept(disk) == {}, "what is written again need not be kept"


def test_a_tail_that_is_none_of_ours_is_kept_beside_it():
    disk = FakeDisk()
    start = len(text(rows(1, 2)))
    for garbage in (bytes(700), b"by hand\n", text(rows(4, 4)), text(rows(3, 3)) + bytes(90)):
        disk.plant(PATH, text(rows(1, 2)) + garbage)
        journal(disk).append(rows(3, 3))
        assert disk.files()[PATH] == text(rows(1, 3))
        assert garbage in kept(disk).values()
    assert sorted(kept(disk)) == [
        f"BTCUSDT.jsonl.torn-{start}-3{number}" for number in ("", ".1", ".2", ".3")
    ]


def test_a_hole_in_the_middle_of_the_last_write_is_filled():
    disk = FakeDisk()
    torn = text(rows(3, 6))
    line = len(text(rows(3, 3)))
    torn = torn[:line] + bytes(2 * line) + torn[3 * line :]
    disk.plant(PATH, text(rows(1, 2)) + torn)
    journal(disk).append(rows(3, 6))
    assert journal(disk).read() == rows(1, 6)
    assert disk.files()[PATH] == text(rows(1, 6))


def test_damage_in_what_was_confirmed_is_passed_over_and_left_alone():
    disk = FakeDisk()
    whole = text(rows(1, 5))
    at = len(text(rows(1, 2))) + 4
    disk.plant(PATH, whole[:at] + b"\xff" + whole[at + 1 :])
    assert [item["seq"] for item in journal(disk).read()] == [1, 2, 4, 5]
    journal(disk).append(rows(6, 6))
    assert [item["seq"] for item in journal(disk).read()] == [1, 2, 4, 5, 6]
    assert [item["seq"] for item in journal(disk).tail(3)] == [4, 5, 6]


def test_an_error_says_that_nothing_is_lost():
    disk = FakeDisk()
    disk.fail(0, errno.ENOSPC, forever=True)
    with pytest.raises(StateWriteError, match=r"No space left.*stay in the document"):
        journal(disk).append(rows(1, 1))


def test_after_a_failed_write_the_same_events_are_written_once():
    for at in range(12):  # each operation of the three appends
        for done in (False, True):
            disk = FakeDisk()
            writer = journal(disk, rotate_bytes=1_500)
            writer.append(rows(1, 3))
            disk.fail(at, errno.EIO, done=done)
            for _ in range(3):
                try:
                    writer.append(rows(4, 6))
                except StateWriteError:
                    continue
            writer.append(rows(7, 7))
            assert writer.read() == rows(1, 7)
            disk.power_loss(0)
            assert journal(disk).read() == rows(1, 7)


def test_a_journal_that_was_deleted_or_changed_is_gone_on_with():
    disk = FakeDisk()
    writer = journal(disk)
    writer.append(rows(1, 3))
    disk.remove(HOME.data)
    writer.append(rows(4, 4))
    assert writer.read() == rows(4, 4)
    disk.plant(PATH, disk.files()[PATH] + b"by hand")
    writer.append(rows(5, 5))
    assert writer.read() == rows(4, 5)
    assert list(kept(disk).values()) == [b"by hand"]


def test_it_is_rotated_upwards_and_nothing_is_deleted():
    disk = FakeDisk()
    writer = journal(disk, rotate_bytes=900)
    for seq in range(1, 31):
        writer.append(rows(seq, seq))
    names = [path.name for path in disk.files()]
    assert names.count("BTCUSDT.jsonl") == 1
    assert {f"BTCUSDT.jsonl.{n}" for n in range(1, len(names))} == set(names) - {"BTCUSDT.jsonl"}
    assert len(names) > 5
    assert max(map(len, disk.files().values())) < 1_500
    assert json.loads(disk.files()[PATH.with_name("BTCUSDT.jsonl.1")].splitlines()[0]) == row(1)
    assert writer.read() == rows(1, 30)
    assert writer.read(since_seq=27) == rows(28, 30)
    assert writer.read(since_seq=3, limit=4) == rows(4, 7)
    assert writer.read(since_seq=30) == []
    assert writer.tail(7) == rows(24, 30)
    assert writer.tail(99) == rows(1, 30)
    assert writer.tail(0) == []
    assert writer.last_seq() == 30


def test_only_the_files_that_are_needed_are_read():
    disk = FakeDisk()
    writer = journal(disk, rotate_bytes=900)
    for seq in range(1, 31):
        writer.append(rows(seq, seq))
    before = len(disk.operations)
    writer.read(since_seq=28)
    writer.tail(1)
    read = {item.path.name for item in disk.operations[before:] if item.name == "read"}
    assert len(read) <= 3
    assert "BTCUSDT.jsonl.1" not in read


def test_a_crash_right_after_the_rotation_repeats_nothing():
    disk = FakeDisk()
    writer = journal(disk, rotate_bytes=900)
    for seq in range(1, 4):
        writer.append(rows(seq, seq))
    disk.plant(PATH.with_name("BTCUSDT.jsonl.1"), disk.files()[PATH])
    disk.remove(PATH)
    assert journal(disk).append(rows(2, 5)) == 2
    assert journal(disk).read() == rows(1, 5)


def test_nothing_there_is_nothing_read():
    disk = FakeDisk()
    assert (journal(disk).read(), journal(disk).tail(3), journal(disk).last_seq()) == ([], [], 0)


def test_a_rotation_while_somebody_reads_is_noticed():
    disk = FakeDisk()
    writer = journal(disk)
    writer.append(rows(1, 3))

    class Rotating(FakeDisk):
        def read(self, path, *, limit, start=0):
            if PATH.with_name("BTCUSDT.jsonl.1") not in self.files() and path == PATH:
                super().replace(PATH, PATH.with_name("BTCUSDT.jsonl.1"))
            return super().read(path, limit=limit, start=start)

    for ask in (lambda found: found.read(), lambda found: found.tail(9)):
        reading = Rotating()
        reading.plant(PATH, text(rows(1, 3)))
        assert ask(journal(reading)) == rows(1, 3)


def test_it_works_on_a_real_disk(tmp_path):
    path = tmp_path / "new" / "BTCUSDT.jsonl"
    writer = Journal(DiskFilesystem(), path, rotate_bytes=900)
    for seq in range(1, 12):
        writer.append(rows(seq, seq))
    assert Journal(DiskFilesystem(), path).read() == rows(1, 11)
    assert Journal(DiskFilesystem(), path).tail(2) == rows(10, 11)


def test_fault_92_the_outbox_of_an_older_document_cuts_no_later_event():
    disk = FakeDisk()
    journal(disk).append(rows(1, 3))
    disk.plant(PATH, disk.files()[PATH] + b'{"seq": 9, "torn')
    writer = journal(disk)
    assert writer.append(rows(1, 2)) == 0
    assert writer.append(rows(4, 4)) == 1
    assert writer.read() == rows(1, 4)
    assert [*kept(disk).values()] == [b'{"seq": 9, "torn']
