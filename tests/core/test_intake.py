from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tradenb as tn
from tests import reference
from tests.conftest import examples
from tests.sources import exchange, market
from tradenb.core.candles.arrays import Intake, Rows
from tradenb.core.candles.intake import accept
from tradenb.core.timeframe import MINUTE
from tradenb.errors import CandleError

NEW_YEAR = 1_704_067_200_000
NAMES = ("time", "open", "high", "low", "close", "volume")


def rows_of(rows):
    """The columns of rows [minute, open, high, low, close, volume] since the new year."""
    columns = list(zip(*rows, strict=True)) or [()] * 6
    times = np.array([NEW_YEAR + MINUTE * minute for minute in columns[0]], dtype=np.int64)
    return Rows(times, *(np.array(column, dtype=np.float64) for column in columns[1:]))


def flat(minute, price=100.0, volume=1.0):
    return (minute, price, price, price, price, volume)


def quiet(count):
    return [flat(minute) for minute in range(count)]


def refusal(rows, **settings):
    with pytest.raises(CandleError) as caught:
        accept(rows, **settings)
    return caught.value


def replaced(**values):
    """Ten quiet minutes; in row 3 some values are others."""
    rows = rows_of(quiet(10))
    for name, value in values.items():
        getattr(rows, name)[3] = value
    return rows


# ------------------------------------------------------------------------------ what is accepted


def test_clean_candles_pass_unchanged_and_uncopied():
    rows = rows_of([(0, 1.0, 4.0, 0.5, 2.0, 7.0), (1, 2.0, 3.0, 2.0, 3.0, 0.0)])
    candles, intake = accept(rows)
    assert intake == Intake(rows=2)
    assert candles.start == NEW_YEAR
    for name in NAMES:
        assert getattr(candles, name).tolist() == getattr(rows, name).tolist()
    assert np.shares_memory(candles.close, rows.close)


def test_one_candle_is_enough():
    candles, intake = accept(rows_of([flat(0)]))
    assert (len(candles), intake.rows) == (1, 1)


def test_columns_that_are_no_neighbours_in_memory_become_so():
    table = np.array([row[1:] for row in quiet(5)])
    times = NEW_YEAR + MINUTE * np.arange(5)
    candles, _ = accept(Rows(times, *table.T))
    assert candles.close.flags.c_contiguous


def test_missing_minutes_are_filled_flat_and_counted():
    candles, intake = accept(
        rows_of([(0, 1, 4, 0.5, 2, 7), (3, 5, 6, 5, 6, 1), (4, 6, 6, 6, 6, 1)])
    )
    assert intake == Intake(rows=3, filled=2)
    assert candles.open.tolist() == [1, 5, 6]
    candles = candles.shown
    assert candles.open.tolist() == [1, 2, 2, 5, 6]
    assert candles.high.tolist() == [4, 2, 2, 6, 6]
    assert candles.low.tolist() == [0.5, 2, 2, 5, 6]
    assert candles.close.tolist() == [2, 2, 2, 6, 6]
    assert candles.volume.tolist() == [7, 0, 0, 1, 1]


def test_of_rows_with_one_time_the_last_one_stays():
    rows = rows_of([flat(0), flat(1, 100), flat(1, 101), flat(1, 102), flat(2, 103), flat(2, 103)])
    candles, intake = accept(rows)
    assert intake == Intake(rows=6, duplicates_same=1, duplicates_replaced=2)
    assert candles.close.tolist() == [100, 102, 103]


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
def test_a_duplicate_that_differs_in_any_column_replaces(name):
    rows = rows_of([flat(0), (1, 100, 110, 90, 100, 1), (1, 100, 110, 90, 100, 1), flat(2)])
    getattr(rows, name)[2] += 1
    assert accept(rows)[1] == Intake(rows=4, duplicates_replaced=1)


# ------------------------------------------------------------------------------- what is refused


