"""Prices, touches and milestones: the fast code against loops that anybody can read."""

from __future__ import annotations

import numpy as np
import pytest

from tests.sources import candles, flat, market, minute, through
from tradenb.core import prices
from tradenb.core.lifecycle.holding import plan_of
from tradenb.core.prices import Extremes
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal

AVERAGED = Rules(touch="average_price")


def signal(position="long", *, entry=100.0, take_profit=None, stop_loss=None) -> Signal:
    up = position == "long"
    take_profit = take_profit or (102.0 if up else 98.0)
    stop_loss = stop_loss or (99.0 if up else 101.0)
    return Signal(
        "a", "BTCUSDT", "dip", position, entry, take_profit, stop_loss, 240, None, None, 0
    )


def naive_average(rows, index, count):
    weighted = total = closes = 0.0
    window = rows[max(0, index - count + 1) : index + 1]
    for _, high, low, close, volume in window:
        weighted += (high + low + close) / 3 * volume
        total += volume
        closes += close
    return closes / len(window) if total == 0 else weighted / total


def naive_first(rows, start, stop, hits):
    return next((place for place in range(start, stop) if hits(rows[place])), -1)


def naive_milestones(prices, held, gained, lost):
    fired = []
    for offset, price in enumerate(prices):
        move = price - held.entry if held.position == "long" else held.entry - price
        for level in range(10, 101, 10):
            way = abs(held.take_profit - held.entry)
            if move > 0 and level > gained and move / way * 100 >= level:
                gained = level
                fired.append((offset, level))
            way = abs(held.entry - held.stop_loss)
            if move < 0 and level > lost and -move / way * 100 >= level:
                lost = level
                fired.append((offset, -level))
    return fired


# --------------------------------------------------------------------------------- average price


@pytest.mark.parametrize("count", [1, 2, 5, 60])
def test_the_average_price_is_a_plain_loop_bit_by_bit(count):
    rows = market(1, 200)
    grid = candles(rows)
    fast = [prices.average_price(grid, index, count) for index in range(200)]
    assert fast == [naive_average(rows, index, count) for index in range(200)]


@pytest.mark.parametrize("count", [1, 5, 60])
@pytest.mark.parametrize(("start", "stop"), [(0, 200), (0, 3), (2, 9), (57, 130), (199, 200)])
def test_average_prices_have_the_same_bits_wherever_they_begin(start, stop, count):
    rows = market(2, 200)
    fast = prices.average_prices(candles(rows), start, stop, count)
    assert fast.tolist() == [naive_average(rows, index, count) for index in range(start, stop)]


def test_the_average_price_of_a_longer_history_is_the_same():
    rows = market(3, 120)
    whole, later = candles(rows), candles(rows).rows(60, 120)
    assert prices.average_price(whole, 70, 5) == prices.average_price(later, 10, 5)


def test_without_trades_the_average_price_is_the_mean_of_the_closes():
    grid = candles(through(100.0, 101.0, 103.0, volume=0.0))
    assert prices.average_price(grid, 2, 5) == (100.0 + 101.0 + 103.0) / 3
    assert prices.average_prices(grid, 0, 3, 2).tolist() == [100.0, 100.5, 102.0]


def test_the_market_price_is_the_close_or_the_average():
    rows = market(4, 50)
    grid = candles(rows)
    average = Rules(price="average", average_price_candles=3)
    assert prices.market_price(grid, 20, Rules()) == rows[20][3]
    assert prices.market_price(grid, 20, average) == naive_average(rows, 20, 3)
    assert prices.price_at(grid, minute(21), Rules()) == rows[20][3]
    assert prices.price_at(grid.rows(7, 30), minute(22) - 1, average) == naive_average(rows, 20, 3)
    assert prices.market_prices(grid, 5, 9, Rules()).tolist() == [row[3] for row in rows[5:9]]
    averages = [naive_average(rows, index, 3) for index in range(5, 9)]
    assert prices.market_prices(grid, 5, 9, average).tolist() == averages


# ---------------------------------------------------------------------------------- first touches


