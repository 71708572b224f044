"""`tn.candles` says what it shows flat, what it has no rows for, and what was dropped."""

from __future__ import annotations

import logging

import pandas as pd
import pytest

import tradenb as tn
from tradenb.errors import CandleError


def frame(count=120):
    times = pd.date_range("2024-01-01", periods=count, freq="min")
    return pd.DataFrame({"open": 5.0, "high": 6.0, "low": 4.0, "close": 5.0, "volume": 1.0}, times)


def twice(rows, differing=0.0):
    again = rows.iloc[[7]] + differing
    return pd.concat([rows.iloc[:7], again, rows.iloc[7:]])


@pytest.mark.parametrize(
    ("given", "counts", "words"),
    [
        (frame().drop(frame().index[[5, 50, 51]]), {"filled": 3}, "3 missing candles"),
        (frame().drop(frame().index[20:60]), {"closed": 40, "gaps": 1}, "40 minutes"),
        (twice(frame()), {"duplicates_same": 1}, "1 rows"),
        (twice(frame(), 0.01), {"duplicates_replaced": 1}, "1 with other values"),
    ],
)
def test_what_was_repaired_is_in_the_frame_and_in_the_log(given, counts, words, caplog):
    with caplog.at_level(logging.WARNING, "tradenb"):
        found = tn.candles("BTCUSDT", exchange=tn.frame_exchange(given))
    kept = found.attrs["intake"]
    assert {name: kept[name] for name in counts} == counts
    assert [words in message for message in caplog.messages] == [True]


def test_what_is_missing_is_counted_in_the_period_alone(caplog):
    given = frame().drop(frame().index[[5, 50, 51]])
    with caplog.at_level(logging.WARNING, "tradenb"):
        found = tn.candles("X", exchange=tn.frame_exchange(given), start="2024-01-01T01:00")
    assert found.attrs["intake"]["filled"] == 0
    assert not caplog.messages


def test_a_frame_keeps_its_counts_on_disk(tmp_path):
    found = tn.candles("X", exchange=tn.frame_exchange(frame()))
    found.to_parquet(tmp_path / "x.parquet")
    assert pd.read_parquet(tmp_path / "x.parquet").attrs == found.attrs


def test_one_frame_is_not_asked_for_two_markets():
    @tn.strategy("single_market", every="1m")
    def one(ctx):
        ctx.candles("1m", 1, symbol="ETHUSDT")

    source = tn.frame_exchange(frame())
    given = {"exchange": source, "progress": False}
    with pytest.raises(CandleError, match="one market, but BTCUSDT, ETHUSDT are asked for"):
        tn.backtest.run(["BTCUSDT", "ETHUSDT"], strategy=one, **given)
    with pytest.raises(CandleError, match="give one for each symbol"):
        tn.backtest.run("BTCUSDT", strategy=one, **given)
    with pytest.raises(CandleError, match="give one for each symbol"):
        tn.compare([one], symbols="BTCUSDT", exchange=source)
    assert tn.lookahead(one, symbols="BTCUSDT", samples=1, **given).failed


def test_symbols_that_begin_later_or_end_earlier_than_the_run_are_told():
    @tn.strategy("reads_short", every="1m")
    def one(ctx):
        ctx.candles("1m", 1, symbol="SHORT", allow_fewer=True)

    def warnings(symbols, **frames):
        source = tn.frame_exchange(frames)
        return tn.backtest.run(symbols, strategy=one, exchange=source, progress=False).warnings

    traded = warnings(["LONG", "SHORT"], LONG=frame(), SHORT=frame().iloc[20:60])
    read = warnings("LONG", LONG=frame(), SHORT=frame().iloc[20:60])
    for found in (traded, read):
        assert "SHORT: candles begin at 2024-01-01 00:20, the run at 2024-01-01 00:00" in found
        (ends,) = [words for words in found if "SHORT: candles end at 2024-01-01 01:00" in words]
        assert "the run at 2024-01-01 02:00" in ends
    assert not warnings("LONG", LONG=frame(), SHORT=frame(110))
