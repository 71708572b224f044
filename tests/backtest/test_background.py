"""Jobs: progress, cancelling, results, and what an interrupted cell leaves behind."""

from __future__ import annotations

import threading
import time

import pytest

import tradenb as tn
from tests.sources import DAY, MINUTE, T0, exchange, flat, market, minute
from tradenb.backtest.job import Job
from tradenb.backtest.plan import make_plan

PATIENCE_S = 30.0


@pytest.fixture
def gate():
    """A strategy that waits in its first ask until it is let go."""

    class Gate:
        def __init__(self) -> None:
            self.reached = threading.Event()
            self.opened = threading.Event()
            self.asks: list[int] = []

        def __call__(self, ctx):
            self.asks.append(ctx.now)
            self.reached.set()
            assert self.opened.wait(PATIENCE_S)

    made = Gate()
    yield made
    made.opened.set()


def started(function, rows=None, name="dip", **more) -> Job:
    strategy = tn.strategy(name, every="5m")(function)
    source = exchange(flat(20) if rows is None else rows)
    return tn.backtest.background("BTCUSDT", strategy=strategy, exchange=source, **more)


def test_it_returns_at_once_and_the_result_comes_later(gate):
    job = started(gate)
    assert gate.reached.wait(PATIENCE_S)
    assert (job.done, job.stage, job.wait(0)) == (False, "running", False)
    assert repr(job).startswith("<backtest of BTCUSDT: running, ")
    with pytest.raises(TimeoutError, match=r"the backtest is at \d+% after 0.01 s"):
        job.result(timeout=0.01)
    gate.opened.set()
    assert job.wait(PATIENCE_S)
    assert (job.done, job.stage, job.progress) == (True, "done", 1.0)
    assert repr(job) == "<backtest of BTCUSDT: done>"
    assert job.result() is job.result(timeout=0)
    assert gate.asks == [minute(5), minute(10), minute(15), minute(20)]


def test_a_bad_argument_is_raised_in_the_callers_own_cell():
    with pytest.raises(tn.UnknownName):
        tn.backtest.background("BTCUSDT", strategy="nobody", exchange=exchange(flat(3)))


def test_what_ends_it_is_raised_where_the_result_is_asked_for():
    job = started(lambda ctx: None, start=T0 + DAY)
    assert job.wait(PATIENCE_S)
    for _ in range(2):
        with pytest.raises(tn.CandleError, match="no candles in the requested period"):
            job.result()
    assert job.progress == 0.0


def test_progress_goes_from_0_to_1_and_never_back():
    seen = []

    def asked(ctx):
        seen.append(holder[0].progress)

    holder = []
    strategy = tn.strategy("dip", every="1h")(asked)
    source = exchange({"A": market(1, 2 * DAY // MINUTE), "B": market(2, 9 * DAY // MINUTE)})
    plan = make_plan(["A", "B"], strategy, source, None, None, None, ())
    holder.append(Job(plan))
    assert holder[0].progress == 0.0
    holder[0].supervise(lambda job: seen.append(job.progress))
    assert seen == sorted(seen)
    assert (min(seen) > 0, max(seen)) == (True, 1.0)


def test_a_cancelled_job_ends_and_says_where(gate):
    job = started(gate, rows=flat(60))
    assert gate.reached.wait(PATIENCE_S)
    job.cancel()
    gate.opened.set()
    assert job.wait(PATIENCE_S)
    with pytest.raises(tn.StateError) as caught:
        job.result()
    assert str(caught.value) == (
        "the backtest was cancelled at 2024-01-01 00:05; run it again for a result"
    )
    assert gate.asks == [minute(5)]


def test_a_job_can_be_cancelled_while_a_function_hangs(gate):
    job = started(gate)
    assert gate.reached.wait(PATIENCE_S)
    began = time.monotonic()
    job.cancel()
    job.cancel()
    assert job.wait(PATIENCE_S)
    assert time.monotonic() - began < PATIENCE_S / 2
    with pytest.raises(tn.StateError, match="was cancelled at 2024-01-01 00:05"):
        job.result()


def test_a_job_can_be_cancelled_while_candles_are_loaded():
    loading, opened, asked = threading.Event(), threading.Event(), []

    class Slow:
        name = "slow"

        def load(self, request):
            loading.set()
            assert opened.wait(PATIENCE_S)
            return exchange(flat(20)).load(request)

    strategy = tn.strategy("dip", every="5m")(lambda ctx: asked.append(ctx.now))
    job = tn.backtest.background("BTCUSDT", strategy=strategy, exchange=Slow())
    assert loading.wait(PATIENCE_S)
    assert (job.stage, job.progress, job.done) == ("loading", 0.0, False)
    job.cancel()
    assert job.wait(PATIENCE_S)
    with pytest.raises(tn.StateError, match="was cancelled before it began; run it again"):
        job.result()
    opened.set()
    for thread in threading.enumerate():
        if thread.name == "tradenb-backtest":
            thread.join(PATIENCE_S)
    assert asked == []


def test_cancelling_what_is_done_changes_nothing():
    job = started(lambda ctx: None)
    assert job.wait(PATIENCE_S)
    job.cancel()
    assert job.result().event_list == []


def test_many_at_once_share_nothing():
    def buys(ctx):
        ctx.state["asks"] = ctx.state.get("asks", 0) + 1
        price = ctx.price + 0.01 * (ctx.state["asks"] % 7)
        return tn.long(take_profit=1.01 * price, stop_loss=0.99 * price, minutes=30)

    rows = market(5, 600)
    alone = started(buys, rows).result(PATIENCE_S).event_list
    jobs = [started(buys, rows) for _ in range(6)]
    assert [job.result(PATIENCE_S).event_list for job in jobs] == [alone] * 6
    assert len(alone) > 20


def test_an_interrupted_run_ends_its_worker():
    ended, reached = threading.Event(), threading.Event()

    def loops(ctx):
        reached.set()
        try:
            while True:
                pass
        finally:
            ended.set()

    def interrupt(job: Job) -> None:
        if reached.is_set():
            raise KeyboardInterrupt

    strategy = tn.strategy("dip", every="5m")(loops)
    job = Job(make_plan("BTCUSDT", strategy, exchange(flat(20)), None, None, None, ()))
    with pytest.raises(KeyboardInterrupt):
        job.supervise(interrupt)
    assert ended.wait(PATIENCE_S)
    assert job.done
    with pytest.raises(tn.StateError, match="the backtest was cancelled at 2024-01-01 00:05"):
        job.result()


def test_an_interrupted_run_asks_nobody_any_more(gate):
    def interrupt(job: Job) -> None:
        if gate.reached.is_set():
            raise KeyboardInterrupt

    strategy = tn.strategy("dip", every="5m")(gate)
    job = Job(make_plan("BTCUSDT", strategy, exchange(flat(20)), None, None, None, ()))
    with pytest.raises(KeyboardInterrupt):
        job.supervise(interrupt)
    gate.opened.set()
    for thread in threading.enumerate():
        if thread.name == "tradenb-backtest":
            thread.join(PATIENCE_S)
    assert gate.asks == [minute(5)]
