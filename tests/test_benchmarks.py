"""`python -m benchmarks`: no subject keeps the others from being measured; a run can be kept."""

from __future__ import annotations

import sys

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import last_run
from benchmarks.lines import Heading, Line


@pytest.fixture
def measured(monkeypatch, tmp_path, capsys):
    """Measure two subjects, one of which fails, with these arguments; return what is printed."""

    def good(times, quick, folder):
        yield Heading("works")
        yield Line("median", 2.0, "ms", 3)
        yield Line("median", 8.0, "ms", 3)
        yield Line("modules", "none")

    def bad(times, quick, folder):
        yield Line("first", 1.0)
        raise AttributeError("it is gone")

    monkeypatch.setattr(benchmarks, "SUBJECTS", {"bad": bad, "good": good})
    monkeypatch.setattr(last_run, "FOLDER", tmp_path / "runs")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
        benchmarks.main()
        return capsys.readouterr().out

    return run


def test_a_subject_that_fails_is_said_and_the_others_are_measured_in_any_order(measured):
    for order in (("bad", "good"), ("good", "bad"), ()):
        said = measured("--quick", *order)
        assert "bad could not be measured: AttributeError: it is gone" in said
        assert "1 of 2 aims are met" in said


def test_what_was_kept_is_shown_beside_the_next_run_line_by_line(measured):
    assert "2.00 ms             " in measured("good")
    kept = measured("--keep", "good")
    assert last_run.kind_of_machine() in kept
    assert last_run.last_run() == {"good": {"median": 2.0, "median (2)": 8.0}}
    said = [line.split() for line in measured("good").splitlines() if "median" in line]
    assert [line[1:4] for line in said] == [["2.00", "ms", "2.00"], ["8.00", "ms", "8.00"]]


def test_a_quick_run_is_not_kept(measured):
    with pytest.raises(SystemExit):
        measured("--keep", "--quick", "good")
    assert last_run.last_run() == {}
