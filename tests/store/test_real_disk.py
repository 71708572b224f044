"""The real disk: what no fake can show."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from tests.store.samples import KEY, body, row
from tradenb.errors import StateError
from tradenb.store import filesystem
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.document.read import decode
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.lock import FileLock
from tradenb.store.paths import Home, bak_of


def put(disk, path, data: bytes) -> None:
    handle = disk.create(path)
    disk.write(handle, data)
    disk.sync(handle)
    disk.close(handle)


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
