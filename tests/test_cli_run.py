"""`tradenb run FILE` in this process: what it executes, what it prints, how it ends.

Signals, kill -9 and a second process are in tests/live/test_processes.py.
"""

from __future__ import annotations

import json
import sys
from weakref import WeakSet

import pytest

from tests.exporting.live import CELL, START, begin
from tradenb.cli import main
from tradenb.engine.specs.registry import registry
from tradenb.live.loop import supervisor
from tradenb.live.run_registry import RunRegistry

IN_MAIN = """
{how}def main():
    run = tn.live.background("BTCUSDT", strategy=hold, exchange=wall, rules=rules)
    run.release()
"""


@pytest.fixture
def ran(tmp_path, capsys, monkeypatch):
    """Run a bot file to its end; give the exit code, what was printed, and the errors."""

    def run(text, *arguments):
        monkeypatch.setattr(registry, "_named", {})
        monkeypatch.setattr("tradenb.live.api.run_registry", RunRegistry())
        monkeypatch.setattr(supervisor, "_supervisors", WeakSet())
        monkeypatch.setattr(supervisor, "_runs", WeakSet())
        monkeypatch.setattr(sys, "argv", sys.argv)
        monkeypatch.setattr(sys, "path", sys.path[:])
        file = tmp_path / "bot.py"
        file.write_text(text)
        code = main(["run", str(file), "--home", str(tmp_path / "home"), *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.parametrize("how", ["", "async "])
def test_main_is_called_where_the_file_itself_starts_no_run(ran, how):
    code, said, errors = ran(CELL + IN_MAIN.format(how=how))
    assert (code, errors) == (0, "")
    assert said.startswith("running BTCUSDT:hold\n")
    assert "BTCUSDT:hold: idle" in said


def test_main_is_not_called_where_the_file_has_started_a_run(ran):
    text = CELL + START + "run.release()\n\n\ndef main():\n    raise ValueError(7)\n"
    code, said, errors = ran(text, "--json")
    assert (code, errors) == (0, "")
    assert json.loads(said.splitlines()[0]) == {"started": ["BTCUSDT:hold"]}


def test_a_file_may_leave_with_a_clean_exit(ran):
    code, said, _ = ran(CELL + START + "run.release()\nraise SystemExit(0)\n")
    assert code == 0
    assert "running BTCUSDT:hold" in said


def test_a_file_that_starts_no_run_is_a_wrong_call(ran):
    code, said, errors = ran("print(7)\n")
    assert (code, said) == (2, "7\n")
    assert "bot.py started no live run; call tn.live.background(...) in it" in errors


def test_an_exit_code_of_the_file_is_that_of_the_command(ran):
    with pytest.raises(SystemExit) as ended:
        ran("raise SystemExit(5)\n")
    assert ended.value.code == 5


def test_an_error_of_the_file_shows_its_own_lines_alone(ran):
    code, _, errors = ran("def broken():\n    return 1 / 0\n\n\nbroken()\n")
    assert code == 1
    assert errors.startswith("Traceback (most recent call last):\n")
    assert errors.count('  File "') == 2
    assert "ZeroDivisionError" in errors


def test_a_missing_file_is_a_wrong_call(tmp_path, capsys):
    assert main(["run", str(tmp_path / "none.py")]) == 2
    assert "none.py is not a file" in capsys.readouterr().err


def test_a_position_that_is_resumed_is_said(ran, tmp_path):
    begin(tmp_path / "home")
    held = "import time\nwhile run.position is None:\n    time.sleep(0.01)\nrun.release()\n"
    assert ran(CELL + START + held)[0] == 0
    code, said, _ = ran(CELL + START + "run.release()\n")
    assert code == 0
    assert "running BTCUSDT:hold (resumed: long since " in said
