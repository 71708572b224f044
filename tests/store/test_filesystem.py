"""The real disk, and the fake held against it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from tradenb.store.aside import move_aside
from tradenb.store.filesystem import DiskFilesystem, keep_copy, make_folders, replace_whole
from tradenb.testing.world.fake_disk import FakeDisk


@pytest.fixture(params=["fake", "real", "not durable"])
def disk(request):
    if request.param == "fake":
        return FakeDisk()
    return DiskFilesystem(durable=request.param == "real")


@pytest.fixture
def folder(disk, tmp_path):
    made = tmp_path / "folder"
    make_folders(disk, made)
    return made


def put(disk, path, data: bytes) -> None:
    handle = disk.create(path)
    disk.write(handle, data)
    disk.sync(handle)
    disk.close(handle)


def test_what_is_written_is_read(disk, folder):
    path = folder / "a"
    assert not disk.exists(path)
    put(disk, path, b"0123456789")
    assert disk.exists(path)
    assert disk.size(path) == 10
    assert disk.read(path, limit=99) == b"0123456789"
    assert disk.read(path, limit=3, start=2) == b"234"
    assert disk.read(path, limit=0) == b""
    handle = disk.append(path)
    disk.write(handle, b"ab")
    disk.close(handle)
    disk.truncate(path, 11)
    assert disk.read(path, limit=99) == b"0123456789a"
    with pytest.raises(FileExistsError):
        disk.create(path)
    disk.sync_folder(folder)


def test_names(disk, folder):
    one, two, three = folder / "one", folder / "two", folder / "three"
    put(disk, one, b"1")
    disk.link(one, two)
    with pytest.raises(FileExistsError):
        disk.link(one, two)
    disk.replace(one, two)
    assert disk.names(folder) == ["one", "two"], "POSIX: two names of one file stay two"
    disk.replace(one, three)
    assert disk.names(folder) == ["three", "two"]
    disk.unlink(two)
    disk.make_folder(folder / "inner")
    assert disk.names(folder) == ["inner", "three"]
    assert disk.names(folder / "inner") == []
    with pytest.raises(FileExistsError):
        disk.make_folder(folder / "inner")


@pytest.mark.parametrize(
    "act",
    [
        lambda disk, gone: disk.create(gone / "a"),
        lambda disk, gone: disk.append(gone / "a"),
        lambda disk, gone: disk.read(gone, limit=1),
        lambda disk, gone: disk.size(gone),
        lambda disk, gone: disk.truncate(gone, 0),
        lambda disk, gone: disk.names(gone),
        lambda disk, gone: disk.link(gone, gone.with_name("b")),
        lambda disk, gone: disk.replace(gone, gone.with_name("b")),
        lambda disk, gone: disk.unlink(gone),
        lambda disk, gone: disk.make_folder(gone / "b"),
        lambda disk, gone: disk.lock(gone / "a"),
    ],
)
def test_what_is_not_there_is_not_found(disk, folder, act):
    with pytest.raises(FileNotFoundError):
        act(disk, folder / "gone")


def test_a_folder_is_no_file_and_a_file_no_folder(disk, folder):
    put(disk, folder / "file", b"")
    with pytest.raises(OSError, match=r"regular|Invalid"):
        disk.read(folder, limit=1)
    with pytest.raises(NotADirectoryError):
        disk.names(folder / "file")
    assert not disk.exists(folder / "file" / "below")


def test_a_lock_is_held_by_one_handle(disk, folder):
    path = folder / "lock"
    handle = disk.lock(path)
    assert disk.same(handle, path)
    with pytest.raises(BlockingIOError):
        disk.lock(path)
    disk.unlock(handle)
    again = disk.lock(path)
    disk.unlink(path)
    assert not disk.same(again, path)
    other = disk.lock(path)
    disk.close(other)
    disk.unlock(again)


def test_folders_are_made_once(disk, folder):
    make_folders(disk, folder / "a" / "b")
    make_folders(disk, folder / "a" / "b")
    assert disk.names(folder / "a") == ["b"]


def test_what_is_above_a_folder_is_synced_once_by_each_process(monkeypatch):
    disk, synced, top = FakeDisk(), [], Path("/disk")
    right = disk.sync_folder
    monkeypatch.setattr(disk, "sync_folder", lambda path: (synced.append(path), right(path)))

    def made(folder):
        synced.clear()
        make_folders(disk, folder)
        return synced

    assert made(top / "a" / "b") == [top / "a", top, Path("/")]
    assert made(top / "a" / "b") == []
    assert made(top / "a" / "c") == [top / "a"]
    disk.restart()  # another process may have died between making and syncing
    assert made(top / "a" / "c") == [top / "a", top, Path("/")]


def test_another_run_may_be_faster_at_making_a_folder(disk, folder, monkeypatch):
    monkeypatch.setattr(disk, "exists", lambda path: path == folder)
    disk.make_folder(folder / "a")
    make_folders(disk, folder / "a" / "b")
    assert disk.names(folder / "a") == ["b"]


def test_a_folder_above_that_may_not_be_opened_is_passed_over_unless_we_made_it():
    class Strict(FakeDisk):
        def sync_folder(self, path):
            if path in closed:
                raise PermissionError(errno.EACCES, "no")
            super().sync_folder(path)

    disk, top = Strict(), Path("/disk")
    closed = {Path("/")}
    disk.plant(top / "x", b"")
    make_folders(disk, top / "a" / "b")
    closed = {top}
    make_folders(disk, top / "a" / "b")
    with pytest.raises(PermissionError):
        make_folders(disk, top / "c" / "d")


def test_a_copy_is_made_only_where_there_are_no_links(disk, folder):
    put(disk, folder / "a", b"bytes")
    put(disk, folder / "b", b"")
    with pytest.raises(FileExistsError):
        keep_copy(disk, folder / "a", folder / "b", limit=9)
    without = FakeDisk(links=False)
    without.plant(folder / "a", b"bytes")
    keep_copy(without, folder / "a", folder / "c", limit=9)
    assert without.files() == {folder / "a": b"bytes", folder / "c": b"bytes"}


def test_a_file_is_replaced_whole_past_a_leftover(disk, folder):
    path = folder / "new" / "view"
    for data in (b"first", b"second"):
        replace_whole(disk, path, data)
        assert disk.read(path, limit=99) == data
        put(disk, folder / "new" / ".view.tmp", b"of a writer that died")
    assert disk.names(folder / "new") == [".view.tmp", "view"]


def test_moving_aside_never_writes_over_anything(disk, folder):
    for number, ending in enumerate(["x-1-2", "x-1-2.1", "x-1-2.2"]):
        put(disk, folder / "a", b"%d" % number)
        assert move_aside(disk, folder / "a", "x-1-2") == folder / f"a.{ending}"
    assert [disk.read(folder / name, limit=9) for name in disk.names(folder)] == [b"0", b"1", b"2"]
