"""An open position that no process follows: where it is seen, and how to go on with it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import sys

import pytest

import tradenb as tn
from tests.live.fast import until
from tests.live.processes import bot
from tradenb.cli import main
from tradenb.engine.specs.registry import registry
from tradenb.live.live_run import record_of
from tradenb.live.notifications.alarms import alarms_of
from tradenb.live.resume_run import is_known_here, resume
from tradenb.live.status.listing import statuses
from tradenb.panel.dashboard_rows import health_of, row_of
from tradenb.panel.replica import Replica
from tradenb.store.codec import Generation
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.launch import Launch, launch_of, note_launch
from tradenb.store.lock import FileLock
from tradenb.store.paths import Home, Key, find_home

KEY = Key("opens", "BTCUSDT")


def opens(ctx):
    return tn.long(take_profit=150.0, stop_loss=85.0, minutes=1_000)


@pytest.fixture
def position(quick):
    """A run that was released with an open position."""
    run = quick.start(tn.strategy("opens", every="1m")(opens))
    until(lambda: record_of(run).committed and run.position, "a position on disk")
    run.release()
    assert run.wait(240)
    return run


def elsewhere(monkeypatch):
    """Forget what this process knows, as another one would."""
    monkeypatch.setattr(registry, "_named", {})
    monkeypatch.setattr("tradenb.live.resume_run.active_runs", list)


@pytest.mark.realtime
def test_fault_95_an_open_position_that_nobody_follows_is_said_everywhere(position, capsys):
    assert main(["status"]) == 1
    said = capsys.readouterr().out
    assert "unwatched long" in said
    assert "BTCUSDT:opens: long since" in said
    assert main(["status", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["runs"][0]["label"] == "unwatched long"
    assert main(["doctor"]) == 1
    assert "! unwatched long: BTCUSDT:opens: long since" in capsys.readouterr().out
    assert main(["stop", "opens"]) == 1
    said = capsys.readouterr().out
    assert "only a running run takes stop. It holds long since" in said
    assert "Go on with it: " in said
    assert tn.live.list().label[0] == "unwatched long"
    (handle,) = tn.live.attach(ended=True)
    for shown in (position, handle):
        assert "unwatched long" in repr(shown)
        assert "tnb-alarm" in shown._repr_html_()
        with pytest.raises(tn.StateError, match="Go on with it"):
            shown.stop()
    assert "needs you: long since" in position.report()


@pytest.mark.realtime
def test_a_home_that_cannot_be_written_tells_which_runs_a_process_has(
    position, monkeypatch, capsys
):
    def read_only(path, flags, *mode, opened=os.open, **more):
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            raise OSError(errno.EROFS, "Read-only file system", str(path))
        return opened(path, flags, *mode, **more)

    lock = FileLock(DiskFilesystem(), find_home(None).lock(KEY), started=1)
    with monkeypatch.context() as patch:
        with lock:
            patch.setattr(os, "open", read_only)
            assert main(["status"]) == 0
            assert " running " in capsys.readouterr().out
        assert main(["status"]) == 1
        assert " unwatched long " in capsys.readouterr().out


@pytest.mark.realtime
def test_where_locks_cannot_be_read_nobody_is_said_to_watch_or_not(position, monkeypatch, capsys):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert main(["status"]) == 1
    said = capsys.readouterr().out
    assert "unknown" in said
    assert "(No locks available), so it is not known whether a process runs it" in said
    assert "no process watches" not in said
    assert main(["doctor"]) == 1
    assert "! unknown: BTCUSDT:opens: " in capsys.readouterr().out
    (status,) = statuses([], find_home(None))
    assert [alarm.code for alarm in alarms_of(status)] == ["unwatched"]
    row = row_of(status, Replica())
    assert "so it is not known whether a process runs it" in row["doubt"]
    assert health_of([status], [row], 0)["level"] == "doubt"


@pytest.mark.realtime
@pytest.mark.parametrize("asked", [["close"], ["move", "--stop", "1"], ["withdraw"], ["stop"]])
def test_what_is_asked_of_a_position_that_nobody_follows_is_told_how_to_go_on(
    position, capsys, asked
):
    verb, *more = asked
    assert main([verb, "opens", *more]) == 1
    said = capsys.readouterr().out
    assert f"only a running run takes {verb}. It holds long since" in said
    assert "Go on with it: " in said
    assert main([verb, "opens", *more, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["words"] in said


@pytest.mark.realtime
def test_fault_13_a_position_whose_states_are_all_damaged_is_not_left_out(position, quick, capsys):
    document = find_home().document(KEY)
    for path in (document, document.with_name(f"{document.name}.bak")):
        path.write_text("damaged")
    for _ in range(2):  # the first start moves them aside
        with pytest.raises(tn.StateCorrupt, match="no valid generation left"):
            quick.start("opens")
        assert main(["status"]) == 1
        said = capsys.readouterr().out
        assert "has no valid generation left, so what it holds is not known" in said
        assert "tradenb doctor --accept FILE" in said
    (row,) = tn.live.list().itertuples()
    assert (row.id, row.status) == ("BTCUSDT:opens", "idle")
    assert "has no valid generation left" in row.last_error


@pytest.mark.realtime
def test_fault_95_this_kernel_goes_on_with_what_it_released(position, quick, monkeypatch):
    monkeypatch.setattr("tradenb.live.resume_run.run_registry", quick.run_registry)
    home = find_home()
    assert is_known_here(KEY, quick.exchange.name)
    assert resume(home, KEY) == "goes on in this kernel"
    (run,) = quick.run_registry.runs()
    assert run.status == "running"
    assert run.position.id == position.position.id
    with pytest.raises(tn.StateError, match="a process runs it already"):
        resume(home, KEY)


@pytest.mark.realtime
def test_fault_95_resume_in_python_gives_the_handle_of_what_goes_on(position, quick, monkeypatch):
    for module in ("resume_run", "api"):
        monkeypatch.setattr(f"tradenb.live.{module}.run_registry", quick.run_registry)
    run = tn.live.resume("BTCUSDT", "opens")
    assert (run.status, run.position.id) == ("running", position.position.id)
    assert run is quick.run_registry.find("BTCUSDT", "opens")
    with pytest.raises(tn.StateError, match="a process runs it already"):
        tn.live.resume("BTCUSDT", record_of(position).spec)
    with pytest.raises(tn.UsageError, match=r"no run ETHUSDT:opens under .*; known: BTCUSDT:opens"):
        tn.live.resume("ETHUSDT", "opens")


@pytest.mark.realtime
def test_a_kernel_that_was_restarted_goes_on_by_the_names_and_the_rules_of_before(
    position, quick, monkeypatch
):
    started = {}
    monkeypatch.setattr("tradenb.live.resume_run.active_runs", list)
    monkeypatch.setattr(
        "tradenb.live.resume_run.run_registry.start", lambda symbol, **more: started.update(more)
    )
    assert resume(find_home(), KEY) == "goes on in this kernel"
    assert started["exchange"] is quick.exchange
    assert started["rules"] == record_of(position).rules


@pytest.mark.realtime
def test_where_nothing_is_known_it_says_what_would_go_on(position, monkeypatch, capsys):
    elsewhere(monkeypatch)
    assert not is_known_here(KEY, "quick")
    assert main(["resume", "opens"]) == 1
    said = capsys.readouterr().err
    assert "it is not known what starts BTCUSDT:opens" in said
    assert "run the cell or the bot file that starts it" in said
    assert main(["resume", "nothing"]) == 2


@pytest.mark.realtime
def test_fault_95_the_bot_file_that_ran_it_last_is_started_again_and_named(
    position, tmp_path, capsys, monkeypatch
):
    elsewhere(monkeypatch)
    name = bot(tmp_path / "bot.py", BOT)
    monkeypatch.setenv("PYTHONPATH", sys.path[0])
    command = ("-m", "tradenb", "run", name, "--home", str(find_home().root))
    launch = Launch(file=name, command=command, folder=str(tmp_path), at=0)
    assert note_launch(DiskFilesystem(durable=False), find_home(), KEY, launch)
    assert main(["stop", "opens"]) == 1
    assert f"tradenb resume BTCUSDT:opens (starts {name})" in capsys.readouterr().out
    assert main(["resume", "opens"]) == 0
    assert f"which runs {name}" in capsys.readouterr().out
    with pytest.raises(tn.StateError, match="a process runs it already"):
        tn.live.resume("BTCUSDT", "opens")
    (handle,) = tn.live.attach()
    assert handle.position.id == position.position.id
    handle.release()
    assert handle.wait(240)


BOT = """
import time
import tradenb as tn
from tests.live.fast import rows