def test_no_rows_are_refused():
    error = refusal(rows_of([]))
    assert (error.code, error.index) == ("empty", None)


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "volume"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused(name, value):
    error = refusal(replaced(**{name: value}))
    assert (error.code, error.index) == ("not_finite", 3)
    assert str(error) == (
        f"candle in row 3 (2024-01-01 00:03): {name} must be a finite number, was {value!r}; "
        "fix or drop the row"
    )


@pytest.mark.parametrize("name", ["open", "high", "low", "close"])
@pytest.mark.parametrize("value", [0.0, -1.5])
def test_a_price_must_be_above_zero(name, value):
    error = refusal(replaced(**{name: value}))
    assert (error.code, error.index) == ("not_positive", 3)
    assert f"candle in row 3 (2024-01-01 00:03): {name} must be above 0, was {value}" in str(error)


@pytest.mark.parametrize("name", ["open", "high", "low", "close"])
@pytest.mark.parametrize(("value", "code"), [(1e-310, "not_positive"), (1e307, "not_finite")])
def test_a_price_that_no_market_has_is_refused(name, value, code):
    error = refusal(replaced(**{name: value}))
    assert (error.code, error.index) == (code, 3)
    assert f"(2024-01-01 00:03): {name} must be from 1e-100 to 1e+100, was {value}" in str(error)


@pytest.mark.parametrize("scale", [1e-101, 1e97])
@pytest.mark.parametrize("account", [None, tn.Account(cash=1_000, percent=50)])
def test_a_backtest_computes_with_the_smallest_and_the_largest_prices(scale, account):
    made = tn.strategy("edge", every="1h")(lambda ctx: tn.long(**tn.bracket(stop=1, target=2)))

    def equity(scale):
        rows = [(*(scale * price for price in row[:4]), row[4]) for row in market(9, 1_440)]
        given = {"exchange": exchange(rows), "account": account, "progress": False}
        return tn.backtest.run("BTCUSDT", strategy=made, **given).equity.to_numpy()

    assert equity(scale) == pytest.approx(equity(1), rel=1e-9)
    assert len({*equity(scale)}) > 50


def test_a_volume_that_no_market_has_is_refused():
    error = refusal(replaced(volume=1e200))
    assert (error.code, error.index) == ("not_finite", 3)
    assert "volume must be at most 1e+100, was 1e+200" in str(error)


def test_a_volume_may_be_zero_but_not_below():
    accept(replaced(volume=0.0))
    error = refusal(replaced(volume=-0.5))
    assert (error.code, error.index) == ("not_positive", 3)
    assert "volume must be 0 or more, was -0.5" in str(error)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"low": 100.5, "high": 101.0}, "low must not be above close 100.0, was 100.5"),
        ({"low": 99.0, "high": 99.5}, "high must not be below close 100.0, was 99.5"),
        ({"open": 99.0}, "low must not be above open 99.0, was 100.0"),
        ({"open": 101.0}, "high must not be below open 101.0, was 100.0"),
        ({"close": 99.0}, "low must not be above close 99.0, was 100.0"),
        ({"close": 101.0}, "high must not be below close 101.0, was 100.0"),
    ],
)
def test_low_and_high_must_enclose_open_and_close(values, words):
    error = refusal(replaced(**values))
    assert (error.code, error.index) == ("low_high", 3)
    assert words in str(error)


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (NEW_YEAR + 3 * MINUTE + 1, "a multiple of 60000, was 1704067380001;"),
        (NEW_YEAR // 1000 + 3, "was 1704067203 (it looks like seconds)"),
        (NEW_YEAR * 1000, "was 1704067200000000 (it looks like microseconds)"),
        (NEW_YEAR * 1_000_000, "(it looks like nanoseconds)"),
        (-MINUTE, "was -60000 (it lies before 1971)"),
        (np.iinfo(np.int64).min, "time is missing (NaT)"),
    ],
)
def test_a_time_must_be_on_the_grid_of_minutes(time, words):
    error = refusal(replaced(time=time))
    assert (error.code, error.index) == ("grid", 3)
    assert words in str(error)
    missing = time == np.iinfo(np.int64).min  # then there is none to be named
    assert str(error).startswith("candle in row 3: " if missing else "candle in row 3 (")


