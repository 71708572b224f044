"""Whose files are: what one user leaves in the home of another must not stop its runs."""

from __future__ import annotations

import os

import pytest

import tradenb as tn
from tests.store.samples import KEY, body, row
from tradenb.cli import main
from tradenb.store.control import prepare, receive, send
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.lock import FileLock
from tradenb.store.ownership import foreign_paths, refuse_foreign
from tradenb.store.paths import Home

NOBODY = 65_534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for other users")


@pytest.fixture
def theirs(tmp_path):
    """A home that belongs to nobody."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    return Home(folder)


@as_root
def test_fault_88_what_root_makes_in_a_home_belongs_to_its_owner(theirs):
    disk = DiskFilesystem()
    prepare(disk, theirs, KEY)
    send(disk, theirs, KEY, "stop", wall=1)
    with FileLock(disk, theirs.lock(KEY)):
        store = DocumentStore(disk, theirs.document(KEY))
        store.load()
        for n in (1, 2):
            store.commit(body(n))
    Journal(disk, theirs.journal(KEY)).append([row(1)])
    made = [theirs.root, *theirs.root.rglob("*")]
    assert len([path for path in made if path.is_file()]) == 6
    assert {(path.stat().st_uid, path.stat().st_gid) for path in made} == {(NOBODY, NOBODY)}
    assert [*foreign_paths(theirs)] == []


@as_root
def test_what_is_there_already_keeps_its_owner(theirs):
    (theirs.root / "log").touch()
    DiskFilesystem().close(DiskFilesystem().append(theirs.root / "log"))
    assert (theirs.root / "log").stat().st_uid == 0


@as_root
def test_fault_88_the_doctor_names_what_belongs_to_another_user(theirs, capsys):
    prepare(DiskFilesystem(), theirs, KEY)
    assert main(["doctor", "--home", str(theirs.root)]) == 0
    capsys.readouterr()
    folder = theirs.control(KEY)
    os.chown(folder, 0, 0)
    assert main(["doctor", "--home", str(theirs.root)]) == 1
    said = capsys.readouterr().out
    assert f"! owner: {folder} belongs to root; give it back: sudo chown -R nobody" in said


def test_fault_88_the_doctor_names_what_is_not_a_request(tmp_path, capsys):
    home, disk = Home(tmp_path), DiskFilesystem()
    prepare(disk, home, KEY)
    odd = home.control(KEY) / "what.json"
    odd.mkdir()
    (home.control(KEY) / ".ipynb_checkpoints").mkdir()
    assert main(["doctor", "--home", str(tmp_path)]) == 1
    assert f"! file unreadable: {odd}: not a regular file" in capsys.readouterr().out
    receive(disk, home.control(KEY), KEY)
    assert main(["doctor", "--home", str(tmp_path)]) == 0


def test_fault_88_another_user_is_refused_and_told_who_may(tmp_path, monkeypatch):
    home, me = Home(tmp_path), os.geteuid()
    refuse_foreign(home)
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(
        tn.StateError, match=f"{tmp_path} belongs to .*; run this as .*, or with sudo"
    ):
        refuse_foreign(home)
    refuse_foreign(Home(tmp_path / "not there yet"))
