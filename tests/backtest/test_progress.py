"""The progress bar: nothing for a short run, and right for a long one."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

import tradenb as tn
from tests.sources import exchange, flat
from tradenb.backtest.progress import ProgressBar


def shown(monkeypatch, capsys, steps: list[Any], *, delay: float, enabled: bool = True,
          terminal: bool = True) -> str:  # fmt: skip
    monkeypatch.setattr("tradenb.backtest.progress._DELAY_S", delay)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with ProgressBar(enabled=enabled) as bar:
        for stage, progress in steps:
            bar.show(SimpleNamespace(stage=stage, progress=progress, loading=progress))
    return capsys.readouterr().err


STEPS = [("loading", 0.0), ("loading", 0.5), ("running", 0.25), ("running", 0.5), ("done", 1.0)]


def test_a_long_run_shows_what_is_done_and_how_far_it_is(monkeypatch, capsys):
    said = shown(monkeypatch, capsys, STEPS, delay=0.0)
    places = [
        said.index(words)
        for words in ("loading   0%", "loading  50%", "running  25%", "running  50%")
    ]
    assert places == sorted(places)
    assert "00:00 so far" in said


@pytest.mark.parametrize(("delay", "enabled"), [(1e9, True), (0.0, False)])
def test_a_short_run_and_one_without_progress_show_nothing(monkeypatch, capsys, delay, enabled):
    assert shown(monkeypatch, capsys, STEPS, delay=delay, enabled=enabled) == ""


def test_a_log_is_left_clean(monkeypatch, capsys):
    assert shown(monkeypatch, capsys, STEPS, delay=0.0, terminal=False) == ""


def test_nothing_appears_for_what_is_done_already(monkeypatch, capsys):
    assert shown(monkeypatch, capsys, STEPS[-1:], delay=0.0) == ""


def test_a_run_of_a_moment_prints_nothing(capsys):
    spec = tn.strategy("dip", every="5m")(lambda ctx: None)
    tn.backtest.run("BTCUSDT", strategy=spec, exchange=exchange(flat(20)))
    assert capsys.readouterr() == ("", "")