def test_candles_that_are_shorter_than_said_are_told_so():
    error = refusal(rows_of(quiet(10)), step=5 * MINUTE)
    assert (error.code, error.index) == ("grid", 1)
    assert "was 1704067260000 (if the candles are shorter, say so with timeframe=)" in str(error)


def test_days_that_begin_in_another_zone_are_told_how():
    error = refusal(rows_of([flat(300), flat(1_740)]), step=1_440 * MINUTE)
    assert (error.code, error.index) == ("grid", 0)
    assert "; where days begin in another zone, df.tz_localize(None) drops it)" in str(error)


def test_a_row_that_would_be_dropped_is_judged_as_well():
    rows = rows_of([flat(0), flat(1, math.nan), flat(1), flat(2)])
    assert (refusal(rows).code, refusal(rows).index) == ("not_finite", 1)


def test_times_that_go_back_are_refused():
    error = refusal(rows_of([flat(0), flat(2), flat(2), flat(1), flat(1)]))
    assert (error.code, error.index) == ("order", 3)
    assert str(error) == (
        "candle in row 3: time 2024-01-01 00:01 comes after 2024-01-01 00:02; sort the candles by "
        "time, oldest first"
    )


def test_equal_times_must_be_neighbours():
    error = refusal(rows_of([flat(0), flat(1), flat(0)]))
    assert (error.code, error.index) == ("order", 2)


@pytest.mark.parametrize(
    ("step", "name"), [(2, "2m"), (5, "5m"), (60, "1h"), (240, "4h"), (1440, "1d"), (10_080, "1w")]
)
def test_a_coarser_source_is_refused_as_a_whole(step, name):
    error = refusal(rows_of([flat(step * place) for place in range(5)]))
    assert (error.code, error.index) == ("step", None)
    said = "" if name in ("2m", "1w") else f"say timeframe={name!r}, or "  # no length of a source
    assert str(error) == f"candles look like {name}; {said}give candles of 1m"


def test_the_commonest_step_decides_and_a_tie_goes_to_the_shorter():
    tie = [flat(minute) for minute in (0, 1, 2, 4, 6)]
    assert accept(rows_of(tie))[1].filled == 2
    mixed = [flat(minute) for minute in (0, 1, 3, 6, 10, 11)]  # steps 1 2 3 4 1
    assert accept(rows_of(mixed))[1].filled == 6
    assert refusal(rows_of([*tie, flat(8)])).code == "step"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((70, 100, 100, 0.099, 100, 1), "low 0.099 is below 0.1, the median"),
        ((70, 100, 100_000.5, 100, 100, 1), "high 100000.5 is above 100000.0, the median"),
    ],
)
def test_a_price_far_from_the_median_is_refused_with_value_and_bound(row, words):
    rows = [*quiet(70), row, *(flat(minute) for minute in range(71, 75))]
    error = refusal(rows_of(rows), factor=1000.0)
    assert (error.code, error.index) == ("anomaly", 70)
    assert str(error).startswith("candle in row 70 (2024-01-01 01:10): ")
    assert words in str(error)
    assert "raise price_anomaly_factor" in str(error)


@pytest.mark.parametrize("row", [1, 59, 61, 4095, 4096, 4097, 8192])
@pytest.mark.parametrize("times", [2000.0, 0.0005])
def test_a_jump_is_an_anomaly_wherever_it_is(row, times):
    rows = [flat(minute, 100.0 * (times if minute >= row else 1.0)) for minute in range(8300)]
    error = refusal(rows_of(rows))
    # Where it is the most of the first sixty, it is the candle before it that is measured by it.
    assert (error.code, error.index) == ("anomaly", 0 if row < 30 else row)


def test_prices_exactly_at_the_bounds_pass():
    rows = [*quiet(70), (70, 100, 100_000.0, 0.1, 100, 1)]
    assert len(accept(rows_of(rows), factor=1000.0)[0]) == 71


