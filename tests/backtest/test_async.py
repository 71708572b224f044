"""Async functions: the same events as sync ones, real waits, also inside a running loop."""

from __future__ import annotations

import asyncio
import functools
import threading

import pytest

import tradenb as tn
from tests.sources import exchange, market, minute

SOURCE = exchange(market(7, 600))


def buy(ctx):
    price = ctx.price
    return tn.long(take_profit=1.01 * price, stop_loss=0.99 * price, minutes=30, entry=price - 0.25)


def refuse(book, candidate):
    return "not at noon" if book.now % 3_600_000 == 0 else None


def played(function, rule=refuse, **callbacks) -> list:
    """Everything that happened, with a strategy, a rule and callbacks of whatever colour."""
    strategy = tn.strategy("dip", every="5m", risk=tn.risk("hours")(rule), **callbacks)(function)
    result = tn.backtest.run("BTCUSDT", strategy=strategy, exchange=SOURCE, progress=False)
    assert not any(event.kind == "error" for event in result.event_list)
    return result.event_list


@pytest.fixture
def of_sync(monkeypatch):
    """What happens with sync functions; their names are free again."""
    events = played(buy)
    assert {event.kind for event in events} >= {"opened", "closed", "rejected", "scheduled"}
    monkeypatch.setattr("tradenb.engine.specs.registry.registry._named", {})
    return events


async def buy_later(ctx):
    return buy(ctx)


async def buy_after_a_while(ctx):
    await asyncio.sleep(0)
    if ctx.now == minute(5):
        await asyncio.sleep(0.001)
    return buy(ctx)


class Buys:
    async def __call__(self, ctx):
        return buy(ctx)


@pytest.mark.parametrize(
    "function",
    [
        buy_later,
        buy_after_a_while,
        Buys(),
        functools.partial(buy_later),
        lambda ctx: buy_later(ctx),  # noqa: PLW0108 - a sync function that returns a coroutine
    ],
)
def test_an_async_strategy_gives_the_events_of_a_sync_one(function, of_sync):
    assert played(function) == of_sync


def test_an_async_rule_gives_the_events_of_a_sync_one(of_sync):
    async def refuse_later(book, candidate):
        await asyncio.sleep(0)
        return refuse(book, candidate)

    assert played(buy, refuse_later) == of_sync


def test_async_callbacks_are_awaited(of_sync):
    seen = []

    async def note(event):
        await asyncio.sleep(0)
        seen.append(event)

    names = ("on_schedule", "on_open", "on_milestone", "on_close", "on_cancel")
    assert played(buy, **dict.fromkeys(names, note)) == of_sync
    quiet = ("rejected", "skipped")
    assert seen == [event for event in of_sync if event.kind not in quiet]


@pytest.mark.parametrize("channel", ["events", "errors", "performance"])
def test_async_subscribers_are_awaited_on_every_channel(channel):
    seen = []

    async def note(what):
        await asyncio.sleep(0)
        seen.append(what)

    def asked(ctx):
        raise ValueError

    strategy = tn.strategy("dip", every="1h")(asked)
    with tn.subscribe(note, channel=channel):
        result = tn.backtest.run("BTCUSDT", strategy=strategy, exchange=SOURCE, progress=False)
    assert len(seen) == (10 + 2 if channel == "performance" else len(result.event_list)) >= 10


def test_tasks_and_primitives_of_asyncio_work_from_ask_to_ask():
    log = []

    class Feed:
        def __init__(self) -> None:
            self.queue: asyncio.Queue[int] = asyncio.Queue()

        async def __call__(self, ctx):
            task = asyncio.create_task(self.queue.put(ctx.now))
            log.append(await asyncio.wait_for(self.queue.get(), 20))
            await task

    strategy = tn.strategy("dip", every="1h")(Feed())
    result = tn.backtest.run("BTCUSDT", strategy=strategy, exchange=SOURCE, progress=False)
    assert (log, result.event_list) == ([minute(60 * hour) for hour in range(1, 11)], [])


def test_what_an_async_strategy_raises_is_an_error_event():
    async def raises(ctx):
        await asyncio.sleep(0)
        raise ValueError("late")

    async def cancels(ctx):
        raise asyncio.CancelledError

    for name, function, words in (("a", raises, "ValueError: late"), ("b", cancels, "Cancelled")):
        strategy = tn.strategy(name, every="4h")(function)
        result = tn.backtest.run("BTCUSDT", strategy=strategy, exchange=SOURCE, progress=False)
        assert [event.kind for event in result.event_list] == ["error"] * 2
        assert words in (result.event_list[0].note or "")


def test_a_sync_callback_that_raises_beside_an_async_strategy_is_an_error_event():
    def on_open(event):
        raise ValueError("sync")

    async def buys(ctx):
        return tn.long(take_profit=1.05 * ctx.price, stop_loss=0.95 * ctx.price, minutes=600)

    strategy = tn.strategy("dip", every="4h", on_open=on_open)(buys)
    result = tn.backtest.run("BTCUSDT", strategy=strategy, exchange=SOURCE, progress=False)
    assert [event.kind for event in result.event_list][:2] == ["opened", "error"]
    assert "ValueError: sync" in (result.event_list[1].note or "")


@pytest.mark.parametrize("function", [buy, buy_after_a_while])
def test_it_runs_inside_a_running_loop_as_in_a_notebook_cell(function, of_sync):
    async def cell():
        loop = asyncio.get_running_loop()
        events = played(function)
        assert asyncio.get_running_loop() is loop
        return events

    assert asyncio.run(cell()) == of_sync


def test_an_async_strategy_runs_on_one_thread_that_is_not_the_callers():
    threads = set()

    async def asked(ctx):
        await asyncio.sleep(0)
        threads.add(threading.current_thread())

    tn.backtest.run(
        "BTCUSDT", strategy=tn.strategy("dip", every="1h")(asked), exchange=SOURCE, progress=False
    )
    (thread,) = threads
    assert thread is not threading.current_thread()
    assert thread.daemon
