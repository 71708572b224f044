"""What is pending in a run of another process: in its document, or in a file it has not read."""

from __future__ import annotations

import json
import time

import pytest

import tradenb as tn
from tests.store.samples import changed
from tradenb.cli import main
from tradenb.store.control import peek, send
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.lock import FileLock
from tradenb.store.paths import Key, find_home

KEY = Key("dip", "BTCUSDT")
DISK = DiskFilesystem(durable=False)


@pytest.fixture
def running():
    """An open position on disk, held by a process that is just thinking."""
    home = find_home()
    lock = FileLock(DISK, home.lock(KEY))
    with lock:
        store = DocumentStore(DISK, home.document(KEY), guard=lock.assure)
        store.load()
        store.commit(changed(3, "state", "commands", to=[]))
        yield home


def now():
    return time.time_ns() // 1_000_000


def test_a_request_that_waits_in_a_file_is_seen_by_everybody(running, capsys):
    (run,) = tn.live.attach()
    assert (run.stopping, run.pending_commands) == (False, ())
    run.stop()
    run.flatten()
    assert run.stopping
    stop, flatten = run.pending_commands
    assert (stop.kind, flatten.kind) == ("stop", "flatten")
    assert flatten.acts_at % 60_000 == 0
    assert 0 <= flatten.acts_at - flatten.given <= 60_000
    assert main(["status", "--json"]) == 1  # nothing was saved for long
    (row,) = json.loads(capsys.readouterr().out)["runs"]
    assert row["stopping"] is True
    assert main(["status"]) == 1
    assert "silent, stopping, flattening at the next c" in capsys.readouterr().out


def test_tradenb_withdraw_takes_back_what_is_pending(running, capsys):
    (run,) = tn.live.attach()
    run.flatten()
    (flatten,) = run.pending_commands
    assert main(["withdraw", "btc"]) == 0
    said = capsys.readouterr().out
    assert said == f"asked BTCUSDT:dip to withdraw flatten ({flatten.id})\n"
    assert run.pending_commands == ()
    assert main(["withdraw", "btc"]) == 1
    assert "BTCUSDT:dip has no command to withdraw" in capsys.readouterr().err
    assert main(["withdraw", "other"]) == 1
    assert "no run other; running: BTCUSDT:dip" in capsys.readouterr().out


def test_tradenb_withdraw_takes_one_command_by_its_id(running, capsys):
    (run,) = tn.live.attach()
    run.flatten()
    run.stop()
    flatten, stop = run.pending_commands
    assert main(["withdraw", "BTCUSDT:dip", "--id", flatten.id, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["id"] for each in found["commands"]] == [flatten.id]
    assert [each.id for each in run.pending_commands] == [stop.id]
    assert main(["withdraw", "BTCUSDT:dip", "--id", flatten.id]) == 2
    assert f"unknown command '{flatten.id}'; known: '{stop.id}'" in capsys.readouterr().err


def test_tradenb_close_and_move_ask_the_run_for_what_is_named(running, capsys):
    assert main(["close", "btc", "--fraction", "0.5"]) == 0
    assert capsys.readouterr().out == "asked BTCUSDT:dip to close 0.5 of its position\n"
    assert main(["move", "btc", "--stop", "61000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"asked": "BTCUSDT:dip", "stop_loss": 61000.0}
    (run,) = tn.live.attach()
    run.move(take_profit=None)
    asked = [json.loads(path.read_text()) for path in sorted(running.control(KEY).iterdir())]
    assert [each["values"] for each in asked] == [
        {"fraction": 0.5},
        {"stop_loss": 61000.0},
        {"take_profit": None},
    ]
    assert [str(each).partition(" at ")[0] for each in run.pending_commands] == [
        "closing 50 % of it",
        "moving the stop to 61,000.00",
        "moving the target to none",
    ]
    assert main(["close", "btc", "--fraction", "2"]) == 2
    assert "fraction of close must be above 0 and at most 1" in capsys.readouterr().err
    assert main(["move", "btc"]) == 2
    assert "move needs at least one of stop_loss" in capsys.readouterr().err
    assert main(["move", "other", "--stop", "1"]) == 1
    assert "no run other; running: BTCUSDT:dip" in capsys.readouterr().out


def test_a_request_says_only_what_was_asked(running):
    send(DISK, running, KEY, "stop", wall=now(), id="a")
    (path,) = running.control(KEY).iterdir()
    assert sorted(json.loads(path.read_bytes())) == ["id", "kind", "strategy", "symbol", "wall"]
    assert [each.id for each in peek(DISK, running.control(KEY), KEY)] == ["a"]
