from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import reference
from tradenb.core.candles.arrays import NAMES, candles_of
from tradenb.core.candles.resampling import resample
from tradenb.core.timeframe import MINUTE, TIMEFRAMES
from tradenb.engine.history.windows import GrowingCandles

NEW_YEAR = 1_704_067_200_000


def made(count, first=NEW_YEAR):
    """Candles whose values tell their row: 1000.0 is open 0, 2003.0 is high 3."""
    columns = tuple(1000.0 * (place + 1) + np.arange(count) for place in range(5))
    return candles_of(columns, first)


def lists(candles):
    return {name: getattr(candles, name).tolist() for name in ("time", *NAMES)}


@st.composite
def some_candles(draw, longest=400):
    count = draw(st.integers(0, longest))
    first = NEW_YEAR + MINUTE * draw(st.integers(0, 3000))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    return candles_of(tuple(random.random(count) * 1000 for _ in range(5)), first)


def test_the_columns_are_what_they_are_called():
    candles = made(3)
    assert lists(candles) == {
        "time": [NEW_YEAR, NEW_YEAR + MINUTE, NEW_YEAR + 2 * MINUTE],
        "open": [1000.0, 1001.0, 1002.0],
        "high": [2000.0, 2001.0, 2002.0],
        "low": [3000.0, 3001.0, 3002.0],
        "close": [4000.0, 4001.0, 4002.0],
        "volume": [5000.0, 5001.0, 5002.0],
    }
    assert candles.time.dtype == np.int64
    assert (len(candles), candles.start, candles.end) == (3, NEW_YEAR, NEW_YEAR + 3 * MINUTE)
    assert repr(candles) == "Candles(3 x 1m, 2024-01-01 00:00 to 2024-01-01 00:03)"


@pytest.mark.parametrize("name", ["time", *NAMES])
def test_no_column_can_be_written_to(name):
    with pytest.raises(ValueError, match="read-only"):
        getattr(made(3), name)[0] = 1


def test_columns_are_taken_over_without_a_copy_and_the_given_array_stays_writeable():
    column = np.ones(3)
    candles = candles_of((column,) * 5, NEW_YEAR)
    assert np.shares_memory(candles.close, column)
    assert column.flags.writeable
    assert candles_of((candles.close,) * 5, NEW_YEAR).open.tolist() == [1.0, 1.0, 1.0]


def test_a_window_is_a_view():
    candles = made(10)
    assert np.shares_memory(candles.rows(2, 5).close, candles.close)
    assert np.shares_memory(candles.between(NEW_YEAR, NEW_YEAR + MINUTE).high, candles.high)


@given(some_candles(), st.integers(-50, 450), st.integers(-50, 450))
def test_rows_are_those_of_a_list_within_its_bounds(candles, start, stop):
    window = candles.rows(start, stop)
    expected = {
        name: column[max(start, 0) : max(stop, 0)] for name, column in lists(candles).items()
    }
    assert lists(window) == expected
    assert len(window) == len(expected["time"])


@given(some_candles(), st.integers(-200, 3700), st.integers(-200, 3700), st.integers(0, 59_999))
def test_between_takes_what_opens_and_closes_in_the_range(candles, start, end, odd):
    start, end = NEW_YEAR + start * MINUTE + odd, NEW_YEAR + end * MINUTE + odd
    times = candles.between(start, end).time.tolist()
    assert times == [t for t in candles.time.tolist() if start <= t and t + MINUTE <= end]


@given(some_candles(), st.data())
def test_a_window_of_a_window_is_a_window(candles, data):
    cuts = st.integers(0, len(candles))
    first, second = data.draw(cuts), data.draw(cuts)
    outer = candles.rows(first, len(candles))
    assert lists(outer.rows(0, second)) == lists(candles.rows(first, first + second))


def test_index_is_the_row_that_closes_at_a_moment():
    candles = made(10).rows(4, 8)
    assert candles.index(candles.start + MINUTE) == 0
    assert candles.index(candles.end) == 3
    assert candles.index(candles.end + MINUTE) == 4
    assert candles.index(candles.start) == -1


@given(some_candles(), st.lists(st.integers(0, 400), max_size=8))
def test_candles_grow_back_from_any_pieces_and_old_windows_stay(candles, cuts):
    edges = [0, *sorted(min(cut, len(candles)) for cut in cuts), len(candles)]
    growing = GrowingCandles(candles.rows(0, edges[1]))
    seen = [(growing.candles, lists(growing.candles))]
    for start, stop in itertools.pairwise(edges[1:]):
        grown = growing.add(candles.rows(start, stop))
        assert grown is growing.candles
        assert lists(grown) == lists(candles.rows(0, stop))
        seen.append((grown, lists(grown)))
    assert all(lists(window) == before for window, before in seen)
    assert not any(window.close.flags.writeable for window, _ in seen)


def test_growing_does_not_copy_each_time():
    candles = made(100)
    growing = GrowingCandles(candles.rows(0, 50))
    assert np.shares_memory(growing.candles.close, candles.close)
    first = growing.add(candles.rows(50, 51))
    second = growing.add(candles.rows(51, 52))
    assert np.shares_memory(first.close, second.close)
    assert not np.shares_memory(second.close, candles.close)


def test_only_candles_that_follow_can_be_added():
    candles = made(10)
    with pytest.raises(ValueError, match="must follow each other"):
        GrowingCandles(candles.rows(0, 4)).add(candles.rows(3, 10))
    with pytest.raises(ValueError, match="must follow each other"):
        GrowingCandles(resample(candles, 5 * MINUTE)).add(candles.rows(10, 10))


@given(some_candles(longest=3000), st.sampled_from(sorted(TIMEFRAMES)))
def test_resample_equals_the_naive_buckets_bit_for_bit(candles, timeframe):
    step = TIMEFRAMES[timeframe]
    rows = list(zip(*lists(candles).values(), strict=True))
    market = reference.Market([reference.Candle(*row) for row in rows], reference.Rules())
    expected = market.window(timeframe, len(rows), candles.end) if rows else []
    found = resample(candles, step)
    assert found.step == step
    for name in ("time", *NAMES):
        assert getattr(found, name).tolist() == [getattr(b, name) for b in expected], name


@given(some_candles(longest=200), st.data())
def test_resample_does_not_depend_on_where_the_candles_begin(candles, data):
    step = 5 * MINUTE
    cut = data.draw(st.integers(0, len(candles)))
    whole = dict(
        zip(resample(candles, step).time.tolist(), resample(candles, step).volume, strict=True)
    )
    later = resample(candles.rows(cut, len(candles)), step)
    assert all(whole[time] == v for time, v in zip(later.time.tolist(), later.volume, strict=True))


def test_resample_to_the_same_step_is_the_same_object():
    candles = made(10)
    assert resample(candles, MINUTE) is candles


def test_resampled_candles_are_read_only_too():
    candles = resample(made(10), 5 * MINUTE)
    assert not any(getattr(candles, name).flags.writeable for name in NAMES)
