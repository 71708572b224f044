"""History: closed candles as of a moment, in every timeframe, and never the future."""

from __future__ import annotations

import pytest

from tests.sources import MINUTE, candles, market, minute
from tradenb.core.timeframe import TIMEFRAMES
from tradenb.engine.history.windows import Histories, History
from tradenb.errors import LookaheadError, NotEnoughCandles

ROWS = market(21, 3 * 24 * 60)


def naive(rows, first: int, timeframe: str, now: int):
    """The complete buckets of a timeframe that had closed, from a loop over minutes."""
    step, found = TIMEFRAMES[timeframe], []
    start = -(-first // step) * step
    while start + step <= now:
        bucket = rows[(start - first) // MINUTE : (start - first + step) // MINUTE]
        volume = 0.0
        for row in bucket:
            volume += row[4]
        high, low = max(row[1] for row in bucket), min(row[2] for row in bucket)
        found.append((start, bucket[0][0], high, low, bucket[-1][3], volume))
        start += step
    return found


def rows_of(window):
    columns = (window.open, window.high, window.low, window.close, window.volume)
    lists = [window.time.tolist(), *(column.tolist() for column in columns)]
    return list(zip(*lists, strict=True))


@pytest.mark.parametrize("timeframe", TIMEFRAMES)
@pytest.mark.parametrize("first", [0, 7])
@pytest.mark.parametrize("now", [0, 3, 61, 800, 1440, 2881, 4320])
def test_a_window_is_the_last_complete_buckets_wherever_the_data_begin(timeframe, first, now):
    rows = ROWS[first:]
    history = History("BTCUSDT", candles(rows, minute(first)))
    known = naive(rows, minute(first), timeframe, minute(now))
    for count in (1, 2, 50):
        window = history.window(timeframe, count, minute(now), allow_fewer=True)
        assert rows_of(window) == known[-count:]


def test_the_future_is_refused():
    history = History("BTCUSDT", candles(ROWS[:30]))
    assert len(history.window("1m", 30, minute(30))) == 30
    with pytest.raises(LookaheadError) as caught:
        history.window("1m", 1, minute(31))
    assert str(caught.value) == (
        "BTCUSDT has candles up to 2024-01-01 00:30, asked for 2024-01-01 00:31"
    )


def test_before_the_first_candle_has_closed_there_is_nothing():
    history = History("BTCUSDT", candles(ROWS[:30], minute(10)))
    with pytest.raises(NotEnoughCandles, match="had 0"):
        history.window("1m", 1, minute(3))
    assert len(history.window("5m", 3, minute(3), allow_fewer=True)) == 0


def test_windows_are_views_of_one_array():
    history = History("BTCUSDT", candles(ROWS))
    first, second = (history.window("5m", 9, minute(now)).close for now in (100, 110))
    assert first.base is second.base is not None


def test_candles_that_are_added_later_make_every_window_as_if_they_had_been_there():
    whole, grown = History("BTCUSDT", candles(ROWS)), History("BTCUSDT", candles(ROWS[:33]))
    before = rows_of(grown.window("5m", 6, minute(33)))
    for start, stop in ((33, 34), (34, 60), (60, 4_320)):
        grown.add(candles(ROWS[start:stop], minute(start)))
        for timeframe in ("1m", "5m", "1h"):
            now = minute(stop)
            known = rows_of(whole.window(timeframe, 9, now, allow_fewer=True))
            assert rows_of(grown.window(timeframe, 9, now, allow_fewer=True)) == known
    assert rows_of(grown.window("5m", 6, minute(33))) == before


def test_histories_load_a_symbol_once_and_only_when_it_is_looked_at():
    loaded = []

    def load(symbol: str):
        loaded.append(symbol)
        return candles(ROWS[:5])

    histories = Histories(load)
    own = histories.add("BTCUSDT", candles(ROWS[:9]))
    assert (histories.of("BTCUSDT"), loaded) == (own, [])
    other = histories.of("ETHUSDT")
    assert (histories.of("ETHUSDT"), other.symbol, loaded) == (other, "ETHUSDT", ["ETHUSDT"])
