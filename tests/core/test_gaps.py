"""Candles that are missing: what is given, what windows show, and how both grow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import reference
from tests.conftest import examples
from tests.scenarios import differences, on_reference, on_tradenb
from tradenb.core import prices
from tradenb.core.candles.arrays import NAMES, Candles, Intake, Rows
from tradenb.core.candles.gaps import with_columns
from tradenb.core.candles.intake import accept
from tradenb.core.candles.resampling import resample
from tradenb.core.rules import Rules
from tradenb.core.timeframe import MINUTE, TIMEFRAMES
from tradenb.engine.history.windows import GrowingCandles

START = 1_704_067_200_000
GAPS = (None, 0, 2, 15)


def rows_at(minutes: list[int], step: int = MINUTE) -> Rows:
    times = START + np.array(minutes, dtype=np.int64) * step
    walk = 100.0 + np.array([(minute * 7) % 11 for minute in minutes], dtype=np.float64)
    return Rows(times, walk, walk + 1, walk - 1, walk + 0.5, np.array(minutes, dtype=np.float64))


def as_rows(candles: Candles) -> list[tuple[float, ...]]:
    return list(zip(*(getattr(candles, name).tolist() for name in ("time", *NAMES)), strict=True))


def naive(minutes: list[int], gap_minutes: int | None) -> reference.Market:
    table = np.array(rows_at(minutes)).T.tolist()
    found, _ = reference.take_in(table, factor=1000.0, gap_minutes=gap_minutes)
    return reference.Market(found, reference.Rules(gap_minutes=gap_minutes))


with_missing = st.lists(
    st.sampled_from([1] * 12 + [2, 3, 4, 16, 17, 40]), min_size=3, max_size=120
).map(lambda steps: np.cumsum(steps).tolist())


@given(with_missing, st.sampled_from(GAPS), st.sampled_from(["1m", "3m", "5m", "1h"]), st.data())
@settings(max_examples=examples(100))
def test_windows_are_those_of_the_naive_market_however_the_candles_come_in(
    minutes, gap_minutes, timeframe, data
):
    if {*np.diff(minutes)} - {1} and 2 * minutes.count(1) < 0:
        return
    whole, _ = accept(rows_at(minutes), gap_minutes=gap_minutes, whole=False)
    market = naive_or_none(minutes, gap_minutes)
    if market is None:
        return
    step = TIMEFRAMES[timeframe]
    cut = data.draw(st.integers(1, len(whole)))
    growing = GrowingCandles(whole.rows(0, cut))
    frame = GrowingCandles(resample(growing.candles.shown, step))
    for row in range(cut, len(whole)):
        shown = growing.add(whole.rows(row, row + 1)).shown
        new = shown.between(frame.candles.end, shown.end)
        if len(new) and step > MINUTE:
            frame.add(resample(new, step, goes_on=True))
    assert as_rows(growing.candles) == as_rows(whole)
    assert as_rows(growing.candles.shown) == as_rows(whole.shown)
    expected = market.window(timeframe, 10_000, whole.end)
    built = frame.candles if step > MINUTE else growing.candles.shown
    assert as_rows(built) == [(c.time, c.open, c.high, c.low, c.close, c.volume) for c in expected]
    assert as_rows(resample(whole.shown, step)) == as_rows(built)


def naive_or_none(minutes: list[int], gap_minutes: int | None) -> reference.Market | None:
    try:
        return naive(minutes, gap_minutes)
    except reference.Refused:
        return None


@given(with_missing, st.sampled_from([0, 2, 15]), st.integers(1, 10))
@settings(max_examples=examples(100))
def test_the_average_price_is_that_of_what_windows_show(minutes, gap_minutes, count):
    market = naive_or_none(minutes, gap_minutes)
    if market is None:
        return
    market.rules = reference.Rules(average_price_candles=count)
    candles, _ = accept(rows_at(minutes), gap_minutes=gap_minutes)
    closes = (candles.time + MINUTE).tolist()
    expected = [market.average_price(close) for close in closes]
    assert prices.average_prices(candles, 0, len(candles), count).tolist() == expected
    rules = Rules(price="average", average_price_candles=count)
    assert [prices.market_price(candles, row, rules) for row in range(len(candles))] == expected
    assert [prices.price_at(candles, close, rules) for close in closes] == expected
    given = [prices.price_at(candles, close, Rules()) for close in closes]
    assert given == candles.close.tolist()


@given(with_missing, st.sampled_from(["1m", "5m", "15m", "1h"]))
@settings(max_examples=examples(100))
def test_asks_are_due_at_the_first_candle_after_a_multiple(minutes, every):
    step = TIMEFRAMES[every]
    candles, _ = accept(rows_at(minutes), whole=False)
    closes = (candles.time + MINUTE).tolist()
    expected, before = [], START + minutes[0] * MINUTE
    for close in closes:
        if close // step > before // step:
            expected.append(close)
        before = close
    first = candles.start
    assert candles.dues(first, candles.end, step).tolist() == expected
    found, at = [], first
    while (at := candles.next_due(at, step)) <= candles.end:
        found.append(at)
    assert found == expected


def test_a_run_of_missing_minutes_is_thin_or_closed_time_as_a_whole():
    minutes = [0, 1, 17, 18, 35, 36]
    candles, intake = accept(rows_at(minutes), whole=False)
    assert len(candles) == 6
    assert len(candles.shown) == 6 + 15
    gap = (START + 19 * MINUTE, START + 35 * MINUTE)
    assert intake == Intake(rows=6, filled=15, closed=16, gaps=1, longest=gap)


def test_rows_of_a_window_show_the_flat_ones_before_them():
    candles, _ = accept(rows_at([0, 1, 2, 5, 6]))
    assert candles.rows(3, 4).shown.time.tolist() == [START + k * MINUTE for k in (3, 4, 5)]
    assert candles.rows(0, 3).shown.time.tolist() == [START + k * MINUTE for k in (0, 1, 2)]
    assert len(candles.rows(2, 2).shown) == 0


def test_other_columns_of_the_same_times_are_filled_with_their_own_closes():
    candles, _ = accept(rows_at([0, 1, 2, 5]))
    doubled = with_columns(candles, tuple(2 * column for column in candles.columns))
    assert doubled.shown.close.tolist() == (2 * candles.shown.close).tolist()
    assert doubled.time.tolist() == candles.time.tolist()


def test_without_a_bound_missing_minutes_are_candles_like_any_other():
    candles, intake = accept(rows_at([0, 1, 2, 40]), gap_minutes=None)
    assert candles.regular
    assert (len(candles), intake.filled, intake.gaps) == (41, 37, 0)


@pytest.mark.parametrize(("first", "index"), [(1, 1), (0, 0)])
def test_twenty_steps_of_another_timeframe_are_another_file(first, index):
    minutes = [*range(first), *range(first, first + 21 * 15, 15)]
    minutes += [*range(minutes[-1] + 1, minutes[-1] + 60)]
    with pytest.raises(Exception, match="20 steps of 15m in a row begin here") as caught:
        accept(rows_at(minutes))
    assert (caught.value.code, caught.value.index) == ("step", index)


def test_a_row_outside_has_a_time_where_nothing_is_missing():
    candles, _ = accept(rows_at([0, 1, 2]))
    assert candles.ends_at(3) == START + 4 * MINUTE
    gapped, _ = accept(rows_at([0, 1, 5]))
    assert gapped.starts_at(3) == gapped.end == START + 6 * MINUTE
    assert gapped.ends_at(-1) == START
    assert gapped.next_due(gapped.end, 5 * MINUTE) > gapped.end


def test_where_nothing_is_missing_windows_show_the_candles_themselves():
    candles, _ = accept(rows_at([0, 1, 2, 3]))
    shown, places = candles.places_shown(1, 3)
    assert shown is candles
    assert candles.shown is candles
    assert places.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("given_at", "reason"), [(30, "flattened"), (41, "time_expired"), (60, "time_expired")]
)
def test_of_what_came_due_in_closed_time_a_flatten_given_in_it_comes_first(given_at, reason):
    minutes = [*range(21), *range(41, 70)]
    rows = [[START + minute * MINUTE, 100.0, 100.1, 99.9, 100.0, 1.0] for minute in minutes]
    plan = {"position": "long", "take_profit": 110.0, "stop_loss": 95.0, "minutes": 15}
    scenario = {
        "symbols": ["BTCUSDT"],
        "candles": {"BTCUSDT": rows},
        "start": START,
        "end": START + 70 * MINUTE,
        "risks": [],
        "strategies": [
            {
                "name": "a",
                "every": "1m",
                "risk": [],
                "script": {"*": {str(START + 10 * MINUTE): plan}},
            }
        ],
        "commands": [
            {
                "at": START + given_at * MINUTE,
                "kind": "flatten",
                "symbol": "BTCUSDT",
                "strategy": "a",
            }
        ],
    }
    played = on_tradenb(scenario)
    assert differences(played, on_reference(scenario)) == []
    (closed,) = [event for event in played.events if "closed" in event]
    assert closed[0] == START + 42 * MINUTE
    assert reason in closed
