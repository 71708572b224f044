"""What a strategy sees: prices, closed candles, frames, other symbols."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.sources import MINUTE, candles, market, minute
from tradenb.core.rules import Rules
from tradenb.engine.context import Context, begin_ask
from tradenb.engine.history.windows import Histories
from tradenb.errors import NotEnoughCandles, UnknownName, UsageError, unknown

ROWS = market(11, 180)
OTHER = market(12, 180)


def context(now: int = 100, rules: Rules | None = None) -> Context:
    """A context at a minute, over three hours of candles of two symbols."""
    grids = {"BTCUSDT": candles(ROWS), "ETHUSDT": candles(OTHER)}

    def load(symbol: str):
        if symbol not in grids:
            raise unknown("symbol", symbol, grids)
        return grids[symbol]

    made = Context("BTCUSDT", "backtest", rules or Rules(), Histories(load))
    begin_ask(made, minute(now))
    return made


def test_a_context_knows_where_and_when_it_is():
    ctx = context()
    assert (ctx.symbol, ctx.now, ctx.mode) == ("BTCUSDT", minute(100), "backtest")
    assert ctx.when == pd.Timestamp("2024-01-01 01:40", tz="UTC")
    assert repr(ctx) == "Context(BTCUSDT at 2024-01-01 01:40, backtest)"


def test_the_market_price_is_the_last_close_or_the_average_as_the_rules_say():
    close, average = context(), context(rules=Rules(price="average"))
    assert close.price == ROWS[99][3]
    assert average.price == average.average_price == close.average_price != close.price


def test_the_average_price_is_weighted_over_the_number_of_candles_in_the_rules():
    ctx = context(rules=Rules(average_price_candles=2))
    (_, h1, l1, c1, v1), (_, h2, l2, c2, v2) = ROWS[98:100]
    weighted = (h1 + l1 + c1) / 3 * v1 + (h2 + l2 + c2) / 3 * v2
    assert ctx.average_price == weighted / (v1 + v2)


def test_candles_are_the_last_closed_ones_oldest_first():
    found = context().candles("1m", 3)
    assert found.time.tolist() == [minute(97), minute(98), minute(99)]
    columns = (found.open, found.high, found.low, found.close, found.volume)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == ROWS[97:100]


@pytest.mark.parametrize("now", [100, 101, 104])
def test_a_higher_timeframe_shows_complete_buckets_only(now):
    found = context(now).candles("5m", 2)
    assert found.time.tolist() == [minute(90), minute(95)]
    bucket = ROWS[95:100]
    assert found.high[-1] == max(row[1] for row in bucket)
    assert (found.open[-1], found.close[-1]) == (bucket[0][0], bucket[-1][3])


@pytest.mark.parametrize("name", ["time", "open", "high", "low", "close", "volume"])
def test_the_arrays_cannot_be_written_to(name):
    for timeframe in ("1m", "15m"):
        column = getattr(context().candles(timeframe, 3), name)
        assert (column.dtype, column.shape) == (np.int64 if name == "time" else np.float64, (3,))
        with pytest.raises(ValueError, match="read-only"):
            column[0] = 1


def test_another_symbol_can_be_looked_at_under_any_spelling():
    assert context().candles("1m", 1, "ETH/USDT").close.tolist() == [OTHER[99][3]]
    assert context().candles("1m", 1, symbol="ETHUSDT").close.tolist() == [OTHER[99][3]]
    with pytest.raises(UnknownName, match="unknown symbol 'ETHUSD'; did you mean 'ETHUSDT'"):
        context().candles("1m", 1, "ETHUSD")


def test_too_little_history_says_what_there_is_and_what_to_do():
    with pytest.raises(NotEnoughCandles) as caught:
        context().candles("1h", 2)
    assert str(caught.value) == (
        "not enough closed candles of 1h for BTCUSDT at 2024-01-01 01:40: asked for 2, had 1; "
        "ask for fewer, pass allow_fewer=True, or start the data earlier"
    )


@pytest.mark.parametrize(("now", "count"), [(0, 0), (59, 0), (60, 1), (179, 2)])
def test_allow_fewer_gives_what_there_is(now, count):
    found = context(now).candles("1h", 9, allow_fewer=True)
    assert (len(found), found.close.shape) == (count, (count,))


@pytest.mark.parametrize("n", [0, -1, 1.5, 2.0, True, "5", None, np.float64(3)])
@pytest.mark.parametrize("allow_fewer", [False, True])
def test_n_is_a_whole_number_of_at_least_1(n, allow_fewer):
    with pytest.raises(UsageError) as caught:
        context().candles("1m", n, allow_fewer=allow_fewer)
    assert str(caught.value) == f"n must be a whole number of at least 1, was {n!r}"


@pytest.mark.parametrize("n", [np.int64(3), np.uint8(3)])
def test_n_may_be_a_whole_number_of_numpy(n):
    assert context().candles("1m", n).time.tolist() == [minute(97), minute(98), minute(99)]


@pytest.mark.parametrize("timeframe", ["7m", "60m", "1H", "", 5, None])
def test_an_unknown_timeframe_is_answered_with_the_nearest_and_the_list(timeframe):
    with pytest.raises(UnknownName) as caught:
        context().candles(timeframe, 1)
    words = str(caught.value)
    assert words.startswith(f"unknown timeframe {timeframe!r}; ")
    assert words.endswith("(one of 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w)")


def test_a_frame_is_the_candles_with_an_index_of_utc_open_times():
    frame = context().frame("1m", 3)
    times = pd.date_range("2024-01-01 01:37", periods=3, freq="min", tz="UTC", name="time")
    expected = pd.DataFrame(
        ROWS[97:100], columns=["open", "high", "low", "close", "volume"], index=times.as_unit("ms")
    )
    pd.testing.assert_frame_equal(frame, expected, check_freq=False)
    frame["close"] = 0.0
    assert context().candles("1m", 1).close.tolist() == [ROWS[99][3]]


def test_a_frame_can_be_of_another_symbol_and_shorter_and_empty():
    assert context().frame("1m", 1, "ETHUSDT").close.tolist() == [OTHER[99][3]]
    assert len(context().frame("1h", 9, allow_fewer=True)) == 1
    assert len(context(10).frame("1h", 9, allow_fewer=True)) == 0


def test_state_is_an_empty_dict_at_first_and_one_object_within_an_ask():
    ctx = context()
    assert (ctx.remembers, ctx.state, ctx.remembers) == (False, {}, True)
    ctx.state["x"] = 1
    assert ctx.state == {"x": 1}


def test_the_interval_of_a_window_is_that_of_its_timeframe():
    assert [context().candles(name, 1).step for name in ("1m", "5m", "1h")] == [
        MINUTE,
        5 * MINUTE,
        60 * MINUTE,
    ]
