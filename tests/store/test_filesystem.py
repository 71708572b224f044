"""The real disk, and the fake held against it."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from tests.store.samples import KEY, body, row
from tradenb.errors import StateError
from tradenb.store import filesystem
from tradenb.store.atomic import keep_copy, make_folders, move_aside, replace_whole
from tradenb.store.codec import Generation, decode
from tradenb.store.control import send
from tradenb.store.document import DocumentStore
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal import Journal
from tradenb.store.lock import FileLock
from tradenb.store.paths import Home
from tradenb.store.reading import bak_of
from tradenb.store.views import run_views, write_views
from tradenb.testing.disk import FakeDisk


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


def test_a_folder_in_the_place_of_a_document_is_an_error_and_stays(tmp_path):
    home = Home(tmp_path)
    home.document(KEY).mkdir(parents=True)
    with pytest.raises(StateError, match="not a regular file"):
        DocumentStore(DiskFilesystem(), home.document(KEY)).load()
    assert home.document(KEY).is_dir()


def test_a_file_that_cannot_be_made_private_is_not_left_open(tmp_path, monkeypatch):
    def refuse(handle, mode):
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(os, "fchmod", refuse)
    before = os.umask(0o777)
    try:
        handles = len(list(Path("/dev/fd").iterdir()))
        with pytest.raises(PermissionError):
            DiskFilesystem().create(tmp_path / "a")
        assert len(list(Path("/dev/fd").iterdir())) == handles
    finally:
        os.umask(before)


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


def test_without_durability_nothing_waits_for_the_drive(tmp_path, monkeypatch):
    def refuse(handle):
        raise AssertionError("synced")

    monkeypatch.setattr(os, "fsync", refuse)
    disk = DiskFilesystem(durable=False)
    put(disk, tmp_path / "a", b"")
    disk.sync_folder(tmp_path)
    with pytest.raises(AssertionError):
        put(DiskFilesystem(), tmp_path / "b", b"")


def test_macos_is_asked_to_empty_the_cache_of_the_drive(tmp_path, monkeypatch):
    asked, refuses = [], []

    def control(handle, command):
        asked.append(command)
        if refuses:
            raise OSError(refuses[0], "refused")

    monkeypatch.setattr(filesystem, "_FULL_SYNC", 51)
    monkeypatch.setattr(fcntl, "fcntl", control)
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    put(DiskFilesystem(), tmp_path / "a", b"")
    assert (asked, synced) == ([51], [])
    refuses.append(errno.ENOTSUP)
    put(DiskFilesystem(), tmp_path / "b", b"")
    assert len(synced) == 1
    refuses[0] = errno.EIO
    with pytest.raises(OSError, match="refused"):
        put(DiskFilesystem(), tmp_path / "c", b"")
    assert len(synced) == 1, "synced again after a failure"


def test_a_folder_that_cannot_be_synced_by_its_file_system_is_no_error(tmp_path, monkeypatch):
    codes = [errno.EINVAL, errno.EIO]

    def sync(handle):
        raise OSError(codes.pop(0), "no")

    monkeypatch.setattr(os, "fsync", sync)
    DiskFilesystem().sync_folder(tmp_path)
    with pytest.raises(OSError, match="no"):
        DiskFilesystem().sync_folder(tmp_path)


def test_a_pipe_in_the_place_of_a_document_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        DiskFilesystem().read(tmp_path / "pipe", limit=1)


def test_a_link_in_the_place_of_a_temporary_file_is_not_followed(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "target")
    for open_ in (DiskFilesystem().create, DiskFilesystem().append, DiskFilesystem().lock):
        with pytest.raises(OSError, match=r"exists|symbolic"):
            open_(tmp_path / "link")
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_fault_74_only_the_owner_reads_whatever_the_umask(tmp_path, umask):
    home, disk = Home(tmp_path / "made" / "home"), DiskFilesystem()
    before = os.umask(umask)
    try:
        with FileLock(disk, home.lock(KEY)):
            store = DocumentStore(disk, home.document(KEY))
            store.load()
            for n in (1, 2):
                store.commit(body(n))
            Journal(disk, home.journal(KEY)).append([row(1)])
            write_views(disk, run_views(home, Generation(2, body(2), 1)))
            send(disk, home, KEY, "stop", wall=1)
    finally:
        os.umask(before)
    made = sorted((tmp_path / "made").rglob("*"))
    assert len([path for path in made if path.is_file()]) == 8
    for path in [tmp_path / "made", *made]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_journal_that_the_user_lets_others_read_stays_so(tmp_path):
    disk, path = DiskFilesystem(), tmp_path / "BTCUSDT.jsonl"
    Journal(disk, path).append([row(1)])
    path.chmod(0o640)
    Journal(disk, path).append([row(2)])
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_the_generation_before_is_the_same_file_under_another_name(tmp_path):
    disk, document = DiskFilesystem(), Home(tmp_path).document(KEY)
    store = DocumentStore(disk, document)
    store.load()
    store.commit(body(1))
    first = document.stat().st_ino
    store.commit(body(2))
    assert bak_of(document).stat().st_ino == first
    assert decode(bak_of(document).read_bytes()).body == body(1)
    assert sorted(path.name for path in document.parent.iterdir()) == [
        "BTCUSDT.json",
        "BTCUSDT.json.bak",
    ]


def test_the_real_disk_gives_every_handle_back(tmp_path):
    disk, home = DiskFilesystem(), Home(tmp_path)
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(3):
        with FileLock(disk, home.lock(KEY)) as lock:
            store = DocumentStore(disk, home.document(KEY), guard=lock.assure)
            store.load()
            store.commit(body(1))
            Journal(disk, home.journal(KEY)).append([row(1)])
    assert len(list(Path("/dev/fd").iterdir())) == before