@pytest.mark.parametrize("position", ["long", "short"])
@pytest.mark.parametrize("place", [0, 1, 63, 64, 191, 192, 4_159, 8_300, 8_999])
def test_the_first_exit_is_found_in_whatever_window_it_lies(place, position):
    rows = flat(9_000)
    rows[place] = (100.0, 100.0, 99.0, 100.0, 1.0) if position == "long" else rows[place]
    rows[place] = (100.0, 101.0, 100.0, 100.0, 1.0) if position == "short" else rows[place]
    assert prices.first_exit(candles(rows), signal(position), Rules(), 0, 9_000) == place


@pytest.mark.parametrize("position", ["long", "short"])
def test_a_touched_target_is_an_exit_and_touching_is_reaching(position):
    target = signal(position).take_profit
    low, high = sorted((100.0, target))
    rows = [*flat(3), (100.0, high, low, 100.0, 1.0)]
    assert prices.first_exit(candles(rows), signal(position), Rules(), 0, 4) == 3


def test_only_the_rows_from_start_to_stop_are_looked_at():
    rows = flat(100)
    rows[10] = rows[90] = (100.0, 100.0, 99.0, 100.0, 1.0)
    grid = candles(rows)
    assert prices.first_exit(grid, signal(), Rules(), 11, 90) == -1
    assert prices.first_exit(grid, signal(), Rules(), 11, 91) == 90
    assert prices.first_exit(grid, signal(), Rules(), 20, 20) == -1


@pytest.mark.parametrize("position", ["long", "short"])
@pytest.mark.parametrize("start", [0, 3, 170])
def test_first_exit_and_first_entry_are_plain_searches(position, start):
    rows = market(5, 400)
    grid, held = candles(rows), signal(position, entry=97.0 if position == "long" else 103.0)
    held = held._replace(take_profit=106.0, stop_loss=94.0)
    if position == "short":
        held = held._replace(take_profit=94.0, stop_loss=106.0)
    found = prices.first_exit(grid, held, Rules(), start, 400)
    assert found == naive_first(rows, start, 400, lambda row: row[2] <= 94.0 or row[1] >= 106.0)
    found = prices.first_entry(grid, held, Rules(), start, 400)
    reached = (lambda row: row[2] <= 97.0) if position == "long" else lambda row: row[1] >= 103.0
    assert found == naive_first(rows, start, 400, reached) != -1


@pytest.mark.parametrize("start", [0, 2, 64, 301])
def test_with_touch_average_price_touches_are_searched_on_the_average(start):
    rows = market(6, 400)
    averages = [naive_average(rows, index, 5) for index in range(400)]
    entry = min(averages[start : start + 90])
    grid, held = candles(rows), signal(entry=entry, take_profit=104.0, stop_loss=96.0)
    found = prices.first_exit(grid, held, AVERAGED, start, 400)
    assert found == naive_first(averages, start, 400, lambda price: not 96.0 < price < 104.0)
    found = prices.first_entry(grid, held, AVERAGED, start, 400)
    assert found == naive_first(averages, start, 400, lambda price: price <= entry) != -1


def test_with_touch_average_price_a_wick_touches_nothing():
    rows = flat(20)
    rows[7] = (100.0, 110.0, 90.0, 100.0, 1.0)
    assert prices.first_exit(candles(rows), signal(), AVERAGED, 0, 20) == -1
    assert prices.first_exit(candles(rows), signal(), Rules(), 0, 20) == 7


# -------------------------------------------------------------------------------- one candle


def test_the_tested_prices_are_the_candle_or_thrice_its_average():
    rows = market(7, 10)
    assert prices.extremes(candles(rows), 6, Rules()) == Extremes(*rows[6][:3])
    average = naive_average(rows, 6, 5)
    assert prices.extremes(candles(rows), 6, AVERAGED) == Extremes(average, average, average)


