"""`tn.live.run`: a loop over what happens to a run, plain or async."""

from __future__ import annotations

import asyncio
import itertools

import pytest

import tradenb as tn
from tests.live.fast import RULES, until
from tradenb.bus import bus
from tradenb.core.events import Event


@pytest.fixture
def pair(quick, monkeypatch):
    """What `tn.live.run` is given, on a quick desk."""
    monkeypatch.setattr("tradenb.live.api.desk", quick.desk)

    @tn.strategy("often", every="1m")
    def often(ctx):
        return tn.long(take_profit=150.0, stop_loss=85.0, minutes=1)

    return {"strategy": often, "exchange": quick.exchange, "rules": RULES}


def listeners() -> int:
    return len(bus.wants("events", "live"))


def ended(run):
    return until(lambda: run.status != "running", "the end")


def test_a_plain_loop_yields_what_was_opened_and_closed_and_break_releases_its_own_run(pair):
    following = tn.live.run("BTCUSDT", **pair)
    events = list(itertools.islice(following, 4))
    kinds = [event.kind for event in events]
    assert kinds in (["opened", "closed"] * 2, ["closed", "opened"] * 2)
    assert [event.seq for event in events] == sorted(event.seq for event in events)
    ended(following.run)
    assert following.run.status == "idle"
    assert listeners() == 0


def test_an_async_loop_yields_the_same_and_break_releases_its_own_run(pair):
    async def first():
        following = tn.live.run("BTCUSDT", **pair)
        async for event in following:
            return following.run, event
        raise AssertionError("the loop ended")

    run, event = asyncio.run(first())
    assert event.kind == "opened"
    ended(run)
    assert run.status == "idle"
    assert listeners() == 0


def test_on_a_running_pair_it_follows_and_break_leaves_it_running(pair):
    run = tn.live.background("BTCUSDT", **pair)
    following = tn.live.run("BTCUSDT", **pair)
    assert following.run is run
    assert next(iter(following)).symbol == "BTCUSDT"
    assert run.status == "running"
    until(lambda: listeners() == 0, "the end of the listening")


def test_two_may_follow_one_run_and_each_sees_all(pair):
    run = tn.live.background("BTCUSDT", **pair)
    one, two = (iter(tn.live.run("BTCUSDT", **pair)) for _ in range(2))
    assert [next(one) for _ in range(3)] == [next(two) for _ in range(3)]
    assert run.status == "running"


@pytest.mark.parametrize("way", ["plain", "async"])
def test_the_loop_ends_when_the_run_is_done(pair, way):
    following = tn.live.run("BTCUSDT", **pair)
    seen = []

    def take(event):
        if not seen:
            following.run.stop()
        seen.append(event.kind)

    async def loop():
        async for event in following:
            take(event)

    if way == "plain":
        for event in following:
            take(event)
    else:
        asyncio.run(loop())
    assert following.run.status == "done"
    assert seen[:2] == ["opened", "closed"]


def test_what_happens_while_the_run_begins_is_heard(pair, quick, monkeypatch):
    add = quick.engine.add
    early = Event(1, 0, "BTCUSDT", "often", "closed", mode="live")

    def adds(run):
        add(run)
        for subscription in bus.for_event(early):
            subscription.function(early)

    monkeypatch.setattr(quick.engine, "add", adds)
    assert next(iter(tn.live.run("BTC/USDT", **pair))) == early


def test_others_are_not_heard(pair, quick):
    following = tn.live.run("BTCUSDT", **pair)
    tn.live.background("ETHUSDT", **pair)
    until(lambda: len(quick.desk.find("ETHUSDT", "often").events()) > 2, "events of the other")
    events = itertools.islice(following, 2)
    assert {event.symbol for event in events} == {"BTCUSDT"}


def test_a_start_that_is_refused_leaves_nobody_listening(pair):
    with pytest.raises(tn.UsageError, match="rules must be"):
        tn.live.run("BTCUSDT", **pair | {"rules": {}})
    assert listeners() == 0


def test_a_cancelled_task_releases_the_run_it_had_started(pair):
    async def cancelled():
        following = tn.live.run("BTCUSDT", **pair)

        async def loop():
            async for _ in following:
                pass

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop(), 0.5)
        return following.run

    run = asyncio.run(cancelled())
    ended(run)
    assert run.status == "idle"
    assert listeners() == 0


@pytest.mark.parametrize("status", ["idle", "done"])
def test_a_state_that_was_not_saved_is_raised_at_the_end_unless_it_was_saved_after_all(
    pair, status
):
    following = tn.live.run("BTCUSDT", **pair)
    next(iter(following))
    run = following.run
    ended(run)
    run.error, run.status = tn.StateWriteError("the disk is full"), status
    if status == "idle":
        with pytest.raises(tn.StateWriteError, match="the disk is full"):
            list(following)
    else:
        list(following)
