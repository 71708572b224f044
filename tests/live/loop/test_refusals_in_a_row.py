"""Refusals in a row are one event, also where a tick fails or a callback raises in between."""

from __future__ import annotations

import errno
from functools import partial

import pytest

import tradenb as tn
from tests.conftest import some_to_soak
from tests.live.fakes import HISTORY, until
from tests.sources import T0, candles, flat, minute
from tradenb.engine.specs.risk_spec import RiskSpec
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.testing.world.simulated_world import Action, World


def world_of(passes, **callbacks):
    """A strategy that buys each minute, and a rule that lets only the asks in `passes` through."""
    rule = RiskSpec(
        name="rule", function=lambda book, _: None if book.now in map(minute, passes) else "no"
    )
    strategy = StrategySpec(
        name="a",
        function=lambda ctx: tn.long(take_profit=104.0, stop_loss=98.0, minutes=3),
        every="1m",
        risk=(rule,),
        callbacks=callbacks,
    )
    grid = candles([*flat(HISTORY), *flat(60)], T0 - HISTORY * 60_000)
    return World({"BTCUSDT": grid}, start=T0, runs=[("BTCUSDT", strategy)])


def told(world):
    return [(event.kind, event.exit_reason) for event in world.events(world.wanted[0])]


def test_a_refusal_that_was_not_saved_is_told_by_the_next_tick_that_is():
    world = world_of(passes=())
    full = partial(world.disk.fail, 0, errno.ENOSPC, forever=True)
    world.live(
        until(8),
        [
            Action(until(0), lambda process: full()),
            Action(until(2), lambda process: world.disk.heal()),
        ],
    )
    events = [event for event in told(world) if event[0] != "skipped"]
    assert events == [("rejected", "risk")]


def test_what_a_callback_of_an_earlier_event_raises_ends_no_row():
    def fails(event):
        raise ValueError(event.kind)

    world = world_of(passes=(2,), closed=fails)
    world.live(until(3))
    world.clock.advance(1_800)  # it expires meanwhile, and the next process is refused first
    world.live(until(40))
    assert told(world) == [
        *(("rejected", "risk"), ("opened", None)),
        *(("closed", "time_expired"), ("skipped", "late"), ("rejected", "risk"), ("error", None)),
    ]


@pytest.mark.parametrize("first", some_to_soak(range(20, 38, 3), keep=6))
def test_a_row_outlives_a_process_that_is_killed_between_two_asks_of_a_minute(first):
    full = RiskSpec(name="full", function=lambda book, _: "no")
    specs = [
        StrategySpec(
            name=name,
            function=lambda ctx: tn.long(take_profit=104.0, stop_loss=98.0, minutes=3),
            every="1m",
            risk=(full,),
        )
        for name in "ab"
    ]

    def world():
        grid = candles([*flat(HISTORY), *flat(60)], T0 - HISTORY * 60_000)
        return World({"BTCUSDT": grid}, start=T0, runs=[("BTCUSDT", spec) for spec in specs])

    whole = world()
    assert whole.live(until(4))
    for at in range(first, len(whole.disk.operations), 18):
        killed = world()
        killed.disk.crash(at, done=True)
        if not killed.live(until(4)):
            assert killed.live(until(4))
        counts = [len(killed.events(run)) for run in killed.wanted]
        assert counts == [1, 1], f"killed at operation {at}"