def test_a_market_may_rise_a_thousandfold_if_it_takes_its_time():
    prices = [float(2 ** (minute // 40)) for minute in range(480)]
    rows = [flat(minute, price) for minute, price in enumerate(prices)]
    assert len(accept(rows_of(rows), factor=10.0)[0]) == 480


def test_an_anomaly_is_named_by_its_row_before_duplicates_were_dropped():
    rows = [*quiet(5), flat(4), flat(4), flat(5, 1e9), flat(6)]
    assert (refusal(rows_of(rows)).code, refusal(rows_of(rows)).index) == ("anomaly", 7)


def test_the_first_candle_is_measured_by_the_first_sixty():
    rows = [flat(0, 1e6), *(flat(minute) for minute in range(1, 61))]
    assert (refusal(rows_of(rows)).code, refusal(rows_of(rows)).index) == ("anomaly", 0)


# ---------------------------------------------------------------------- against the naive reading

forward = st.sampled_from([1] * 12 + [0, 0, 2, 3, 16, 17, 60])
anyhow = st.sampled_from([1] * 12 + [0, 2, -1])
near = st.sampled_from([100.0] * 6 + [99.0, 101.0, 100.5])
far = st.sampled_from([100.0] * 30 + [0.1, 0.0999, 100_000.0])
oddities = st.sampled_from([None] * 60 + [math.nan, math.inf, -math.inf, 0.0, -1.0, 1e-9, 1e9])


@st.composite
def raw_rows(draw):
    """Mostly candles; in half of the examples any value, or the order, may be spoilt."""
    spoilt = draw(st.booleans())
    prices = draw(st.sampled_from([near, near, far]))
    rows, minute = [], 100
    for _ in range(draw(st.integers(1, 75))):
        open_, close = draw(prices), draw(prices)
        high, low = max(open_, close) + draw(st.sampled_from([0, 0.5])), min(open_, close)
        row = [minute, open_, high, low, close, draw(st.sampled_from([0.0, 1.0]))]
        odd = draw(oddities) if spoilt else None
        if odd is not None:
            row[draw(st.integers(1, 5))] = odd
        rows.append(tuple(row))
        if draw(st.sampled_from([False] * 15 + [True])):
            rows.append(tuple(row))
        minute += draw(anyhow if spoilt else forward)
    return rows


def naive(rows, factor):
    raw = [(NEW_YEAR + MINUTE * row[0], *row[1:]) for row in rows]
    try:
        grid, counts = reference.take_in(raw, factor=factor)
    except reference.Refused as refused:
        return refused.code, refused.index
    return [
        [tuple(getattr(candle, name) for name in ("time", *NAMES)) for candle in candles]
        for candles in (grid, reference.filled_flat(grid, 15))
    ], dataclasses.asdict(counts)


def fast(rows, factor):
    try:
        candles, intake = accept(rows_of(rows), factor=factor)
    except CandleError as error:
        return error.code, error.index
    return [
        list(zip(*(getattr(found, name).tolist() for name in ("time", *NAMES)), strict=True))
        for found in (candles, candles.shown)
    ], dataclasses.asdict(intake)


@settings(max_examples=examples(300))
@given(raw_rows(), st.sampled_from([1000.0, 1000.0, 2.0, 1.005]))
def test_the_intake_equals_the_naive_one(rows, factor):
    assert fast(rows, factor) == naive(rows, factor)


@settings(max_examples=examples(8))
@given(st.integers(0, 2**32 - 1), st.sampled_from([1.01, 1.05, 1.2]))
def test_anomalies_are_found_alike_in_the_longest_histories(seed, factor):
    random = np.random.default_rng(seed)
    close = 100 * np.cumprod(1 + 0.002 * random.standard_normal(9000))
    rows = [flat(minute, price) for minute, price in enumerate(close.tolist())]
    assert fast(rows, factor) == naive(rows, factor)
