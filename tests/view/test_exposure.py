"""The picture of exposure over time."""

from __future__ import annotations

import math

import numpy as np

import tradenb as tn
from tradenb.view.svg.exposure_svg import binned, exposure_svg

DAY = 86_400_000


def test_a_stretch_shows_the_mean_of_its_closes_and_one_without_any_the_stretch_before():
    at = np.array([1, 2, 6, 19], dtype=np.int64)
    values = np.array([10.0, 30.0, 50.0, math.nan])
    assert binned(at, values, np.array([0.0, 5.0, 10.0, 15.0, 20.0])).tolist() == [20, 50, 50, 50]
    late = np.array([12], dtype=np.int64)
    assert binned(late, np.array([8.0]), np.array([0.0, 5.0, 10.0, 15.0])).tolist() == [0, 0, 8]


def test_an_account_that_was_ruined_at_once_is_drawn_as_nothing():
    drawn = exposure_svg(np.array([1]), np.array([math.nan]), start=0, end=DAY)
    assert "mean 0.0" in drawn


def test_the_report_of_a_run_with_an_account_shows_money_and_exposure(tmp_path):
    spec = tn.strategy("shown-money", every="4h")(
        lambda ctx: tn.long(take_profit=tn.percent(2), stop_loss=tn.percent(2), minutes=600)
    )
    given = {"strategy": spec, "exchange": tn.testing.random_walk(seed=2, days=3)}
    result = tn.backtest.run(
        "BTCUSDT", account=tn.Account(cash=1_000, percent=50), progress=False, **given
    )
    page = result.report(tmp_path / "money.html").read_text(encoding="utf-8")
    for words in ("Final equity", "Net profit", "Exposure over time", "tnb-exposure", "Turnover"):
        assert words in page
    plain = tn.backtest.run("BTCUSDT", progress=False, **given)
    page = plain.report(tmp_path / "plain.html").read_text(encoding="utf-8")
    assert "Final equity" not in page
    assert "Exposure over time" not in page
    assert "candles of 1m" in page
