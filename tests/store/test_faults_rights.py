"""Fault 74: who may read what is written, whatever the umask."""

from __future__ import annotations

import os
import stat

import pytest

from tests.store.samples import KEY, body, row
from tradenb.store.codec import Generation
from tradenb.store.control import send
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.lock import FileLock
from tradenb.store.paths import Home
from tradenb.store.view_files import run_views, write_views


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
            write_views(disk, run_views(home.views(KEY), Generation(2, body(2), 1)))
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
