"""`tn.live.run`: the run begins with the loop, and is released with it if the loop began it."""

from __future__ import annotations

import asyncio

import pytest

import tradenb as tn
from tests.live.fast import RULES, until
from tradenb.bus import bus
from tradenb.live.following import Following


@pytest.fixture
def follow(quick):
    @tn.strategy("opens", every="1m")
    def opens(ctx):
        return tn.long(take_profit=150.0, stop_loss=85.0, minutes=1_000)

    def begin():
        return quick.desk.start(
            "BTCUSDT", strategy=opens, exchange=quick.exchange, rules=RULES, home=None
        )

    return Following("BTCUSDT", "opens", begin), begin


def test_a_loop_that_began_the_run_releases_it(quick, follow):
    events, _ = follow
    before = bus.wants("events", "live")
    for event in events:
        assert (event.kind, event.symbol) == ("opened", "BTCUSDT")
        (run,) = quick.desk.runs()
        assert run.status == "running"
        break
    del event
    until(lambda: run.status == "idle", "the release")
    until(lambda: bus.wants("events", "live") == before, "the end of the subscription")
    assert run.position is not None


def test_an_async_loop_on_a_running_run_leaves_it_running(quick, follow):
    events, begin = follow
    run, _ = begin()

    async def first():
        async for event in events:
            return event
        raise AssertionError("no event")

    async def flattened():
        until(lambda: run.position, "a position")
        task = asyncio.create_task(first())
        await asyncio.sleep(0)
        run.flatten()
        return await task

    assert asyncio.run(flattened()).kind in ("opened", "closed")
    assert run.status == "running"


def test_a_loop_ends_with_its_run(follow):
    events, begin = follow
    run, _ = begin()
    until(lambda: run.position, "a position")
    run.flatten()
    run.stop()
    seen = [event.kind for event in events]
    assert set(seen) <= {"opened", "closed"}
    assert run.status == "done"
