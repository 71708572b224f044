"""The permission on disk: whatever is wrong with it, nothing is armed."""

from __future__ import annotations

import errno
import json
import os
import time

import pytest

from tests.brokers.accounts import ACCOUNT, ARM, HOUR, NOW
from tradenb.brokers.arming import arm_file
from tradenb.brokers.arming.arm_file import LONGEST, ArmReading, read_arm, trip, write_arm
from tradenb.errors import StateWriteError
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.lock import FileLock
from tradenb.store.paths import Home

DISK = DiskFilesystem(durable=False)


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def armed(home):
    write_arm(DISK, home, ARM)
    return home


def written(home, **fields):
    """Write the file with other fields; None leaves a field out."""
    path = home.arm(ACCOUNT)
    found = json.loads(path.read_bytes()) | fields
    path.write_text(json.dumps({k: v for k, v in found.items() if v != "left out"}))
    return read_arm(DISK, home, ACCOUNT)


def test_a_permission_is_read_as_it_was_written_to_the_last_digit(armed):
    assert read_arm(DISK, armed, ACCOUNT).arm == ARM
    (path,) = (armed.data / "arm").iterdir()
    assert path.name == "sandbox%3Aloopback%3A1a2b3c4d.json"


def test_nothing_is_armed_before_somebody_arms_it(home):
    reading = read_arm(DISK, home, ACCOUNT)
    assert reading == ArmReading(
        None, f"account {ACCOUNT} is not armed; arm it with tn.arm or tradenb arm"
    )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"account": "live:binance:1a2b3c4d"}, "is for live:binance:1a2b3c4d"),
        ({"max_order": 100}, "max_order"),
        ({"max_order": "-1"}, "max_order"),
        ({"max_order": "NaN"}, "max_order"),
        ({"max_order": "1e9"}, "max_order"),
        ({"max_open": True}, "max_open"),
        ({"until": NOW + LONGEST}, "7 days"),
        ({"until": NOW - 2}, "7 days"),
        ({"until": 1 << 60}, "until"),
        ({"v": 2}, "v:"),
        ({"more": 1}, "more"),
        ({"since": "left out"}, "since"),
        ({"v": True}, "v:"),
        ({"format": "tradenb-share"}, "format:"),
        ({"symbols": [1]}, "symbols"),
        ({"strategies": [""]}, "a name must have"),
        ({"orders_an_hour": 0}, "orders_an_hour"),
        ({"max_order": "1\n"}, "max_order"),
        ({"unchecked": 1}, "unchecked"),
        ({"by": "x" * 501}, "by"),
        ({"tripped": {"at": NOW, "why": ""}}, "why"),
        ({"tripped": {"at": -1, "why": "x"}}, "at"),
        ({"tripped": {"at": NOW}}, "why"),
    ],
)
def test_a_file_with_another_field_is_not_a_permission(armed, fields, words):
    reading = written(armed, **fields)
    assert reading.arm is None
    assert words in reading.why
    assert "arm again" in reading.why


@pytest.mark.parametrize("data", [b"", b"\0" * 40, b'{"v":1,"v":1}', b"[]", b"{" * 70_000])
def test_bytes_of_anything_else_are_not_a_permission(armed, data):
    armed.arm(ACCOUNT).write_bytes(data)
    assert read_arm(DISK, armed, ACCOUNT).arm is None


def test_a_folder_a_pipe_and_a_broken_link_in_its_place_are_not_permissions(armed):
    path = armed.arm(ACCOUNT)
    for put in (path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to("nowhere")):
        path.rename(path.with_name(f"old-{time.monotonic_ns()}"))
        put()
        assert read_arm(DISK, armed, ACCOUNT).arm is None


def test_the_file_of_another_user_is_not_a_permission(armed, monkeypatch):
    users = {armed.root: 1_000, armed.arm(ACCOUNT): 1_001}
    monkeypatch.setattr(arm_file, "owner_of", users.get)
    reading = read_arm(DISK, armed, ACCOUNT)
    assert reading.arm is None
    assert "belongs to 1001" in reading.why
    users[armed.arm(ACCOUNT)] = 0
    assert read_arm(DISK, armed, ACCOUNT).arm == ARM


def test_the_first_reason_for_an_end_is_kept(armed):
    assert trip(DISK, armed, ACCOUNT, "three refusals in a row", NOW)
    assert not trip(DISK, armed, ACCOUNT, "the daily loss is reached", NOW + 1)
    reading = read_arm(DISK, armed, ACCOUNT)
    assert reading.arm == ARM._replace(tripped="three refusals in a row")
    assert reading.tripped_at == NOW


def test_what_is_not_armed_cannot_end(home):
    assert not trip(DISK, home, ACCOUNT, "why", NOW)
    assert not home.arm(ACCOUNT).exists()


def test_a_reason_longer_than_a_page_still_ends_it(armed):
    assert trip(DISK, armed, ACCOUNT, "x" * 10_000, NOW)
    assert len(read_arm(DISK, armed, ACCOUNT).arm.tripped) == 500


def test_an_end_does_not_wait_for_a_lock_for_ever(armed):
    with FileLock(DISK, armed.arm_lock(ACCOUNT)):
        assert trip(DISK, armed, ACCOUNT, "why", NOW, wait_s=0.0)
    assert read_arm(DISK, armed, ACCOUNT).arm.tripped == "why"


class Refusing(DiskFilesystem):
    """A full disk; it renames, unless it is read-only as well."""

    read_only = False
    unreadable = False

    def create(self, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    def replace(self, source, target):
        if self.read_only:
            raise OSError(errno.EROFS, "Read-only file system")
        super().replace(source, target)

    def read(self, path, *, limit, start=0):
        if self.unreadable:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(path, limit=limit, start=start)


@pytest.mark.parametrize("unreadable", [False, True])
def test_on_a_full_or_broken_disk_the_file_is_moved_away(armed, unreadable):
    disk = Refusing(durable=False)
    disk.unreadable = unreadable
    assert trip(disk, armed, ACCOUNT, "why", NOW)
    assert read_arm(DISK, armed, ACCOUNT).arm is None
    assert len([*(armed.data / "arm").glob("*.json.tripped")]) == 1


def test_a_disk_that_takes_nothing_is_told(armed):
    disk = Refusing(durable=False)
    disk.read_only = True
    with pytest.raises(StateWriteError, match="entries of other processes may go on"):
        trip(disk, armed, ACCOUNT, "why", NOW)


def test_a_permission_that_cannot_be_written_leaves_the_one_before(armed):
    with pytest.raises(StateWriteError, match="No space left"):
        write_arm(Refusing(durable=False), armed, ARM._replace(until=NOW + 2 * HOUR))
    assert read_arm(DISK, armed, ACCOUNT).arm == ARM
