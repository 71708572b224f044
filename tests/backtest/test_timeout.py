"""User functions that hang: the run completes without them, says so, and leaves nothing burning."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import suppress

import pytest

import tradenb as tn
from tests.sources import exchange, flat, minute
from tradenb.backtest.driver import Worker
from tradenb.engine.call import Call

RULES = tn.Rules(signal_timeout_seconds=0.2)
BUY = {"position": "long", "take_profit": 102.0, "stop_loss": 99.0, "minutes": 7}
SAID = "took longer than signal_timeout_seconds = 0.2 and was left behind"


@pytest.fixture
def released():
    """What hangs in a lock waits for this; it is let go when the test is over."""
    event = threading.Event()
    yield event
    event.set()


def run(function, **more) -> tn.backtest.Result:
    spec = tn.strategy("dip", every="5m", **more)(function)
    return tn.backtest.run(
        "BTCUSDT", strategy=spec, exchange=exchange(flat(20)), rules=RULES, progress=False
    )


def shown(result: tn.backtest.Result) -> list[tuple[int, str, str | None]]:
    return [(event.at, event.kind, event.note) for event in result.event_list]


def test_a_strategy_in_an_endless_loop_is_timed_out_and_its_thread_is_ended():
    ended, asked = threading.Event(), []

    def loops(ctx):
        asked.append(ctx.now)
        if ctx.now == minute(10):
            try:
                while True:
                    pass
            finally:
                ended.set()

    result = run(loops)
    assert shown(result) == [(minute(10), "error", f"strategy dip: {SAID}")]
    assert asked == [minute(5), minute(10), minute(15), minute(20)]
    assert ended.wait(240)


def test_a_strategy_that_waits_for_ever_is_left_behind(released):
    result = run(lambda ctx: released.wait() if ctx.now == minute(5) else BUY)
    assert [(at, kind) for at, kind, _ in shown(result)] == [
        (minute(5), "error"),
        (minute(10), "opened"),
        (minute(17), "closed"),
        (minute(20), "opened"),
    ]
    errors, *others = result.warnings
    assert others == [
        "1 still open or scheduled at the end: in the equity, not in the trades; see result.open",
        "not reproducible: 1 call of your functions timed out; see result.events",
    ]
    assert errors.startswith("1 error in your functions, see result.events; the first: strategy")


def test_an_async_strategy_that_waits_for_ever_is_cancelled():
    cancelled = threading.Event()

    async def waits(ctx):
        if ctx.now == minute(10):
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

    assert shown(run(waits)) == [(minute(10), "error", f"strategy dip: {SAID}")]
    assert cancelled.wait(240)


def test_an_async_strategy_in_an_endless_loop_is_ended_too():
    ended = threading.Event()

    async def loops(ctx):
        await asyncio.sleep(0)
        if ctx.now == minute(10):
            try:
                while True:
                    pass
            finally:
                ended.set()

    assert shown(run(loops)) == [(minute(10), "error", f"strategy dip: {SAID}")]
    assert ended.wait(240)


@pytest.mark.parametrize("hangs", [True, False])
def test_only_a_thread_that_uses_the_processor_is_told_to_end(monkeypatch, released, hangs):
    """An exception that waits in a sleeping thread would slow down all others, and stop tracers."""
    told = []

    def noted(thread, kind):
        told.append(kind)
        released.set()

    def asked(ctx):
        if ctx.now == minute(5):
            released.wait() if hangs else until_released()

    def until_released():
        while not released.is_set():
            pass

    monkeypatch.setattr("tradenb.backtest.driver._raise_in", noted)
    assert shown(run(asked)) == [(minute(5), "error", f"strategy dip: {SAID}")]
    assert told == ([] if hangs else [SystemExit])


def test_every_ask_may_hang(released):
    result = run(lambda ctx: released.wait())
    error = ("error", f"strategy dip: {SAID}")
    assert shown(result) == [(minute(at), *error) for at in (5, 10, 15, 20)]
    assert result.warnings[1].startswith("not reproducible: 4 calls of your functions timed out")


def test_what_a_hung_function_answers_later_is_nobodys_answer(released):
    done = threading.Event()

    def late(ctx):
        if ctx.now == minute(5):
            with suppress(SystemExit):
                released.wait()
            ctx.state["late"] = True
            done.set()
            return BUY
        released.set()
        assert done.wait(240)
        ctx.state["seen"] = [*ctx.state.get("seen", []), ctx.now]
        return None if "late" not in ctx.state else BUY

    assert shown(run(late)) == [(minute(5), "error", f"strategy dip: {SAID}")]


def test_a_risk_rule_that_hangs_refuses(released):
    @tn.risk("slow")
    def slow(book, candidate):
        if book.now == minute(5):
            released.wait()

    result = run(lambda ctx: BUY, risk=slow)
    assert shown(result)[:3] == [
        (minute(5), "error", f"risk rule slow: {SAID}"),
        (minute(5), "rejected", f"slow | failed: {SAID}"),
        (minute(10), "opened", None),
    ]
    assert result.warnings[2].startswith("not reproducible: 1 call")


def test_a_callback_that_hangs_is_an_error_event(released):
    def on_open(event):
        if event.at == minute(5):
            released.wait()

    assert shown(run(lambda ctx: BUY, on_open=on_open)) == [
        (minute(5), "opened", None),
        (minute(5), "error", f"callback on_open of dip: {SAID}"),
        (minute(12), "closed", None),
        (minute(15), "opened", None),
    ]


def test_a_subscriber_that_hangs_is_logged_and_told_nothing_more_of_the_run(released, caplog):
    told, others = [], []

    def hangs(event):
        told.append(event.kind)
        released.wait()

    def buys(ctx):
        return BUY

    with tn.subscribe(hangs), tn.subscribe(lambda event: others.append(event.kind)):
        result = run(buys)
        assert (told, others) == (["opened"], ["opened", "closed", "opened"])
        released.set()
        assert run(buys).event_list == result.event_list
    assert told == ["opened", *others[3:]] == ["opened", "opened", "closed", "opened"]
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, f"a subscriber {SAID}; this backtest does not call it again")
    ]
    assert not any("not reproducible" in warning for warning in result.warnings)


def test_a_call_that_has_ended_is_not_left_behind():
    """Also where it ends while somebody looks at it: the next call goes on as ever."""
    found = []

    def looks():
        found.append(worker.abandon(worker.served - 1))

    def calls():
        for _ in range(3):
            yield Call(looks, (), "a look", "BTCUSDT")
        found.append("the end")

    worker = Worker(calls(), threading.Event())
    worker.start()
    assert worker.finished.wait(240)
    assert found == [False, False, False, "the end"]
    assert not worker.abandon(worker.served)
    assert worker.error is None


def test_time_between_asks_is_not_counted():
    began = time.monotonic()
    asked = []

    def quick(ctx):
        asked.append(ctx.now)

    spec = tn.strategy("quick", every="1m")(quick)
    source = exchange(flat(3_000))
    while time.monotonic() - began < 0.5:
        result = tn.backtest.run(
            "BTCUSDT", strategy=spec, exchange=source, rules=RULES, progress=False
        )
        assert result.event_list == []
    assert len(asked) % 3_000 == 0
