"""Two backtests of one strategy at the same time change nothing in each other."""

from __future__ import annotations

import threading
from contextlib import suppress

import tradenb as tn
from tests.sources import DAY, MINUTE, T0, exchange, market, minute

SOURCE = exchange(market(6, 2 * DAY // MINUTE))
PATIENCE_S = 30.0


def test_runs_that_alternate_ask_by_ask_give_what_each_gives_alone():
    turns = threading.Barrier(2)

    @tn.risk("one")
    def one(book, candidate):
        return "full" if book.open_count else None

    meeting = []

    @tn.strategy("dip", every="15m", risk=[one, tn.risks.daily_loss(3)], history="1d")
    def dip(ctx):
        if meeting:
            with suppress(threading.BrokenBarrierError):  # the other one is done
                turns.wait(PATIENCE_S)
        ctx.state["asks"] = ctx.state.get("asks", 0) + 1
        price = ctx.candles("5m", 3, allow_fewer=True).close.mean()
        wide = 1 + 0.004 * (1 + ctx.state["asks"] % 3)
        entry = None if ctx.state["asks"] % 2 else 0.998 * ctx.price
        base = entry or ctx.price
        if price <= ctx.price:
            return tn.long(take_profit=1.01 * base, stop_loss=base / wide, minutes=45, entry=entry)
        return None

    periods = [(None, None), (T0 + 6 * 3_600_000, minute(2_000))]
    alone = [
        tn.backtest.run(
            "BTCUSDT", strategy=dip, exchange=SOURCE, start=start, end=end, progress=False
        )
        for start, end in periods
    ]
    meeting.append(True)
    jobs = [
        tn.backtest.background("BTCUSDT", strategy=dip, exchange=SOURCE, start=start, end=end)
        for start, end in periods
    ]
    assert jobs[1].wait(PATIENCE_S)
    turns.abort()
    results = [job.result(PATIENCE_S) for job in jobs]
    assert [result.event_list for result in results] == [result.event_list for result in alone]
    assert [result.trade_list for result in results] == [result.trade_list for result in alone]
    assert min(len(result.trade_list) for result in results) > 10


def test_a_strategy_that_is_replaced_while_it_runs_goes_on_as_it_began():
    reached, opened = threading.Event(), threading.Event()

    def declare(target: float):
        @tn.strategy("dip", every="15m")
        def dip(ctx):
            reached.set()
            assert opened.wait(PATIENCE_S)
            return tn.long(take_profit=target * ctx.price, stop_loss=0.99 * ctx.price, minutes=30)

        return dip

    first = declare(1.01)
    job = tn.backtest.background("BTCUSDT", strategy="dip", exchange=SOURCE)
    assert reached.wait(PATIENCE_S)
    declare(1.02)
    opened.set()
    alone = tn.backtest.run("BTCUSDT", strategy=first, exchange=SOURCE, progress=False)
    renewed = tn.backtest.run("BTCUSDT", strategy="dip", exchange=SOURCE, progress=False)
    assert job.result(PATIENCE_S).event_list == alone.event_list != renewed.event_list


def test_a_run_leaves_the_spec_and_the_candles_as_they_were():
    @tn.strategy("dip", every="1h")
    def dip(ctx):
        ctx.state["asks"] = ctx.state.get("asks", 0) + 1
        return tn.long(
            take_profit=1.01 * ctx.price,
            stop_loss=0.99 * ctx.price,
            minutes=30,
            id=f"id-{ctx.state['asks']}",
        )

    before = dip.model_dump()
    first, second = (
        tn.backtest.run("BTCUSDT", strategy=dip, exchange=SOURCE, progress=False) for _ in "ab"
    )
    assert first.event_list == second.event_list
    assert dip.model_dump() == before
    assert [event.signal_id for event in first.event_list if event.kind == "opened"][:2] == [
        "id-1",
        "id-2",
    ]
