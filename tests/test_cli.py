"""The command line around the demo: what it prints, and its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import tradenb
from tests.sources import DAY, MINUTE, frame, market
from tradenb.cli import main
from tradenb.cli.options import table


@pytest.fixture
def demo(tmp_path, capsys):
    """Run the demo without its rehearsal; give the exit code, what was printed, and the report."""

    def run(*arguments: str) -> tuple[int, str, str]:
        report = tmp_path / "report.html"
        code = main(["demo", "--no-rehearsal", "--report", str(report), *arguments])
        said = capsys.readouterr()
        assert report.exists() == (code == 0)
        return code, said.out, said.err

    return run


def test_the_demo_prints_a_summary_and_where_the_report_is(demo, tmp_path):
    code, out, err = demo("--days", "8")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("Result(demo-dip on BTCUSDT, 2024-01-01 00:00 to 2024-01-09 00:00: ")
    assert any(line.startswith("11,520 one-minute candles in ") for line in lines)
    assert lines[-1] == f"report: {tmp_path / 'report.html'}"
    assert "max_drawdown" in out


def test_the_demo_says_of_real_candles_what_was_mended(demo, tmp_path):
    rows = frame(market(1, 2 * DAY // MINUTE))
    twice = rows.iloc[[0, 0, *range(1, 100), *range(105, len(rows))]]
    path = tmp_path / "MINE-1m.csv"
    twice.to_csv(path, index=False)
    code, out, _ = demo("--data", str(path))
    assert code == 0
    assert "Result(demo-dip on MINE, " in out
    assert "note: MINE: 1 duplicate row dropped (0 with other values); the last" in out
    assert "note: MINE: 5 candles missing in short runs" in out


def test_broken_candles_are_one_line_and_exit_1(demo, tmp_path):
    rows = frame(market(1, 100))
    rows.loc[7, "close"] = float("nan")
    path = tmp_path / "BAD-1m.csv"
    rows.to_csv(path, index=False)
    code, out, err = demo("--data", str(path))
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("tradenb: BAD-1m.csv: ")
    assert "row 7" in err


def test_a_report_that_cannot_be_written_is_one_line_and_exit_1(demo, tmp_path):
    folder = tmp_path / "folder.html"
    folder.mkdir()
    code, _, err = demo("--days", "2", "--report", str(folder))
    assert (code, err.count("\n")) == (1, 1)
    assert err.startswith("tradenb: [Errno 21] Is a directory: ")


def test_a_report_that_is_no_page_is_a_wrong_call_before_anything_takes_time(demo, tmp_path):
    code, out, err = demo("--report", str(tmp_path / "report.pdf"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "report.pdf" in err


def test_a_file_that_is_not_there_is_a_wrong_call(demo, tmp_path):
    code, out, err = demo("--data", str(tmp_path / "nothing.csv"))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("tradenb: ")
    assert "nothing.csv" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["dmeo"], "invalid choice: 'dmeo'"),
        (["demo", "--days", "0"], "must be a whole number of 1 to 3660 days, was '0'"),
        (["demo", "--days", "3661"], "must be a whole number of 1 to 3660 days, was '3661'"),
        (["demo", "--days", "1.5"], "must be a whole number of 1 to 3660 days, was '1.5'"),
        (["demo", "--days", "-1"], "must be a whole number of 1 to 3660 days, was '-1'"),
        (["demo", "--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_a_wrong_call_exits_with_2_and_says_why(arguments, words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_it_knows_its_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert (caught.value.code, capsys.readouterr().out) == (0, f"tradenb {tradenb.__version__}\n")


def test_the_module_is_the_command_line():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tradenb", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"tradenb {tradenb.__version__}\n"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_what_a_console_cannot_encode_is_escaped_and_json_stays_json(tmp_path, encoding):
    def said(*more):
        return subprocess.run(
            [sys.executable, "-W", "error", "-m", "tradenb", "stop", "größe 🚀", *more],
            capture_output=True,
            env={**os.environ, "TRADENB_HOME": str(tmp_path), "PYTHONIOENCODING": encoding},
            check=False,
            timeout=60,
        )

    plain, as_json = said(), said("--json")
    assert (plain.returncode, plain.stderr, as_json.returncode, as_json.stderr) == (1, b"", 1, b"")
    shown = "größe 🚀".encode(encoding, "backslashreplace")
    assert plain.stdout == b"no run " + shown + b"; running: none\n"
    assert json.loads(as_json.stdout)["words"] == "no run größe 🚀; running: none"


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("status", 0, ""),
        (
            "arm a --max-order 1 --max-total 1 --max-daily-loss 1 --max-open 1",
            2,
            "tradenb: arm asks a person; run it at a terminal\n",
        ),
    ],
)
def test_streams_that_are_closed_are_no_error(tmp_path, command, code, said):
    words = tmp_path / "said"
    done = subprocess.run(
        f'"{sys.executable}" -m tradenb {command} --home "{tmp_path}" <&- >&- 2>"{words}"',
        shell=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, words.read_text(encoding="utf-8")) == (code, said)


def test_columns_stand_below_each_other_where_letters_are_two_columns_wide():
    rows = [("id", "status"), ("币安人生USDT:dip", "idle"), ("BTCUSDT:dip", "idle")]
    assert table(rows).splitlines() == [
        "id                status",
        "币安人生USDT:dip  idle",
        "BTCUSDT:dip       idle",
    ]
