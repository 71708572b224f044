"""The script as its user meets it: arguments, environment, signals, logs, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

import tradenb as tn
from tests.exporting.live import begin
from tests.live.fast import until
from tests.live.processes import child
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Key, find_home

pytestmark = pytest.mark.realtime

KEY = Key("hold", "BTCUSDT")


def run(path, *arguments, **environment):
    """Run a script to its end, isolated, in an empty folder."""
    env = {name: text for name, text in os.environ.items() if name != "TRADENB_HOME"} | environment
    folder = path.parent / "elsewhere"
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-I", str(path), *arguments]
    ran = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert list(folder.iterdir()) == []
    return ran


def body(home):
    found = read_document(DiskFilesystem(), find_home(home).document(KEY))
    return None if found is None else found.body


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


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


@pytest.mark.parametrize("how", ["--once", "--dry-run"])
def test_a_wait_for_the_next_candle_is_explained_at_once(bot, tmp_path, how):
    with child("-I", str(bot), how, "--home", str(tmp_path / "fresh")) as found:
        until(lambda: "waiting for the next candle to close, at" in found.words, "the words", 40)
    assert "BTCUSDT:hold: waiting" in "".join(found.errors)
    with child("-I", str(bot), how, "--json", "--home", str(tmp_path / "fresh")) as found:
        assert found.said("waiting") == ["BTCUSDT:hold"]
    assert "".join(found.errors) == ""


def test_the_home_is_that_of_the_notebook_then_the_environments_then_the_arguments(bot, tmp_path):
    homes = [tmp_path / name for name in ("home", "env", "argument")]
    begin(homes[1])
    begin(homes[2])
    run(bot, "--once")
    run(bot, "--once", TRADENB_HOME=str(homes[1]))
    run(bot, "--once", "--home", str(homes[2]), TRADENB_HOME=str(homes[1]))
    assert all(body(home)["state"]["signal"] for home in homes)


def test_a_dry_run_shows_what_would_happen_and_changes_nothing(bot, tmp_path):
    def files():
        return {
            path: path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file()
        }

    before = files()
    empty = run(bot, "--dry-run", "--json")
    assert empty.returncode == 0
    assert [line["event"]["kind"] for line in lines(empty.stdout) if "event" in line] == ["opened"]
    assert files() == before
    run(bot, "--once")
    before = files()
    (tmp_path / "home" / "data" / "KILL").write_text("flatten")
    before = files()
    with child("-I", str(bot), "--dry-run", "--json") as held:
        assert held.said("states") == 1
        held.said("started")
        held.process.send_signal(signal.SIGTERM)  # no candle is due for up to a minute
        assert held.ended() == 0
        assert held.said("ended")[0]["state"].startswith("long since ")
    assert files() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_the_position_for_the_next_start(bot, tmp_path, number):
    with child("-I", str(bot), "--json") as found:
        assert found.said("event")["kind"] == "opened"
        found.process.send_signal(number)
        assert found.ended() == 0
        assert found.said("signal") == number.name
    assert body(tmp_path / "home")["state"]["signal"]


def test_the_exit_code_says_how_it_ended(bot, tmp_path):
    assert run(bot, "--no-such-option").returncode == 2
    assert run(bot, "--once", "--dry-run").returncode == 2
    with child("-I", str(bot), "--json") as holder:
        holder.said("event")
        locked = run(bot, "--once", TRADENB_HOME=os.environ["TRADENB_HOME"])
        assert locked.returncode == 3
        assert f"hold_bot.py: BTCUSDT:hold is held by process {holder.pid}" in locked.stderr
    document = find_home(tmp_path / "home").document(KEY)
    for path in (document, document.with_name(document.name + ".bak")):
        path.write_text("no state")
    damaged = run(bot, "--once")
    assert damaged.returncode == 4
    assert "tradenb doctor" in damaged.stderr


def test_the_log_is_json_too(bot):
    words = '    __import__("logging").getLogger("tradenb.user").warning("asked %s", ctx.symbol)\n'
    answer = "    return tn.long("
    noisy = bot.with_name("noisy.py")
    noisy.write_text(bot.read_text().replace(answer, words + answer))
    said = lines(run(noisy, "--once", "--json").stderr)
    assert [line["message"] for line in said] == ["asked BTCUSDT"]
    assert said[0]["level"] == "warning"


def test_tradenb_stop_and_attach_find_the_script(bot, tmp_path):
    with child("-I", str(bot), "--json", TRADENB_HOME=str(tmp_path / "home")) as found:
        found.said("event")
        held = until(lambda: tn.live.attach(tmp_path / "home"), "the run")[0]
        assert held.position is not None
        held.release()
        assert found.ended() == 0
        assert held.status == "idle"
        assert held.position is not None
