"""`tn.backtest.run`: what it does with good arguments, and what it says to bad ones."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

import tradenb as tn
from tests.sources import DAY, MINUTE, T0, exchange, flat, frame, market, minute, through

BUY = {"position": "long", "take_profit": 102.0, "stop_loss": 99.0, "minutes": 60}


def strategy(name: str = "dip", every: str = "5m", **more):
    """A strategy that buys whenever it is asked."""

    @tn.strategy(name, every=every, **more)
    def buys(ctx):
        return BUY

    return buys


def run(symbols="BTCUSDT", **more) -> tn.backtest.Result:
    given = {"exchange": exchange(flat(30)), "progress": False, **more}
    if "strategy" not in given:
        given["strategy"] = strategy()
    return tn.backtest.run(symbols, **given)


# ---------------------------------------------------------------------------------- good arguments


def test_objects_and_names_strings_and_lists_are_the_same():
    by_object = run(["BTC/USDT"], strategy=[strategy()])
    assert run("BTCUSDT", strategy="dip").event_list == by_object.event_list
    assert [event.kind for event in by_object.event_list] == ["opened"]


def test_an_exchange_that_is_a_function_is_found_by_its_name():
    @tn.exchange("mine", now=lambda: minute(60))
    def mine(symbol, since, limit):
        count = min(limit, (minute(30) - since) // MINUTE)
        return [[since + place * MINUTE, 100, 100, 100, 100, 1] for place in range(count)]

    result = run(exchange="mine", start=minute(0), end=minute(20))
    assert result.event_list == run(exchange=mine, start=minute(0), end=minute(20)).event_list
    assert (result.exchange, len(result.event_list)) == ("mine", 1)


def test_every_strategy_runs_on_every_symbol_strategies_first():
    result = run(
        ["B", "A"],
        strategy=[strategy("z"), strategy("a")],
        exchange=exchange({"A": flat(30), "B": flat(30)}),
    )
    assert [(event.strategy, event.symbol) for event in result.event_list] == [
        ("z", "B"), ("z", "A"), ("a", "B"), ("a", "A"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "start",
    [
        minute(10),
        minute(10) + 59_999,
        "2024-01-01T00:10",
        "2024-01-01 01:10:30+01:00",
        dt.datetime(2024, 1, 1, 0, 10),  # noqa: DTZ001 - naive is UTC
        dt.datetime(2024, 1, 1, 0, 10, tzinfo=dt.UTC),
        pd.Timestamp("2024-01-01 00:10"),
        pd.Timestamp("2024-01-01 09:10", tz="Asia/Tokyo"),
    ],
)
def test_a_moment_may_be_written_in_many_ways(start):
    result = run(start=start, end=pd.Timestamp("2024-01-01 00:21", tz="UTC"))
    assert (result.start, result.end, result.warnings[1:]) == (minute(10), minute(21), [])
    assert [event.at for event in result.event_list] == [minute(15)]


def test_candles_before_the_start_are_seen_and_never_traded():
    seen = []

    @tn.strategy("looks", every="5m")
    def looks(ctx):
        seen.append((ctx.now, ctx.candles("1m", 12).time[0]))

    assert run(strategy=looks, start=minute(12), end=minute(20)).event_list == []
    assert seen == [(minute(15), minute(3)), (minute(20), minute(8))]


@pytest.mark.parametrize("block", [7 * MINUTE, DAY])
def test_the_blocks_of_a_run_do_not_show_in_its_events(monkeypatch, block):
    @tn.strategy("near", every="15m", on_ping=lambda event: None)
    def near(ctx):
        price = ctx.price
        return tn.long(
            take_profit=1.01 * price, stop_loss=0.99 * price, minutes=99, entry=price - 0.25
        )

    source = exchange(market(3, 3 * DAY // MINUTE))
    whole = run(strategy=near, exchange=source)
    monkeypatch.setattr("tradenb.backtest.period.BLOCK", block)
    assert run(strategy=near, exchange=source).event_list == whole.event_list
    assert len(whole.trade_list) > 10


# ---------------------------------------------------------------------------------- bad arguments


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"strategy": "dipp"}, tn.UnknownName, "unknown strategy 'dipp'; did you mean 'dip'?"),
        ({"strategy": run}, tn.SpecError, "a strategy must be given as an object or by its name"),
        ({"strategy": []}, tn.UsageError, "pass at least one strategy; none was given"),
        ({"symbols": []}, tn.UsageError, "pass at least one symbol; none was given"),
        (
            {"symbols": None},
            tn.UsageError,
            "symbols must be a symbol or a list in their order, was",
        ),
        (
            {"symbols": frame(flat(30))},
            tn.UsageError,
            (
                "symbols must be a symbol or a list in their order, was timestamp open high low "
                "close volume 0 1704067200000 100.0 100.0 100.0 100.0 ...; candles go to "
                "exchange=tn.frame_exchange(df)"
            ),
        ),
        (
            {"start": frame(flat(30))},
            tn.UsageError,
            "start must be ms since the epoch, a datetime or an ISO string, was timestamp open",
        ),
        ({"symbols": {"A", "B"}}, tn.UsageError, "symbols must be a symbol or a list in their ord"),
        ({"symbols": ["A", 5]}, tn.UsageError, "symbol must be a string such as 'BTCUSDT', was 5"),
        ({"symbols": ["A/B", "AB"]}, tn.UsageError, "duplicate symbol AB; pass each one once"),
        (
            {"strategy": ["dip", "dip"]},
            tn.UsageError,
            "duplicate strategy dip; pass each one once, or name them",
        ),
        ({"symbols": ""}, tn.UsageError, "symbol must not be empty, was ''"),
        ({"exchange": "nowhere"}, tn.UnknownName, "unknown exchange 'nowhere'"),
        ({"exchange": frame(flat(3))}, tn.UsageError, "exchange must be an exchange such as tn.fr"),
        (
            {"exchange": None},
            tn.UsageError,
            "exchange must be an exchange such as tn.frame_exchang",
        ),
        ({"rules": {"fee_percent": 0}}, tn.UsageError, "rules must be tn.Rules(...), was {'fee_pe"),
        ({"start": "soon"}, tn.UsageError, "start must be ISO 8601 like '2024-03-01' or"),
        ({"end": 1_704_067_200}, tn.UsageError, "end must lie between 1971 and 2200 in ms since"),
        ({"start": True}, tn.UsageError, "start must be a moment, was True"),
        ({"start": pd.NaT}, tn.UsageError, "start must be a real moment, was NaT"),
        (
            {"start": minute(9), "end": minute(3)},
            tn.UsageError,
            "start must be before end, was 2024-01-01 00:09 with end 2024-01-01 00:03",
        ),
        (
            {"start": minute(9), "end": minute(9) + 5},
            tn.UsageError,
            "start must be before end, was",
        ),
    ],
)
def test_a_bad_argument_is_named_with_the_nearest_right_one(more, error, words):
    strategy()
    symbols = more.pop("symbols", "BTCUSDT")
    with pytest.raises(error) as caught:
        run(symbols, **more)
    assert str(caught.value).startswith(words)


def test_an_unknown_symbol_is_answered_with_the_nearest():
    with pytest.raises(tn.UnknownName, match="unknown symbol 'BTCUSD'; did you mean 'BTCUSDT'"):
        run("BTC/USD", exchange=exchange({"BTCUSDT": flat(9), "ETHUSDT": flat(9)}))


def test_two_versions_of_one_rule_in_one_run_are_refused():
    first = strategy("a", risk=tn.risks.max_open(1, name="limit"))
    second = strategy("b", risk=tn.risks.max_open(2, name="limit"))
    with pytest.raises(tn.UsageError) as caught:
        run(strategy=[first, second])
    assert str(caught.value) == (
        "strategy 'b' uses another version of risk rule 'limit' than the strategy before it; "
        "run the cells that define both again"
    )


# ------------------------------------------------------------------------------------- candles


def test_a_period_that_reaches_beyond_the_data_is_clipped_with_a_warning():
    result = run(start=T0 - DAY, end=T0 + DAY)
    assert (result.start, result.end, result.candle_count) == (T0, minute(30), 30)
    assert result.warnings[0] == (
        "BTCUSDT: requested from 2023-12-31 00:00 to 2024-01-02 00:00, "
        "but there are only candles from 2024-01-01 00:00 to 2024-01-01 00:30"
    )


@pytest.mark.parametrize(
    ("asked", "words"),
    [({"start": T0 - DAY}, "from 2023-12-31 00:00"), ({"end": T0 + DAY}, "to 2024-01-02 00:00")],
)
def test_a_warning_names_the_part_of_a_period_that_was_asked_for(asked, words):
    assert run(**asked).warnings[0] == (
        f"BTCUSDT: requested {words}, "
        "but there are only candles from 2024-01-01 00:00 to 2024-01-01 00:30"
    )


@pytest.mark.parametrize(("start", "end"), [(T0 + DAY, None), (None, T0), (T0 - DAY, T0 - 1)])
def test_a_period_without_candles_is_refused(start, end):
    with pytest.raises(tn.CandleError) as caught:
        run(start=start, end=end)
    assert caught.value.code == "range"
    assert str(caught.value).endswith("there are candles from 2024-01-01 00:00 to 2024-01-01 00:30")


def broken(**changes) -> pd.DataFrame:
    made = frame(flat(30))
    for column, value in changes.items():
        made.loc[7, column] = value
    return made


@pytest.mark.parametrize(
    ("candles", "code", "row"),
    [
        (broken(close=float("nan")), "not_finite", 7),
        (broken(low=-1.0), "not_positive", 7),
        (broken(low=101.0), "low_high", 7),
        (broken(timestamp=minute(7) + 1), "grid", 7),
        (broken(timestamp=minute(3)), "order", 7),
        (broken(high=1e6), "anomaly", 7),
        (frame(flat(30)).iloc[:0], "empty", None),
        (frame(flat(30)).assign(timestamp=lambda f: f.timestamp * 60 - 59 * T0), "step", None),
        (frame(flat(30)).drop(columns="low"), "columns", None),
    ],
)
def test_candles_that_cannot_be_right_are_refused_by_row(candles, code, row):
    with pytest.raises(tn.CandleError) as caught:
        run(exchange=tn.frame_exchange({"BTCUSDT": candles}))
    assert (caught.value.code, caught.value.index) == (code, row)
    assert str(caught.value).startswith("BTCUSDT: ")


def test_hourly_candles_are_refused_by_name():
    hourly = frame(flat(30)).assign(timestamp=lambda f: f.timestamp * 60 - 59 * T0)
    with pytest.raises(tn.CandleError, match="candles look like 1h; say timeframe"):
        run(exchange=tn.frame_exchange(hourly))


def test_duplicates_and_missing_minutes_are_counted_in_a_warning():
    rows = frame(through(*range(100, 130)))
    rows = pd.concat([rows.iloc[[0, 0]], rows.iloc[[1, 2]].assign(timestamp=minute(1)), rows[5:]])
    result = run(exchange=tn.frame_exchange(rows))
    assert result.warnings[:2] == [
        "BTCUSDT: 2 duplicate rows dropped (1 with other values); the last row of a minute counts",
        "BTCUSDT: 3 candles missing in short runs",
    ]
    assert (result.intake["BTCUSDT"].rows, result.intake["BTCUSDT"].filled) == (29, 3)
