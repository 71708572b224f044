"""Wrong calls of public functions: each is answered with its arguments and what to write."""

from __future__ import annotations

import inspect

import pandas as pd
import pytest

import tradenb as tn
from tradenb.call_errors import explained
from tradenb.errors import near

WALK = tn.testing.random_walk(seed=7, days=1)
FRAME = pd.DataFrame({"open": [1.0]})


@pytest.fixture
def dip():
    @tn.strategy("dip", every="1h")
    def dip(ctx):
        return None

    return dip


def said(call) -> str:
    with pytest.raises(tn.UsageError) as raised:
        call()
    assert raised.value.__cause__ is None
    return str(raised.value)


def test_arguments_without_their_names_are_answered_with_the_names(dip):
    for function in (tn.backtest.run, tn.backtest.background, tn.live.run, tn.live.rehearse):
        words = said(lambda function=function: function("BTCUSDT", dip, WALK))
        assert "got 3 arguments without a name" in words
        assert "strategy=..., exchange=..." in words
    assert "tn.live.background(symbol, strategy=..., exchange=...)" in said(
        lambda: tn.live.background("BTCUSDT", dip, WALK)
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tn.backtest.run("BTCUSDT", strategy="dip"), "tn.backtest.run also needs exchange"),
        (lambda: tn.backtest.run("BTCUSDT"), "also needs strategy and exchange"),
        (lambda: tn.backtest.run(symbol="B", strategy=1, exchange=1), "did you mean 'symbols'"),
        (lambda: tn.backtest.run("B", symbols="B", strategy=1, exchange=1), "got symbols twice"),
        (lambda: tn.candles("BTCUSDT", WALK), "tn.candles(symbol, exchange=...)"),
        (lambda: tn.candles("BTCUSDT", exchange=WALK, tf="1h"), "no argument 'tf'"),
        (lambda: tn.candles("BTCUSDT", exchange=FRAME), "exchange=tn.frame_exchange(df)"),
        (tn.ccxt_exchange, "tn.ccxt_exchange also needs name"),
        (lambda: tn.sweep(1, grid={}, symbols="B"), "tn.sweep also needs exchange"),
        (lambda: tn.walk_forward(1, param={}), "tn.walk_forward has no argument 'param'"),
        (lambda: tn.compare([1], symbol="B", exchange=1), "did you mean 'symbols'"),
        (lambda: tn.lookahead("dip", "BTCUSDT"), "tn.lookahead got 2 arguments"),
        (tn.parity, "tn.parity also needs run"),
        (lambda: tn.dashboard(homes="dump"), "did you mean 'home'"),
        (lambda: tn.export("dip.py"), "tn.export also needs what"),
        (lambda: tn.export("x", strategy=1), "tn.export(path, what)"),
        (lambda: tn.strategy("dip", "5m"), "tn.strategy(name, every=...)"),
        (lambda: tn.strategy("dip", every="5m", on_opened=print), "did you mean 'on_open'"),
        (lambda: tn.live.stop("BTCUSDT:dip"), "tn.live.stop(symbol, strategy)"),
        (lambda: tn.live.list(5), "home must be a folder such as 'dump', was 5"),
        (lambda: tn.live.attach("a", "b"), "tn.live.attach()"),
        (lambda: tn.file_exchange(FRAME), "pattern must be a file"),
        (lambda: tn.testing.random_walk(7, 90), "tn.testing.random_walk()"),
        (lambda: tn.testing.ExchangeServer(5), "candles must be"),
        (lambda: tn.size_fixed(100), "also needs entry, stop_loss and risk_percent"),
        (tn.stats, "tn.stats(trades, start=..., end=...)"),
        (lambda: tn.subscribe(print, "closed"), "tn.subscribe(function)"),
        (tn.risks.max_open, "tn.risks.max_open(count)"),
    ],
)
def test_a_wrong_call_names_what_is_wrong_and_how_it_is_called(call, words):
    assert words in said(call)


def test_rules_that_do_not_exist_are_answered_with_the_near_one_and_all(dip):
    words = said(lambda: tn.Rules(fee=0.1))
    assert "unknown rule 'fee'; did you mean 'fee_percent' or 'maker_fee_percent'?" in words
    assert set(tn.Rules.model_fields) <= set(words.replace(",", " ").replace(")", " ").split())
    assert "pass 0.1 by name" in said(lambda: tn.Rules(0.1))
    for start in (tn.backtest.run, tn.live.rehearse):
        assert "rules must be tn.Rules(...)" in said(
            lambda start=start: start("B", strategy=dip, exchange=WALK, rules={"fee_percent": 1})
        )


