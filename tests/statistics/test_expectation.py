"""The band of a backtest: good runs stay in it as often as promised, bad ones leave it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tradenb.errors import UsageError
from tradenb.statistics.expectation import Band, band_of, course_of

RUNS = 300


def normal(random, count, worse=0.0):
    return random.normal(0.2, 1.5, count) - worse


def skewed(random, count, worse=0.0):
    """Few large wins pay for many small losses."""
    return np.where(random.random(count) < 0.15, 8.0, -1.2) - worse


def turned(random, count, worse=0.0):
    return np.where(random.random(count) < 0.9, 1.0, -6.0) - worse


def closed(percents):
    return [(minute, float(percent)) for minute, percent in enumerate(percents, 1)]


def share_inside(sort, backtested, reach, **live):
    """How many runs stay in the band of a backtest of their own, both of one sort of trades."""
    random = np.random.default_rng(11)
    inside = 0
    for seed in range(RUNS):
        band = band_of(sort(random, backtested), reach=reach, seed=seed)
        inside += course_of(band, closed(sort(random, reach, **live))).left is None
    return inside / RUNS


# A share of 0.95 of 300 runs has a standard error of 0.013.
@pytest.mark.parametrize("sort", [normal, skewed, turned])
@pytest.mark.parametrize(
    ("backtested", "reach"), [(100, 60), pytest.param(400, 100, marks=pytest.mark.soak)]
)
def test_good_runs_stay_inside_at_the_promised_rate(sort, backtested, reach):
    assert 0.91 <= share_inside(sort, backtested, reach) <= 0.99


def test_bad_runs_leave_it():
    assert share_inside(normal, 300, 100, worse=1.0) <= 0.02
    assert share_inside(skewed, 300, 100, worse=1.0) <= 0.30


def test_a_planted_bad_run_leaves_it_below_and_it_says_where():
    random = np.random.default_rng(3)
    band = band_of(normal(random, 200))
    course = course_of(band, closed([*normal(random, 20), *[-4.0] * 8]))
    left = course.left
    assert left is not None
    assert 20 < left.trades <= 28
    assert left.gained < left.low < left.high
    assert course.places[left.trades - 2].inside


def test_the_same_trades_and_seed_give_the_same_band():
    trades = normal(np.random.default_rng(1), 90).tolist()
    assert band_of(trades, seed=4) == band_of(trades, seed=4)
    assert band_of(trades, seed=4) != band_of(trades, seed=5)
    assert band_of(trades).reach == 90
    assert band_of(trades * 9).reach == 500


def test_a_higher_level_and_a_shorter_backtest_make_it_wider():
    trades = normal(np.random.default_rng(1), 400).tolist()

    def width(band):
        low, high = band.bounds(50)
        return high - low

    usual = band_of(trades, reach=50)
    assert width(band_of(trades, reach=50, level=99)) > width(usual)
    shorter = usual._replace(backtested=50)
    assert width(shorter) > 1.3 * width(usual)


def test_the_bounds_are_those_of_the_formula():
    band = Band(0.002, 0.01, 100, 2.0, 3.0, 100, 95.0)
    low, high = band.bounds(25)
    error = 0.01 * math.sqrt(25 + 25**2 / 100)
    assert low == pytest.approx(100 * math.expm1(0.05 - 2 * error), rel=1e-12)
    assert high == pytest.approx(100 * math.expm1(0.05 + 3 * error), rel=1e-12)


def test_trades_before_it_and_beyond_it_do_not_count():
    band = band_of([1.0, -0.8] * 30, reach=2, since=1)
    course = course_of(band, [(1, -50.0), (2, 1.0), (3, 1.0), (4, -90.0), (5, 1.0)])
    assert [place.trades for place in course.places] == [1, 2]
    assert course.places[-1].gained == pytest.approx(2.01)
    assert (course.beyond, course.left) == (2, None)


def test_a_trade_that_lost_everything_leaves_it():
    course = course_of(band_of([1.0, -0.8] * 30), [(1, -130.0)])
    assert course.left is not None


@pytest.mark.parametrize(
    ("trades", "given", "words"),
    [
        ([1.0, -1.0] * 10, {}, "50 at least, it has 20"),
        ([1.0] * 60, {}, "are alike"),
        ([*[1.0] * 60, -100.0], {}, "lost everything"),
        ([1.0, -1.0] * 30, {"level": 12}, "from 50 to 99.9, was 12"),
        ([1.0, -1.0] * 30, {"level": "95"}, "level must be .* from 50 to 99.9, was '95'"),
        ([1.0, -1.0] * 30, {"level": None}, "from 50 to 99.9, was None"),
        ([1.0, -1.0] * 30, {"level": math.nan}, "from 50 to 99.9, was nan"),
        ([1.0, -1.0] * 30, {"seed": "a"}, "seed must be a whole number, 0 or more, was 'a'"),
        ([1.0, -1.0] * 30, {"seed": -1}, "seed must be a whole number, 0 or more, was -1"),
        ([1.0, -1.0] * 30, {"reach": 600}, "^trades must be a whole number from 1 to 500, was 600"),
        ([1.0, -1.0] * 30, {"reach": 0}, "from 1 to 500, was 0"),
        ([1.0, -1.0] * 30, {"reach": 2.5}, "from 1 to 500, was 2.5"),
    ],
)
def test_what_gives_no_band_is_refused(trades, given, words):
    with pytest.raises(UsageError, match=words):
        band_of(trades, **given)
