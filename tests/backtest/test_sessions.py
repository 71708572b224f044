"""Markets that close: nothing happens while they are shut, whatever comes due then."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tradenb as tn

DAYS = 250
OPEN, CLOSE = 9 * 60 + 30, 16 * 60


def stock(days: int = DAYS, seed: int = 7) -> pd.DataFrame:
    """Minutes of a stock from 09:30 to 16:00 on week days, with jumps over night."""
    random = np.random.default_rng(seed)
    dates = pd.bdate_range("2023-01-02", periods=days)
    minutes = np.arange(OPEN, CLOSE)
    times = (dates.to_numpy()[:, None] + minutes[None, :].astype("timedelta64[m]")).ravel()
    steps = random.normal(0, 0.0006, (days, len(minutes)))
    steps[:, 0] += random.normal(0, 0.012, days)
    close = 100 * np.exp(np.cumsum(steps.ravel()))
    opened = np.concatenate(([100.0], close[:-1]))
    jumps = np.arange(days) * len(minutes)
    opened[jumps] = close[jumps]
    high = np.maximum(opened, close) * 1.0002
    low = np.minimum(opened, close) * 0.9998
    columns = {"open": opened, "high": high, "low": low, "close": close, "volume": 1000.0}
    return pd.DataFrame(columns, index=pd.DatetimeIndex(times, tz="UTC"))


@pytest.fixture(scope="module")
def minutes() -> pd.DataFrame:
    return stock()


def held_over_night(name: str, every: str):
    @tn.strategy(name, every=every)
    def swing(ctx):
        side = tn.long if ctx.now // 60_000 % 2 else tn.short
        return side(
            take_profit=tn.percent(2.0), stop_loss=tn.percent(1.5), minutes=1_200, wait=None
        )

    return swing


def test_no_fill_is_outside_of_the_session_and_nights_end_at_opens(minutes):
    result = tn.backtest.run(
        "ACME", strategy=held_over_night("swing", "15m"), exchange=tn.frame_exchange(minutes)
    )
    fills = result.fills
    assert len(fills) > 300
    minute = fills["at"].dt.hour * 60 + fills["at"].dt.minute
    assert ((minute > OPEN) & (minute <= CLOSE)).all()
    opens = dict(zip(minutes.index + pd.Timedelta("1min"), minutes["open"], strict=True))
    ended = fills[(fills["kind"] == "exit") & (fills["reason"] == "time_expired")]
    at_open = ended[ended["at"].dt.hour * 60 + ended["at"].dt.minute == OPEN + 1]
    assert len(at_open) > 5
    assert [opens[at] for at in at_open["at"]] == at_open["price"].tolist()
    gapped = fills[(fills["reason"] == "stop_loss") & (minute == OPEN + 1)]
    assert len(gapped) > 3
    assert result.intake["ACME"].gaps == DAYS - 1
    assert any("held over missing candles" in words for words in result.warnings)


def test_end_of_day_candles_have_weekends_and_no_fill_in_them(minutes):
    daily = (
        minutes.resample("1D")
        .agg({"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"})
        .dropna()
    )
    result = tn.backtest.run(
        "ACME",
        strategy=held_over_night("daily_swing", "1d"),
        exchange=tn.frame_exchange(daily, timeframe="1d"),
    )
    fills = result.fills
    assert len(fills) > 50
    assert set(fills["at"].dt.day_of_week) == {1, 2, 3, 4, 5}  # the closes of Monday to Friday
    assert result.intake["ACME"].gaps == DAYS // 5 - 1
    assert any(words.startswith("candles of 1d:") for words in result.warnings)


def test_a_week_begins_on_monday_and_is_asked_at_its_first_candle(minutes):
    asked = []

    @tn.strategy("weekly", every="1w")
    def weekly(ctx):
        asked.append((ctx.when, pd.Timestamp(ctx.due, unit="ms", tz="UTC")))

    tn.backtest.run("ACME", strategy=weekly, exchange=tn.frame_exchange(minutes))
    assert len(asked) == DAYS // 5 - 1
    assert {due.day_of_week for _, due in asked} == {0}
    assert {f"{when:%a %H:%M}" for when, _ in asked} == {"Mon 09:31"}


def test_an_interval_shorter_than_the_candles_is_refused(minutes):
    daily = minutes.resample("1D").last().dropna()
    exchange = tn.frame_exchange(daily, timeframe="1d")
    with pytest.raises(tn.UsageError, match=r"every='1h' must be a multiple .* which are 1d long"):
        tn.backtest.run("ACME", strategy=held_over_night("hourly", "1h"), exchange=exchange)


def test_a_window_shorter_than_the_candles_is_refused():
    times = pd.date_range("2024-01-01", periods=48, freq="h")
    hours = pd.DataFrame({"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1.0}, times)

    @tn.strategy("looks_close", every="1h")
    def looks_close(ctx):
        ctx.candles("1m", 5)

    exchange = tn.frame_exchange(hours, timeframe="1h")
    result = tn.backtest.run("X", strategy=looks_close, exchange=exchange)
    assert "timeframe '1m' must be a multiple" in str(result.warnings)
    frame = tn.candles("X", exchange=exchange)
    assert len(frame) == 48
    assert len(tn.candles("X", exchange=exchange, timeframe="1d")) == 2
    with pytest.raises(tn.UsageError, match="must be a multiple of the candles of the exchange"):
        tn.candles("X", exchange=exchange, timeframe="5m")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"timeframe": "1h"}, "need candles of 1m, those of frame are 1h long"),
        ({"rules": tn.Rules(gap_minutes=None)}, "gap_minutes=None fills missing minutes"),
    ],
)
def test_a_rehearsal_refuses_what_only_a_backtest_can_do(values, words, tmp_path):
    times = pd.date_range("2024-01-01", periods=48, freq=values.get("timeframe", "min"))
    frame = pd.DataFrame({"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1.0}, times)
    with pytest.raises(tn.UsageError, match=words):
        tn.live.rehearse(
            "X",
            strategy=held_over_night("rehearsed", "1h"),
            exchange=tn.frame_exchange(frame, timeframe=values.get("timeframe", "1m")),
            rules=values.get("rules"),
            home=tmp_path,
        )


@pytest.mark.parametrize("timeframe", ["3d", "1w"])
def test_an_exchange_has_candles_of_a_day_at_most(timeframe):
    with pytest.raises(tn.UsageError, match="between 1m and 1d"):
        tn.frame_exchange(pd.DataFrame(), timeframe=timeframe)
