"""Faults 9, 14 and 21: what the system does short of an error, and when it gives out."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from tests.store.samples import BAK, DOCUMENT, body
from tests.store.stores import begun, document_in
from tradenb.errors import StateError, StateWriteError
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.document.read import decode
from tradenb.store.filesystem import DiskFilesystem
from tradenb.testing.world.fake_disk import FakeDisk


def test_fault_09_short_writes_are_continued(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:100]))
    store = DocumentStore(DiskFilesystem(durable=False), document_in(tmp_path))
    store.load()
    store.commit(body(3))
    assert decode(document_in(tmp_path).read_bytes()).body == body(3)


@pytest.mark.parametrize("answer", [0, BlockingIOError(errno.EAGAIN, "try again")])
def test_fault_09_a_disk_that_takes_nothing_is_an_error(tmp_path, monkeypatch, answer):
    store = DocumentStore(DiskFilesystem(durable=False), document_in(tmp_path))
    store.load()

    def write(handle, data):
        if isinstance(answer, OSError):
            raise answer
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write)
        with pytest.raises(StateWriteError):
            store.commit(body(3))
    assert store.commit(body(3)).seq == 1


@pytest.mark.parametrize("error", [errno.EIO, errno.EACCES, errno.EMFILE])
@pytest.mark.parametrize("which", [DOCUMENT, BAK])
def test_fault_14_what_cannot_be_read_is_not_taken_for_damage(error, which):
    class Unreadable(FakeDisk):
        def read(self, path, *, limit, start=0):
            if path == which:
                raise OSError(error, os.strerror(error))
            return super().read(path, limit=limit, start=start)

    disk = Unreadable()
    disk.plant(DOCUMENT, b"damaged")
    disk.plant(BAK, b"damaged as well")
    before = disk.files()
    with pytest.raises(StateError, match=f"{which}.*{os.strerror(error)}") as caught:
        begun(disk)
    assert type(caught.value) is StateError
    assert disk.files() == before


def test_fault_14_out_of_file_handles_for_real(tmp_path):
    import resource

    store = DocumentStore(DiskFilesystem(), document_in(tmp_path))
    store.load()
    store.commit(body(1))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    kept = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
        while True:
            try:
                kept.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                break
        with pytest.raises(StateError, match="Too many open files"):
            DocumentStore(DiskFilesystem(), document_in(tmp_path)).load()
        with pytest.raises(StateWriteError, match="Too many open files"):
            store.commit(body(2))
    finally:
        for handle in kept:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert store.commit(body(2)).seq == 2


def test_fault_21_a_commit_that_hangs_is_not_overtaken_by_the_next_one():
    reached, go_on = threading.Event(), threading.Event()

    class Hanging(FakeDisk):
        def sync(self, handle: int) -> None:
            reached.set()
            assert go_on.wait(240)
            super().sync(handle)

    disk = Hanging()
    store = begun(disk)
    hanging = threading.Thread(target=store.commit, args=(body(1),))
    hanging.start()
    assert reached.wait(240)
    with pytest.raises(StateWriteError, match="still running"):
        store.commit(body(2))
    go_on.set()
    hanging.join()
    assert store.commit(body(2)).seq == 2
