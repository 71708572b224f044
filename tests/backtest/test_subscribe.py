"""`tn.subscribe`: three channels of a backtest, and subscribers that disturb nobody."""

from __future__ import annotations

import time

import pandas as pd
import pytest

import tradenb as tn
from tests.sources import DAY, MINUTE, exchange, flat, minute
from tradenb.backtest.backtest_run import run_portfolio
from tradenb.bus import Performance, Subscription


def run(function=None, symbols="BTCUSDT", *, rows=None, every="5m", **more):
    spec = tn.strategy("dip", every=every, **more)(function or buys)
    rows = flat(20) if rows is None else rows
    one = isinstance(symbols, str) or isinstance(rows, dict)
    source = exchange(rows if one else dict.fromkeys(symbols, rows))
    return tn.backtest.run(symbols, strategy=spec, exchange=source, progress=False)


def buys(ctx):
    if ctx.now == minute(15):
        raise ValueError("once")
    return tn.long(take_profit=102, stop_loss=98, minutes=5)


def test_subscribers_get_every_event_in_order():
    told = []
    with tn.subscribe(told.append):
        result = run()
    assert told == result.event_list
    kinds = ["opened", "closed", "opened", "closed", "error", "opened"]
    assert [event.kind for event in told] == kinds


def test_who_joins_in_the_middle_is_told_the_numbers_of_the_result():
    told, rows = [], flat(40_000)  # of several blocks

    def joins(ctx):
        if ctx.now >= minute(25_000) and not subscribed:
            subscribed.append(tn.subscribe(told.append))
        return tn.long(take_profit=102, stop_loss=98, minutes=720)

    subscribed: list[Subscription] = []
    result = run(joins, rows=rows, every="1d")
    subscribed.pop().close()
    events = result.event_list
    assert [event.seq for event in events] == [*range(1, len(events) + 1)]
    assert 0 < len(told) < len(events)
    assert told == events[-len(told) :]


@pytest.mark.parametrize(
    ("wanted", "kinds"),
    [
        ({"kinds": {"opened"}}, {"opened"}),
        ({"kinds": "closed"}, {"closed"}),
        ({"kinds": ["closed", "error"]}, {"closed", "error"}),
        ({"mode": "backtest"}, {"opened", "closed", "error"}),
        ({"mode": "live"}, set()),
        ({"channel": "errors"}, {"error"}),
        ({"channel": "errors", "mode": "live"}, set()),
        ({"channel": "ticks"}, set()),
        ({"kinds": []}, set()),
    ],
)
def test_a_subscriber_hears_the_kinds_mode_and_channel_it_asked_for(wanted, kinds):
    told = []
    with tn.subscribe(told.append, **wanted):
        result = run()
    assert told == [event for event in result.event_list if event.kind in kinds]
    assert len({event.kind for event in told}) == len(kinds)


def test_who_joins_while_a_vectorised_run_jumps_is_told_of_everything(monkeypatch):
    @tn.strategy("dip", every="5m", vectorised=True)
    def dip(df):
        return pd.DataFrame(
            {"position": "long", "take_profit": 102.0, "stop_loss": 98.0, "minutes": 5},
            index=df.index,
        )

    told, joined = [], []

    def joining(*given):
        joined.append(tn.subscribe(told.append))
        return run_portfolio(*given)

    monkeypatch.setattr("tradenb.backtest.backtest_run.run_portfolio", joining)
    result = tn.backtest.run("BTCUSDT", strategy=dip, exchange=exchange(flat(20)))
    (subscription,) = joined
    subscription.close()
    assert [event.kind for event in told] == ["opened", "closed"] * 3 + ["opened"]
    assert told == result.event_list


def test_nobody_is_told_after_close():
    told = []
    subscription = tn.subscribe(told.append)
    assert isinstance(subscription, Subscription)
    subscription.close()
    subscription.close()
    run()
    assert told == []


def test_one_may_close_itself_while_it_is_told():
    told = []

    def once(event):
        told.append(event.kind)
        subscription.close()

    subscription = tn.subscribe(once)
    run()
    assert told == ["opened"]