@tn.exchange("wall")
def wall(symbol, since, limit):
    return rows(since, limit, time.time_ns() // 1_000_000)

@tn.strategy("opens", every="1m", history="1h")
def opens(ctx):
    return tn.long(take_profit=150.0, stop_loss=85.0, minutes=1_000)

rules = tn.Rules(tick_ms=100, settle_seconds=0, late_entry_seconds=3_000)
tn.live.background("BTCUSDT", strategy=opens, exchange=wall, rules=rules)
"""


def test_a_file_that_is_gone_or_no_note_is_not_started(tmp_path):
    home, disk = find_home(), DiskFilesystem(durable=False)
    assert launch_of(disk, home, KEY) is None
    launch = Launch(file=str(tmp_path / "gone.py"), command=("x",), folder="/", at=0)
    assert note_launch(disk, home, KEY, launch)
    assert launch_of(disk, home, KEY) is None
    (home.root / "scripts/opens/BTCUSDT.json").write_text("[1]")
    assert launch_of(disk, home, KEY) is None


def noted_under(home, file, folder):
    """Note under a home that a file there, or elsewhere, started a run of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    command = ("-I", str(file), "--json", "--home", str(home.root))
    launch = Launch(file=str(file), command=command, folder=str(folder), at=0)
    assert note_launch(DiskFilesystem(durable=False), home, KEY, launch)


@pytest.mark.parametrize("carry", [shutil.copytree, shutil.move])
def test_a_home_that_was_copied_or_moved_is_the_one_that_its_runs_go_on_under(tmp_path, carry):
    old, new = Home(tmp_path / "old"), Home(tmp_path / "new")
    noted_under(old, old.root / "scripts/opens/BTCUSDT.py", old.root)
    carry(old.root, new.root)
    launch = launch_of(DiskFilesystem(durable=False), new, KEY)
    script = str(new.root / "scripts/opens/BTCUSDT.py")
    assert launch is not None
    assert launch.command == ("-I", script, "--json", "--home", str(new.root))
    assert (launch.file, launch.folder) == (script, str(new.root))


def test_a_copied_home_leaves_a_bot_file_where_it_is(tmp_path):
    old, new, file = Home(tmp_path / "old"), Home(tmp_path / "new"), tmp_path / "bots/bot.py"
    noted_under(old, file, file.parent)
    shutil.copytree(old.root, new.root)
    launch = launch_of(DiskFilesystem(durable=False), new, KEY)
    assert launch is not None
    assert launch.command == ("-I", str(file), "--json", "--home", str(new.root))
    assert (launch.file, launch.folder) == (str(file), str(file.parent))


@pytest.mark.realtime
def test_a_working_folder_that_is_gone_is_said_in_one_line(position, tmp_path, monkeypatch, capsys):
    elsewhere(monkeypatch)
    noted_under(find_home(), tmp_path / "bot.py", tmp_path / "gone")
    assert main(["resume", "opens"]) == 1
    assert f"its working folder {tmp_path / 'gone'} is gone" in capsys.readouterr().err


@pytest.mark.realtime
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"account": "sandbox:loopback:1a2b3c4d"}, "ran with broker, .* broker="),
        ({"money": {"name": "paper"}}, "ran with account, .* account="),
    ],
)
def test_a_run_with_money_is_not_resumed_without_it(position, monkeypatch, changes, words):
    monkeypatch.setattr("tradenb.live.resume_run.active_runs", list)
    body = record_of(position).storage.generation.body
    found = Generation(1, {**body, **changes}, 2)
    monkeypatch.setattr("tradenb.live.resume_run.read_document", lambda *_: found)
    with pytest.raises(tn.StateError, match=words):
        resume(find_home(), KEY)
