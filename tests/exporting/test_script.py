"""The script as its user meets it: arguments, environment, signals, logs, exit codes."""

from __future__ import annotations

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from unittest import mock
from weakref import WeakSet

import pytest

import tradenb as tn
from tests.exporting.live import begin
from tests.live.fast import until
from tests.live.notifications.sink import Sink
from tests.live.processes import child
from tradenb.engine.specs.registry import registry
from tradenb.live.loop import supervisor
from tradenb.live.notifications import api
from tradenb.live.run_registry import RunRegistry
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Key, find_home

KEY = Key("hold", "BTCUSDT")


def run(path, *arguments, **environment):
    """Run a script to its end, isolated, in an empty folder."""
    env = {name: text for name, text in os.environ.items() if name != "TRADENB_HOME"} | environment
    folder = path.parent / "elsewhere"
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-I", str(path), *arguments]
    ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert list(folder.iterdir()) == []
    return ran


@pytest.fixture
def here(fresh, capsys, monkeypatch):
    """Run a script to its end in this process; give the exit code, what was printed, the errors."""

    def run(path, *arguments):
        monkeypatch.setattr(registry, "_named", {})
        monkeypatch.setattr("tradenb.live.api.run_registry", RunRegistry())
        monkeypatch.setattr(supervisor, "_supervisors", WeakSet())
        monkeypatch.setattr(supervisor, "_runs", WeakSet())
        monkeypatch.setattr(sys, "argv", [str(path), *arguments])
        with mock.patch.dict(os.environ), pytest.raises(SystemExit) as ended:
            runpy.run_path(str(path), run_name="__main__")
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


def body(home):
    found = read_document(DiskFilesystem(), find_home(home).document(KEY))
    return None if found is None else found.body


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.no_cover
@pytest.mark.realtime
def test_once_makes_one_tick_and_leaves_the_position_to_the_next(bot, tmp_path):
    first = run(bot, "--once", "--json")
    assert (first.returncode, first.stderr) == (0, "")
    said = lines(first.stdout)
    assert said[0]["started"] == ["BTCUSDT:hold"]
    assert said[0]["home"] == str(tmp_path / "home")
    assert [line["event"]["kind"] for line in said if "event" in line] == ["opened"]
    assert said[-1]["ended"][0]["status"] == "idle"
    held = body(tmp_path / "home")["state"]["signal"]
    assert held["take_profit"] > held["entry"] > held["stop_loss"]


@pytest.fixture
def sink(monkeypatch):
    made = Sink()
    monkeypatch.setenv("SINK_URL", made.url)
    yield made
    api.close_all(60)
    made.close()


def with_notifications(path):
    """Let a script notify, as one that was exported beside `tn.notify` does."""
    path.write_text(
        path.read_text().replace(
            "        home=", '        notify=[{"url": "env:SINK_URL"}],\n        home='
        )
    )
    return path


@pytest.mark.realtime
def test_a_script_notifies_once_also_when_it_is_started_again_and_a_dry_run_does_not(
    bot, sink, here, monkeypatch
):
    with_notifications(bot)
    assert here(bot, "--dry-run")[0] == 0
    assert api.active_settings() == []
    for _ in range(2):
        assert here(bot, "--once")[0] == 0
        monkeypatch.setattr(time, "time_ns", lambda now=time.time_ns: now() + 60_000_000_000)
        api.close_all(60)  # as at the end of a process
    assert [line.partition(" at ")[0] for line in sink.lines] == ["BTCUSDT:hold opened long"]


@pytest.mark.realtime
def test_a_script_whose_service_is_not_there_says_so_and_runs(bot, here):
    code, _, errors = here(with_notifications(bot), "--once")
    assert code == 0
    assert "the environment variable 'SINK_URL' is not set" in errors
    assert "the bot runs without these notifications" in errors


@pytest.mark.no_cover
@pytest.mark.realtime
@pytest.mark.parametrize("how", ["--once", "--dry-run"])
def test_a_wait_for_the_next_candle_is_explained_at_once(bot, tmp_path, how):
    with child("-I", str(bot), how, "--home", str(tmp_path / "fresh")) as found:
        until(lambda: "waiting for the next candle to close, at" in found.words, "the words")
    assert "BTCUSDT:hold: waiting" in "".join(found.errors)


@pytest.mark.realtime
def test_a_wait_is_a_line_of_json_too(bot, tmp_path):
    with child("-I", str(bot), "--once", "--json", "--home", str(tmp_path / "fresh")) as found:
        assert found.said("waiting") == ["BTCUSDT:hold"]
    assert "".join(found.errors) == ""


