"""`tn.live.run`: the run begins with the loop, and is released with it if the loop began it."""

from __future__ import annotations

import asyncio
import itertools

import pytest

import tradenb as tn
from tests.live.fast import RULES, until
from tradenb.bus import bus
from tradenb.core.events import Event
from tradenb.live.live_run import record_of

pytestmark = pytest.mark.realtime


@pytest.fixture
def pair(quick, monkeypatch):
    """What `tn.live.run` is given, on a quick registry; it trades every minute."""
    monkeypatch.setattr("tradenb.live.api.run_registry", quick.run_registry)

    @tn.strategy("often", every="1m")
    def often(ctx):
        return tn.long(take_profit=150.0, stop_loss=85.0, minutes=1)

    return {"strategy": often, "exchange": quick.exchange, "rules": RULES}


def the_run(quick):
    return quick.run_registry.find("BTCUSDT", "often")


def listeners() -> int:
    return len(bus.wants("events", "live"))


def released(run) -> None:
    until(lambda: run.status == "idle", "the release")
    until(lambda: listeners() == 0, "the end of the listening")


def test_nothing_begins_before_the_loop(pair, quick):
    following = tn.live.run("BTCUSDT", **pair)
    assert quick.run_registry.runs() == []
    assert listeners() == 0
    assert repr(following).startswith("<events of BTCUSDT:often, not begun")


def test_a_plain_loop_yields_what_was_opened_and_closed_and_releases_the_run_it_began(pair, quick):
    events = list(itertools.islice(tn.live.run("BTCUSDT", **pair), 4))
    kinds = [event.kind for event in events]
    assert kinds in (["opened", "closed"] * 2, ["closed", "opened"] * 2)
    assert [event.seq for event in events] == sorted(event.seq for event in events)
    released(the_run(quick))


def test_an_async_loop_yields_the_same_and_releases_the_run_it_began(pair, quick):
    async def first():
        async for event in tn.live.run("BTCUSDT", **pair):
            return event
        raise AssertionError("the loop ended")

    assert asyncio.run(first()).kind == "opened"
    released(the_run(quick))


def test_on_a_running_pair_it_follows_and_leaves_it_running(pair, quick):
    run = tn.live.background("BTCUSDT", **pair)
    assert next(iter(tn.live.run("BTCUSDT", **pair))).symbol == "BTCUSDT"
    until(lambda: listeners() == 0, "the end of the listening")
    assert the_run(quick) is run
    assert run.status == "running"


def test_two_may_follow_one_run_and_each_sees_all(pair):
    run = tn.live.background("BTCUSDT", **pair)
    one, two = (iter(tn.live.run("BTCUSDT", **pair)) for _ in range(2))
    first, second = next(one), next(two)
    while first.seq != second.seq:
        if first.seq < second.seq:
            first = next(one)
        else:
            second = next(two)
    assert first == second
    assert [next(one) for _ in range(3)] == [next(two) for _ in range(3)]
    assert run.status == "running"


@pytest.mark.parametrize("way", ["plain", "async"])
def test_the_loop_ends_when_the_run_is_done(pair, quick, way):
    seen = []

    def take(event):
        if not seen:
            the_run(quick).stop()
        seen.append(event.kind)

    async def loop():
        async for event in tn.live.run("BTCUSDT", **pair):
            take(event)

    if way == "plain":
        for event in tn.live.run("BTCUSDT", **pair):
            take(event)
    else:
        asyncio.run(loop())
    assert the_run(quick).status == "done"
    assert seen[:2] == ["opened", "closed"]


def test_what_happens_while_the_run_begins_is_heard(pair, quick, monkeypatch):
    add = quick.supervisor.add
    early = Event(1, 0, "BTCUSDT", "often", "closed", mode="live")

    def adds(run):
        add(run)
        for subscription in bus.for_event(early):
            subscription.function(early)

    monkeypatch.setattr(quick.supervisor, "add", adds)
    assert next(iter(tn.live.run("BTC/USDT", **pair))) == early


def test_others_are_not_heard(pair, quick):
    events = iter(tn.live.run("BTCUSDT", **pair))
    first = next(events)
    tn.live.background("ETHUSDT", **pair)
    until(
        lambda: len(quick.run_registry.find("ETHUSDT", "often").events()) > 2, "events of the other"
    )
    assert {first.symbol, next(events).symbol, next(events).symbol} == {"BTCUSDT"}


def test_a_start_that_is_refused_leaves_nobody_listening(pair, quick, monkeypatch):
    with pytest.raises(tn.UsageError, match="rules must be"):
        tn.live.run("BTCUSDT", **pair | {"rules": {}})

    def refuses(run):
        raise tn.StateLocked("held by another")

    monkeypatch.setattr(quick.supervisor, "add", refuses)
    with pytest.raises(tn.StateLocked, match="held by another"):
        next(iter(tn.live.run("BTCUSDT", **pair)))
    assert listeners() == 0


def test_a_cancelled_task_releases_the_run_it_had_started(pair, quick):
    async def cancelled():
        async def loop():
            async for _ in tn.live.run("BTCUSDT", **pair):
                pass

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop(), 0.5)

    asyncio.run(cancelled())
    released(the_run(quick))


@pytest.mark.parametrize("status", ["idle", "done"])
def test_a_state_that_was_not_saved_is_raised_at_the_end_unless_it_was_saved_after_all(
    pair, quick, status
):
    tn.live.background("BTCUSDT", **pair)
    events = iter(tn.live.run("BTCUSDT", **pair))
    next(events)
    run = the_run(quick)
    run.release()
    until(lambda: run.status == "idle", "the release")
    record = record_of(run)
    record.error, record.status = tn.StateWriteError("the disk is full"), status
    if status == "idle":
        with pytest.raises(tn.StateWriteError, match="the disk is full"):
            list(events)
    else:
        list(events)
