"""`df.tradenb`: there without an import of pandas by tradenb, and the same as the functions."""

from __future__ import annotations

import pandas as pd
import pytest

import tradenb as tn
from tests.test_facade import HEAVY, loaded_after
from tradenb.frame_accessor import CandlesAccessor

MINUTES = tn.candles("BTCUSDT", exchange=tn.testing.random_walk(seed=7, days=3))


@pytest.mark.parametrize(
    "source",
    [
        "import pandas; import tradenb as tn",
        "import tradenb as tn; import pandas; tn.strategy",
        "import tradenb as tn; tn.strategy; import pandas; tn.long",
    ],
)
def test_a_frame_has_it_whichever_is_imported_first(source):
    loaded_after(f"{source}; assert 'exchange' in dir(pandas.DataFrame().tradenb)")


def test_frames_of_tradenb_have_it_where_nobody_imported_pandas():
    loaded_after(
        "import tradenb as tn; walk = tn.testing.random_walk(days=1); "
        "df = tn.candles('BTCUSDT', exchange=walk); assert len(df.tradenb.candles('1h')) == 24"
    )


def test_tradenb_alone_loads_no_pandas_for_it():
    assert loaded_after("import tradenb as tn; tn.UsageError") & HEAVY == set()


def test_a_frame_makes_candles_an_exchange_and_a_backtest_as_the_functions_do():
    exchange = tn.frame_exchange(MINUTES)
    longer = tn.candles("BTCUSDT", exchange=exchange, timeframe="4h")
    pd.testing.assert_frame_equal(MINUTES.tradenb.candles("4h"), longer)

    @tn.strategy("the same", every="1h")
    def the_same(ctx):
        return tn.long(**tn.bracket(stop=1, target=1.5), minutes=240)

    given = {"end": "2024-01-03", "progress": False}
    found = MINUTES.tradenb.backtest(the_same, symbol="BTCUSDT", **given)
    same = tn.backtest.run("BTCUSDT", strategy=the_same, exchange=exchange, **given)
    assert found.event_list == same.event_list
    assert len(found.event_list) > 20


def test_daily_candles_say_their_length():
    days = MINUTES.tradenb.candles("1d")
    with pytest.raises(tn.CandleError, match="timeframe="):
        days.tradenb.candles("1d")
    assert len(days.tradenb.candles("1d", of="1d")) == 3
    assert days.tradenb.exchange(timeframe="1d").step == 24 * 60 * 60_000


def test_a_frame_without_candles_says_what_is_missing():
    with pytest.raises(tn.CandleError, match="open"):
        pd.DataFrame({"price": [1.0]}).tradenb.candles("1h")


def test_it_shows_what_it_can_do():
    assert repr(MINUTES.tradenb).startswith("<4,320 rows of candles: .exchange()")
    assert {"exchange", "candles", "backtest"} <= set(dir(CandlesAccessor))
