"""`tradenb kill --force` where it must not, or cannot, act: nothing is killed, and it is said."""

from __future__ import annotations

import json
import os

import pytest

from tests.brokers.test_guard import KEY, opened
from tests.brokers.test_live_orders import world
from tests.sources import minute
from tradenb.brokers.unattended import force_close
from tradenb.cli import main
from tradenb.store.codec import dump, encode
from tradenb.store.document.migrations import VERSION
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.lock import FileLock
from tradenb.store.paths import find_home

DISK = DiskFilesystem(durable=False)


@pytest.fixture
def killed(monkeypatch):
    """Processes that would have been killed; the files of an open position are on a real disk."""
    made, home = opened(), find_home()
    for path, data in made.disk.files().items():
        real = home.root / path.relative_to(made.home.root)
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_bytes(data)
    pids = []
    monkeypatch.setattr(force_close, "end_process", lambda pid, is_free: pids.append(pid))
    return pids


def force(capsys):
    code = main(["kill", "--force", "--wait", "0", "--json"])
    rows = json.loads(capsys.readouterr().out)["left"]
    return code, {row["status"] for row in rows if row["run"] == KEY.id}


def test_a_run_of_another_host_is_refused_with_words(killed, capsys):
    lock = find_home().lock(KEY)
    with FileLock(DISK, lock):
        lock.write_bytes(dump({"pid": os.getpid(), "host": "elsewhere", "started": 5}) + b"\n")
        code, (words,) = force(capsys)
    assert code == 1
    assert f"held by process {os.getpid()} on elsewhere" in words
    assert killed == []


def test_a_holder_that_is_not_certain_is_refused(killed, capsys):
    lock = find_home().lock(KEY)
    with FileLock(DISK, lock):
        lock.write_bytes(b"")
        code, (words,) = force(capsys)
    assert code == 1
    assert "does not say who holds it" in words
    assert killed == []


def test_a_run_that_was_begun_anew_meanwhile_is_not_called_one_without_a_process(
    killed, capsys, monkeypatch
):
    monkeypatch.setattr(force_close, "_end_holder", lambda *_: None)  # its service begins it anew
    with FileLock(DISK, find_home().lock(KEY)):
        assert main(["kill", "--force", "--wait", "0"]) == 1
    said = capsys.readouterr().out
    assert "is held by process" in said
    assert "no process" not in said.replace("A run that no process holds", "")
    assert killed == []


def test_an_account_that_nobody_can_reach_is_left_and_said(killed, capsys):
    code, (words,) = force(capsys)
    assert code == 1
    assert "start a run with its broker once" in words
    assert killed == []


def test_without_force_nobody_is_asked(killed, capsys):
    assert main(["kill", "--wait", "0"]) == 1
    assert "--force sells what it has" in capsys.readouterr().out
    assert killed == []


def test_orders_of_a_run_that_holds_nothing_are_left(killed, capsys):
    idle = world(*[100.0] * 400)
    assert idle.live(minute(70))
    state = read_document(idle.disk, idle.home.document(KEY)).body["state"]
    home = find_home()
    found = read_document(DISK, home.document(KEY))
    home.document(KEY).write_bytes(encode(VERSION, found.seq, {**found.body, "state": state}))
    home.account_share(found.body["account"], KEY).unlink()
    assert main(["kill", "--wait", "0", "--json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)["left"]
    assert (row["account"], row["run"]) == (found.body["account"], KEY.id)
    assert row["holds"] == "orders at the exchange that have not ended"
    assert killed == []


def test_what_could_not_be_closed_is_left_though_its_document_says_nothing(
    killed, capsys, monkeypatch
):
    home = find_home()
    account = read_document(DISK, home.document(KEY)).body["account"]
    closed = force_close.ClosedRun(account, KEY.id, False, "the exchange did not answer")

    def closes(*_):
        for file in home.document(KEY).parent.glob("*.json*"):
            file.unlink()
        home.account_share(account, KEY).unlink()
        return [closed]

    monkeypatch.setattr(force_close, "force_close", closes)
    assert force(capsys) == (1, {"no process has it now; the exchange did not answer"})