def test_a_subscriber_that_raises_is_logged_once_and_harmless(caplog):
    told, failed = [], []

    def raises(event):
        failed.append(event)
        raise RuntimeError("mine")

    quiet = run().event_list
    with tn.subscribe(raises), tn.subscribe(told.append):
        result = run()
    assert failed == told == result.event_list == quiet
    assert len(failed) > 1
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith("a subscriber failed on <2024-01-01 00:05 BTCUSDT:dip opened ")
    assert message.endswith("; its other failures in this backtest are not logged")
    assert "RuntimeError: mine" in caplog.text


@pytest.mark.parametrize(
    ("wanted", "error", "words"),
    [
        ({"function": "print"}, tn.UsageError, "a subscriber must be a function of one argument,"),
        ({"channel": "event"}, tn.UnknownName, "unknown channel 'event'; did you mean 'events'?"),
        ({"mode": "paper"}, tn.UnknownName, "unknown mode 'paper'; known: 'backtest', 'live'"),
        ({"kinds": "close"}, tn.UnknownName, "unknown kind of event 'close'; did you mean 'close"),
        ({"kinds": {"ping"}}, tn.UnknownName, "unknown kind of event 'ping'"),
        (
            {"kinds": {"opened"}, "channel": "errors"},
            tn.UsageError,
            "kinds apply to the channel 'events' only, was channel 'errors'",
        ),
    ],
)
def test_what_cannot_be_subscribed_is_named(wanted, error, words):
    given = {"function": print, **wanted}
    with pytest.raises(error) as caught:
        tn.subscribe(given.pop("function"), **given)
    assert str(caught.value).startswith(words)


# ------------------------------------------------------------------------------------- performance


def measured(**more) -> list[Performance]:
    told: list[Performance] = []
    with tn.subscribe(told.append, channel="performance"):
        run(**more)
    return told


def test_performance_tells_of_every_ask_every_block_and_the_whole_run():
    before = time.time_ns() // 1_000_000
    told = measured(symbols=["A", "B"])
    after = time.time_ns() // 1_000_000
    # The positions of five minutes leave an ask every five: all four of both symbols.
    assert [(item.metric_type, item.strategy, item.symbol) for item in told] == [
        *[("backtest_signal", "dip", symbol) for _ in range(4) for symbol in ("A", "B")],
        ("backtest_block", "dip", "A,B"),
        ("backtest_total", "dip", "A,B"),
    ]
    assert {(item.exchange, item.backtest) for item in told} == {("frame", True)}
    assert [item.previous_timestamp for item in told] == [
        None,
        *(item.timestamp for item in told[:-1]),
    ]
    assert before <= told[0].timestamp <= told[-1].timestamp <= after
    assert all(item.duration_ms >= 0 for item in told)
    block, total = told[-2:]
    assert sum(item.duration_ms for item in told[:-2]) <= block.duration_ms <= total.duration_ms


def test_there_is_a_block_for_each_week():
    told = measured(rows=flat(15 * DAY // MINUTE), every="1d")
    kinds = [item.metric_type for item in told]
    assert kinds.count("backtest_block") == 3
    assert kinds.count("backtest_signal") == 15
    assert kinds[-1] == "backtest_total"


def test_the_time_of_an_ask_is_that_of_the_function_sync_or_async():
    def slow(ctx):
        began = time.perf_counter()
        while time.perf_counter() - began < 0.02:
            pass

    async def slow_later(ctx):
        slow(ctx)

    async def fails(ctx):
        slow(ctx)
        raise ValueError

    for name, function in (("a", slow), ("b", slow_later), ("c", fails)):
        told: list[Performance] = []
        spec = tn.strategy(name, every="15m")(function)
        with tn.subscribe(told.append, channel="performance"):
            tn.backtest.run("A", strategy=spec, exchange=exchange(flat(20)), progress=False)
        assert told[0].metric_type == "backtest_signal"
        assert told[0].duration_ms >= 20


def test_measuring_changes_nothing():
    assert measured()
    quiet = run().event_list
    with tn.subscribe(lambda item: None, channel="performance"):
        assert run().event_list == quiet