def test_a_name_of_an_exchange_means_the_same_everywhere(dip, monkeypatch):
    made = []
    monkeypatch.setattr(
        "tradenb.exchanges.ccxt.ccxt_factory.ccxt_exchange", lambda name: made.append(name) or WALK
    )
    tn.backtest.run("BTCUSDT", strategy=dip, exchange="binance")
    tn.candles("BTCUSDT", exchange="kraken")
    assert made == ["binance", "kraken"]
    for call in (tn.backtest.run, tn.live.background, tn.live.rehearse):
        words = said(lambda call=call: call("BTCUSDT", strategy=dip, exchange="binanc"))
        assert "unknown exchange 'binanc'; did you mean 'binance'" in words


def test_a_rehearsal_refuses_what_is_no_speed_and_no_period(dip):
    def rehearse(**more):
        return lambda: tn.live.rehearse("BTCUSDT", strategy=dip, exchange=WALK, **more)

    assert "speed must be a number above 0" in said(rehearse(speed="fast"))
    assert "start must be before end" in said(rehearse(start="2024-01-05", end="2024-01-02"))
    assert "pass exactly one" in said(
        lambda: tn.live.rehearse("BTCUSDT", strategy=[dip], exchange=WALK)
    )


def test_an_explained_function_is_shown_as_it_was_written():
    assert list(inspect.signature(tn.backtest.run).parameters)[:2] == ["symbols", "strategy"]
    assert tn.backtest.run.__module__ == "tradenb.backtest.api"

    @explained("tn.sum")
    def added(*numbers, **more):
        return sum(numbers, *more.values())

    assert added(1, 2, start=3) == 6


def test_what_reads_the_table_of_a_sweep_names_its_arguments():
    table = pd.DataFrame()
    with pytest.raises(tn.UsageError, match=r"tn.research.heatmap has no argument 'metric'"):
        tn.research.heatmap(table, metric="sharpe")
    with pytest.raises(tn.UsageError, match=r"tn.research.ranking has no argument 'to'"):
        tn.research.ranking(table, to=3)
    with pytest.raises(tn.UsageError, match=r"tn.research.parallel also needs table"):
        tn.research.parallel()


def test_a_name_in_another_case_is_near():
    assert near("adausdt", ["ADAUSDT", "XRPETH"]) == "; did you mean 'ADAUSDT'?"
    assert near("Dip", ["dip", "top"]) == "; did you mean 'dip'?"


def test_errors_of_the_function_itself_are_its_own():
    @explained("tn.broken")
    def broken(number):
        return number + "x"

    with pytest.raises(TypeError, match="unsupported operand"):
        broken(1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda ctx: tn.long(trailing=2), "argument 'trailing'; did you mean 'trail'"),
        (lambda ctx: tn.short(stop=1), "argument 'stop'; did you mean 'stop_loss'"),
        (
            lambda ctx: tn.long(zzz=1),
            "argument 'zzz'. Call it as tn.long(stop_loss=...); optional",
        ),
        (lambda ctx: tn.long(1), "given. Call it as tn.long(stop_loss=...); optional: take_profit"),
    ],
)
def test_a_wrong_call_of_long_or_short_is_answered_in_the_event(call, words):
    spec = tn.strategy("wrong-call", every="1h")(call)
    result = tn.backtest.run("BTCUSDT", strategy=spec, exchange=WALK)
    assert words in result.events.note.iloc[0]
    assert words[:40] in result.why()


def test_a_function_of_the_user_with_that_name_gets_no_hint_of_ours():
    cell = "def long(*, stop_loss): ...\ndef own(ctx):\n    return long(stop=1)"
    names = {"__name__": "cell"}
    exec(cell, names)
    spec = tn.strategy("own-long", every="1h")(names["own"])
    result = tn.backtest.run("BTCUSDT", strategy=spec, exchange=WALK)
    assert "unexpected keyword argument 'stop' (line" in result.events.note.iloc[0]


@pytest.mark.parametrize(
    "call",
    [
        lambda spec, tall: tn.backtest.run("BTCUSDT", strategy=spec, exchange=WALK, rules=tall),
        lambda spec, tall: tn.broker("binance", mode="sandbox", account=tall),
        lambda spec, tall: tn.testing.broker(account=tall),
        lambda spec, tall: tn.live.attach(tall),
    ],
)
def test_a_value_of_several_lines_is_shown_in_one(dip, call):
    words = said(lambda: call(dip, pd.DataFrame({"a": range(50)})))
    assert ("\n" in words, "..." in words) == (False, True)