def test_the_home_is_that_of_the_notebook_then_the_environments_then_the_arguments(
    bot, tmp_path, here, monkeypatch
):
    homes = [tmp_path / name for name in ("home", "env", "argument")]
    begin(homes[1])
    begin(homes[2])
    monkeypatch.delenv("TRADENB_HOME")
    here(bot, "--once")
    monkeypatch.setenv("TRADENB_HOME", str(homes[1]))
    here(bot, "--once")
    assert body(homes[1])["state"]["signal"]
    assert body(homes[2])["state"]["signal"] is None
    here(bot, "--once", "--home", str(homes[2]))
    assert all(body(home)["state"]["signal"] for home in homes)


def test_a_run_is_told_in_words_where_nobody_asks_for_json(bot, here, tmp_path):
    code, said, errors = here(bot, "--once", "--home", str(tmp_path / "home"))
    assert (code, errors) == (0, "")
    assert said.startswith(f"running BTCUSDT:hold under {tmp_path / 'home'}\n")
    assert " opened " in said
    assert "BTCUSDT:hold: idle, long since " in said


def test_a_dry_run_shows_what_would_happen_and_changes_nothing(bot, tmp_path, here):
    def files():
        return {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}

    home = tmp_path / "home"
    before = files()
    code, said, _ = here(bot, "--dry-run", "--json", "--home", str(home))
    assert code == 0
    assert [line["event"]["kind"] for line in lines(said) if "event" in line] == ["opened"]
    assert files() == before


@pytest.mark.realtime
def test_a_dry_run_of_a_position_copies_it_and_leaves_at_a_signal(bot, tmp_path, here):
    home = tmp_path / "home"
    here(bot, "--once", "--home", str(home))
    (home / "data" / "KILL").write_text("flatten")
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    with child("-I", str(bot), "--dry-run", "--json", "--home", str(home)) as held:
        assert held.said("states") == 1
        held.said("started")
        held.process.send_signal(signal.SIGTERM)  # no candle is due for up to a minute
        assert held.ended() == 0
        assert held.said("ended")[0]["state"].startswith("long since ")
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


@pytest.mark.no_cover
@pytest.mark.realtime
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_the_position_for_the_next_start(bot, tmp_path, number):
    with child("-I", str(bot), "--json") as found:
        assert found.said("event")["kind"] == "opened"
        found.process.send_signal(number)
        assert found.ended() == 0
        assert found.said("signal") == number.name
    assert body(tmp_path / "home")["state"]["signal"]


@pytest.mark.realtime
def test_a_run_that_another_process_holds_ends_with_its_own_exit_code(bot, here):
    home = os.environ["TRADENB_HOME"]
    with child("-I", str(bot), "--json") as holder:
        holder.said("event")
        code, _, errors = here(bot, "--once", "--home", home)
        assert code == 3
        assert f"hold_bot.py: BTCUSDT:hold is held by process {holder.pid}" in errors


@pytest.mark.parametrize("wrong", [["--no-such-option"], ["--once", "--dry-run"]])
def test_a_wrong_call_ends_with_its_own_exit_code(bot, here, wrong):
    code, _, errors = here(bot, *wrong)
    assert code == 2
    assert errors.startswith("usage: hold_bot.py ")


def test_a_damaged_state_ends_with_its_own_exit_code(bot, here, tmp_path):
    document = find_home(tmp_path / "home").document(KEY)
    for path in (document, document.with_name(document.name + ".bak")):
        path.write_text("no state")
    code, _, errors = here(bot, "--once", "--home", str(tmp_path / "home"))
    assert code == 4
    assert "tradenb doctor" in errors


def test_recorded_candles_need_an_exchange_to_go_live(bot, here):
    bot.write_text(bot.read_text().replace("exchange=wall", "exchange=None"))
    code, _, errors = here(bot, "--once")
    assert code == 2
    assert "pass a live exchange, such as --exchange binance" in errors


def test_the_log_is_json_too(bot, here, tmp_path):
    words = '    __import__("logging").getLogger("tradenb.user").warning("asked %s", ctx.symbol)\n'
    answer = "    return tn.long("
    bot.write_text(bot.read_text().replace(answer, words + answer))
    said = lines(here(bot, "--once", "--json", "--home", str(tmp_path / "home"))[2])
    assert [line["message"] for line in said] == ["asked BTCUSDT"]
    assert said[0]["level"] == "warning"


@pytest.mark.realtime
def test_tradenb_stop_and_attach_find_the_script(bot, tmp_path):
    with child("-I", str(bot), "--json", TRADENB_HOME=str(tmp_path / "home")) as found:
        found.said("event")
        held = until(lambda: tn.live.attach(tmp_path / "home"), "the run")[0]
        assert held.position is not None
        held.release()
        assert found.ended() == 0
        assert held.status == "idle"
        assert held.position is not None
