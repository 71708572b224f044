"""Fault 89: the clock of the machine is hours ahead when a run starts, and is put right later."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.live.fakes import HISTORY, SYMBOL, kinds, once, told, until, world_of
from tests.sources import T0, candles, flat, minute
from tradenb.core.lifecycle.state import Command
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.live.live_run import record_of
from tradenb.store.control import turn_on_kill
from tradenb.testing.world.fake_exchange import Trouble
from tradenb.testing.world.simulated_world import Action, World

HOUR = 3_600_000
BUYS = {"position": "long", "take_profit": 104.0, "stop_loss": 98.0, "minutes": 2}


def world_ahead(*, tells_time: bool, history: str | None = None) -> World:
    spec = StrategySpec(name="a", function=lambda ctx: BUYS, every="5m", history=history)
    before = 600
    grid = candles(flat(before + 800), T0 - before * 60_000)
    world = World({SYMBOL: grid}, start=T0 + 2_500, runs=[(SYMBOL, spec)])
    world.exchange.tells_time = tells_time
    return world


@pytest.mark.parametrize("tells_time", [True, False], ids=["asked", "by its candles"])
@pytest.mark.parametrize("ahead", [HOUR, 5 * HOUR, 400 * 24 * HOUR])
@pytest.mark.parametrize("history", [None, "3h"])
def test_fault_89_a_run_started_with_the_clock_ahead_begins_at_the_time_of_the_exchange(
    tells_time, ahead, history
):
    world = world_ahead(tells_time=tells_time, history=history)
    world.clock.jump(ahead)
    world.live(minute(30) + 3_000, [Action(minute(10), lambda p: world.clock.jump(-ahead))])
    left = world.checkpoint(world.wanted[0])
    assert left.state.cursor == minute(30)
    opened = [event.at for event in world.events(world.wanted[0]) if event.kind == "opened"]
    # Without the time of the exchange nothing may be there to begin with until the clock is right.
    assert opened[-4:] == [minute(n) for n in range(15, 31, 5)]
    assert len(opened) == 5 or not tells_time


@pytest.mark.parametrize("tells_time", [True, False])
def test_fault_89_a_clock_a_few_minutes_ahead_is_an_error_that_heals_itself(tells_time):
    world = world_ahead(tells_time=tells_time)
    world.clock.jump(5 * 60_000)
    errors = []

    def look(process):
        errors.append(str(process.runs[0].error or ""))

    actions = [
        Action(minute(2), lambda process: world.clock.jump(-5 * 60_000)),
        Action(minute(3) + 4_000, look),
        Action(minute(4) + 4_000, look),
    ]
    world.live(minute(8) + 3_000, actions)
    assert errors[-1] == ""
    assert world.checkpoint(world.wanted[0]).state.cursor == minute(8)


def test_fault_89_a_document_that_was_begun_in_the_future_is_begun_anew():
    world = world_ahead(tells_time=True)
    world.live(minute(1) + 3_000)
    ((_, spec),) = world.wanted
    process = world.process()
    run = record_of(process.runs[0])
    old = run.checkpoint
    ahead = old.state._replace(cursor=minute(300))
    run.storage.commit(old._replace(state=ahead, start=minute(300)))
    run.storage.close()
    world.disk.restart()
    process = world.process()
    process.live(minute(12) + 3_000)
    assert world.checkpoint((SYMBOL, spec)).state.cursor == minute(12)


def test_fault_89_a_cursor_ahead_of_the_clock_with_a_position_is_said_and_heals_itself():
    spec = StrategySpec(
        name="a",
        function=lambda ctx: BUYS | {"minutes": 600} if ctx.now == minute(2) else None,
        every="1m",
    )
    grid = candles([*flat(HISTORY), *flat(40)], T0 - HISTORY * 60_000)
    world = World({SYMBOL: grid}, start=T0, runs=[(SYMBOL, spec)])
    errors = []

    def look(process):
        errors.append(str(process.runs[0].error or ""))

    actions = [
        Action(minute(4) + 5_000, lambda process: world.clock.jump(-2 * HOUR)),
        Action(minute(6) + 5_000, look),
        Action(minute(7) + 5_000, lambda process: world.clock.jump(2 * HOUR)),
        Action(minute(9) + 5_000, look),
    ]
    world.live(minute(12) + 3_000, actions)
    assert "the clock shows 2023-12-31 22:06:02" in errors[0]
    assert "Set the clock of this machine" in errors[0]
    assert errors[1] == ""
    assert world.checkpoint(world.wanted[0]).state.is_open


def test_a_command_given_to_a_run_in_the_future_is_obeyed_after_it_was_put_back():
    world = world_ahead(tells_time=False)
    world.clock.jump(10 * 60_000)
    stop = Command(at=minute(1), kind="stop")
    world.live(
        minute(5),
        [
            Action(minute(1), lambda process: world.clock.jump(-10 * 60_000)),
            Action(minute(1) + 1_000, lambda process: record_of(process.runs[0]).accept(stop)),
        ],
    )
    assert world.checkpoint(world.wanted[0]).state.done


@pytest.mark.parametrize("kind", ["flatten", "close", "stop", "kill"])
def test_fault_89_what_was_asked_for_with_the_clock_ahead_acts_when_it_is_right_again(kind):
    world = world_of(once(2), flat(40))

    def ask(process):
        world.clock.jump(24 * HOUR)
        if kind == "kill":
            turn_on_kill(world.disk, world.home)
        else:
            getattr(process.runs[0], kind)()

    actions = [
        Action(minute(10) + 20_000, ask),
        Action(minute(11) + 30_000, lambda process: world.clock.jump(-24 * HOUR)),
    ]
    world.live(until(30), actions)
    state = world.checkpoint(world.wanted[0]).state
    assert state.commands == ()
    assert state.stopping == (kind == "stop")
    assert (state.signal is None) == (kind != "stop")
    ended = [each for each in told(world) if each[1] == "closed"]
    assert [each[0] for each in ended] == ([] if kind == "stop" else [12])


def test_fault_89_what_waits_with_the_clock_ahead_can_be_withdrawn_when_it_is_right_again():
    world = world_of(once(2), flat(40))

    def ask(process):
        world.clock.jump(24 * HOUR)
        process.runs[0].flatten()

    actions = [
        Action(minute(10) + 20_000, ask),
        Action(minute(10) + 30_000, lambda process: world.clock.jump(-24 * HOUR)),
        Action(minute(10) + 40_000, lambda process: process.runs[0].withdraw()),
    ]
    world.live(until(30), actions)
    assert kinds(world) == ["opened"]
    assert world.checkpoint(world.wanted[0]).state.commands == ()


@pytest.mark.parametrize("ahead", [HOUR, 24 * HOUR])
def test_fault_89_a_wait_that_an_exchange_asked_for_with_the_clock_ahead_ends_when_it_is_right(
    ahead,
):
    world = world_of(once(2, minutes=20), flat(60))
    world.exchange.troubles = [Trouble("rate_limit", until(9), until(12), seconds=30)]
    actions = [
        Action(until(10), lambda process: world.clock.jump(ahead)),
        Action(until(11) + 30_000, lambda process: world.clock.jump(-ahead)),
    ]
    world.live(until(40), actions)
    assert told(world)[-1] == (22, "closed", 100.0, "time_expired", False)
    assert world.checkpoint(world.wanted[0]).state.cursor == minute(40)
    asked = [each.at for each in world.exchange.requests]
    limited = [at for at in asked if until(10) <= at <= until(12)]
    assert len(limited) > 2
    assert all(after - at >= 30_000 for at, after in pairwise(limited))


def test_fault_55_a_clock_that_goes_back_while_a_read_symbol_is_late_holds_up_no_tick():
    other = "ETHUSDT"

    def asked(ctx):
        assert len(ctx.candles("1m", 3, symbol=other))
        return BUYS if ctx.now == minute(10) else None

    spec = StrategySpec(name="a", function=asked, every="1m", symbols=(other,))
    grid = candles(flat(HISTORY + 40), T0 - HISTORY * 60_000)
    world = World({SYMBOL: grid, other: grid}, start=T0, runs=[(SYMBOL, spec)])
    world.exchange.troubles = [Trouble("late", minute(5), minute(6), symbol=other)]
    actions = [
        Action(minute(5) + 4_000, lambda process: world.clock.jump(-24 * HOUR)),
        Action(minute(8), lambda process: world.clock.jump(24 * HOUR)),
    ]
    world.live(until(15), actions)
    assert [each[:2] for each in told(world) if each[1] in ("opened", "closed")] == [
        (10, "opened"),
        (12, "closed"),
    ]