@pytest.mark.parametrize(
    ("position", "open_", "filled"),
    [
        ("long", 99.5, 99.0),
        ("long", 99.0, 99.0),
        ("long", 97.5, 97.5),
        ("short", 100.5, 101.0),
        ("short", 101.0, 101.0),
        ("short", 102.5, 102.5),
    ],
)
def test_a_stop_is_filled_at_the_worse_of_stop_and_open(position, open_, filled):
    extremes = Extremes(open_, max(open_, 101.0), min(open_, 99.0))
    assert prices.stop_touched(signal(position), extremes)
    assert prices.stop_fill(signal(position), extremes, Rules()) == filled
    assert prices.opened_beyond_stop(signal(position), extremes) is (filled == open_)


@pytest.mark.parametrize("position", ["long", "short"])
def test_with_touch_average_price_a_stop_is_filled_at_the_stop(position):
    extremes = Extremes(50.0, 50.0, 50.0) if position == "long" else Extremes(150.0, 150.0, 150.0)
    assert prices.stop_fill(signal(position), extremes, AVERAGED) == signal(position).stop_loss


@pytest.mark.parametrize(
    ("position", "high", "low", "touched"),
    [
        ("long", 102.0, 100.0, True),
        ("long", 101.99, 90.0, False),
        ("short", 100.0, 98.0, True),
        ("short", 110.0, 98.01, False),
    ],
)
def test_a_target_is_touched_from_its_own_side(position, high, low, touched):
    assert prices.target_touched(signal(position), Extremes(100.0, high, low)) is touched


# -------------------------------------------------------------------------------- milestones


@pytest.mark.parametrize("position", ["long", "short"])
@pytest.mark.parametrize("cuts", [(), (1,), (7, 8, 40), tuple(range(1, 80))])
def test_milestones_are_a_plain_loop_however_the_prices_are_cut(position, cuts):
    closes = np.array([row[3] for row in market(8, 80)])
    held = signal(position, take_profit=106.0, stop_loss=95.0)
    if position == "short":
        held = signal(position, take_profit=94.0, stop_loss=105.0)
    fired, gained, lost = [], 0, 0
    for start, stop in zip((0, *cuts), (*cuts, 80), strict=True):
        for offset, level in prices.milestones(
            closes[start:stop], plan_of(held, None), gained=gained, lost=lost
        ):
            fired.append((start + offset, level))
        gained = max([gained, *(level for _, level in fired)])
        lost = max([lost, *(-level for _, level in fired)])
    assert fired == naive_milestones(closes.tolist(), held, 0, 0)
    assert len(fired) > 8


def test_several_levels_fire_on_one_candle_in_ascending_size():
    closes = np.array([100.0, 100.61, 99.7])
    expected = [(1, 10), (1, 20), (1, 30), (2, -10), (2, -20), (2, -30)]
    assert (
        prices.milestones(closes, plan_of(signal(stop_loss=99.01), None), gained=0, lost=0)
        == expected
    )


def test_a_level_fires_when_it_is_reached_exactly_and_never_twice():
    closes = np.array([100.5, 100.5, 101.0])
    held = signal(take_profit=105.0)
    assert prices.milestones(closes, plan_of(held, None), gained=0, lost=0) == [(0, 10), (2, 20)]
    assert prices.milestones(closes, plan_of(held, None), gained=20, lost=0) == []


def test_all_levels_may_have_fired_and_there_may_be_no_prices():
    assert prices.milestones(np.array([200.0]), plan_of(signal(), None), gained=100, lost=100) == []
    assert prices.milestones(np.array([]), plan_of(signal(), None), gained=0, lost=0) == []


@pytest.mark.parametrize("position", ["long", "short"])
@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (20, 50), (100, 100)])
def test_milestones_of_one_price_are_those_of_an_array_of_one(position, gained, lost):
    plan = plan_of(signal(position), None)
    known = {"gained": gained, "lost": lost}
    for price in [*np.linspace(97.5, 102.5, 501).tolist(), 100.0, 99.0, 102.0, 101.8]:
        expected = [level for _, level in prices.milestones(np.array([price]), plan, **known)]
        assert prices.milestones_at(price, plan, **known) == expected
    bare = plan._replace(target=None)
    assert prices.milestones_at(200.0 if position == "long" else 1.0, bare, **known) == []
