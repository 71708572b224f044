"""The figures in the report of a live run are those of a backtest over the same candles."""

from __future__ import annotations

import math
from functools import cache

import pytest

import tradenb as tn
from tradenb.live.live_run import record_of
from tradenb.live.status.run_report import report_of_run

PERIOD = {"start": "2024-01-03T12:00", "end": "2024-01-04T04:00"}
MARKET = tn.testing.random_walk(seed=7, days=30)


def plain(ctx):
    return tn.long(take_profit=tn.percent(1), stop_loss=tn.percent(1), minutes=400)


def in_parts(ctx):
    targets = [(tn.percent(0.6), 0.5), (tn.percent(2), 0.5)]
    return tn.long(take_profit=targets, stop_loss=tn.percent(2), trail=1.5)


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory):
    """What a backtest and a rehearsal of a function came to; each is run once."""
    return cache(lambda function: run_both(function, tmp_path_factory.mktemp("rehearsed")))


def run_both(function, folder):
    name = f"figures-{function.__name__}"
    spec = tn.strategy(name, every="15m")(function)
    result = tn.backtest.run("BTCUSDT", strategy=spec, exchange=MARKET, progress=False, **PERIOD)
    run = tn.live.rehearse(
        "BTCUSDT", strategy=spec, exchange=MARKET, speed=None, home=folder, **PERIOD
    )
    assert run.wait(240)
    return result, report_of_run(record_of(run))


@pytest.mark.no_cover
@pytest.mark.parametrize("function", [plain, in_parts], ids=["plain", "parts"])
def test_a_report_of_a_live_run_has_the_figures_of_a_backtest(function, rehearsed):
    result, report = rehearsed(function)
    found = report.summary.figures
    assert result.figures["count"] > 3
    for figure, value in result.figures.items():
        same = math.isclose(found[figure], value, rel_tol=1e-9, abs_tol=1e-12)
        assert same or (math.isnan(found[figure]) and math.isnan(value)), figure
    assert report.summary.marks.curve.at.tolist() == result._figures.marks.curve.at.tolist()


def test_without_candles_a_report_has_the_curve_of_its_closes(rehearsed):
    result, report = rehearsed(plain)
    summary = report._replace(candles=None).summary
    assert not summary.marks.daily
    assert summary.marks.open == len(result.open)
    assert math.isnan(summary.figures["benchmark_return"])
    assert summary.figures["total_pnl"] == pytest.approx(result.figures["total_pnl"])


def test_where_events_do_not_tell_all_parts_a_report_has_the_curve_of_its_closes(rehearsed):
    _, report = rehearsed(in_parts)
    assert report.summary.marks.daily
    few = report.read_changes()[-3:]
    assert not report._replace(read_changes=lambda: few).summary.marks.daily
