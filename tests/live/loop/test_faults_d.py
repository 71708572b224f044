"""Faults of group D: candles and time. Each test is named after its number in docs/faults.md."""

from __future__ import annotations

import os
import time

import pytest

from tests.live.fakes import as_undisturbed, once, told, until, world_of
from tests.sources import flat, market, minute, through
from tradenb.engine.specs.risks import max_open
from tradenb.testing.world.fake_exchange import Trouble
from tradenb.testing.world.simulated_world import Action

ROWS = market(4, 40)


def busy(ctx):
    """Buys whenever it may."""
    price = ctx.price
    return {
        "position": "long",
        "take_profit": 1.01 * price,
        "stop_loss": 0.99 * price,
        "minutes": 6,
    }


def lived(*troubles, minutes=30):
    world = world_of(busy, ROWS)
    world.exchange.troubles = list(troubles)
    world.live(until(minutes))
    return world


@pytest.mark.parametrize("kind", ["duplicates", "overlap", "short"])
def test_fault_49_repeated_and_overlapping_pages_change_nothing(kind):
    assert as_undisturbed(lived(Trouble(kind, minute(0), minute(40))), lived())


@pytest.mark.parametrize("kind", ["unsorted", "gap", "empty"])
def test_fault_49_what_is_missing_or_in_disorder_is_asked_for_again(kind):
    spoiled = lived(Trouble(kind, minute(7), minute(40), times=2))
    assert as_undisturbed(spoiled, lived())


def test_fault_49_minutes_that_come_late_are_made_up_for_and_the_cursor_skips_nothing():
    world = lived(Trouble("empty", minute(7), minute(9)))
    checkpoint = world.checkpoint(world.wanted[0])
    assert checkpoint.state.cursor == minute(30)
    assert as_undisturbed(world, lived())


def test_fault_49_what_is_asked_for_too_late_is_left_out_and_said():
    world = lived(Trouble("empty", minute(7), minute(12)))
    assert world.checkpoint(world.wanted[0]).state.cursor == minute(30)
    assert (10, "skipped", None, "late", True) in told(world)


def test_fault_50_the_candle_that_is_not_over_is_never_looked_at():
    assert as_undisturbed(lived(Trouble("forming", minute(0), minute(40))), lived())


def test_fault_50_the_last_closed_candle_may_come_a_little_later():
    assert as_undisturbed(lived(Trouble("late", minute(7), minute(7) + 9_000)), lived())


def test_fault_50_runs_that_share_a_risk_rule_wait_for_a_candle_that_is_late_for_all():
    asks = []
    world = world_of(lambda ctx: asks.append(ctx.now), ROWS)
    risk = (max_open(1, name="one"),)
    spec = world.wanted[0][1].model_copy(update={"risk": risk})
    other = spec.model_copy(update={"name": "b"})
    world.wanted[:] = [("BTCUSDT", spec), ("BTCUSDT", other)]
    world.exchange.troubles = [Trouble("late", minute(n), minute(n) + 8_000) for n in range(12)]
    world.live(minute(10) + 20_000)
    assert len(asks) == 20


def test_fault_51_a_price_that_cannot_be_is_refused_and_asked_for_again():
    world = lived(Trouble("garbage", minute(7), minute(7) + 30_000))
    assert as_undisturbed(world, lived())
    assert world.checkpoint(world.wanted[0]).state.cursor == minute(30)


@pytest.mark.parametrize("downtime", [5, 600, 3 * 86_400])
def test_fault_53_a_stop_crossed_while_nobody_runs_closes_on_its_own_candle(downtime):
    rows = [*flat(5), *through(100, 99, 97, 99), *flat(4_400, 103.0)]
    world = world_of(once(2), rows)
    world.live(until(4))
    world.clock.advance(downtime)
    now = world.clock.true_now()
    world.live(now + 120_000 if downtime > 60 else until(12))
    late = downtime > 300
    closed = [row for row in told(world) if row[1] == "closed"]
    assert closed == [(8, "closed", 98.0, "stop_loss", late)]


def test_fault_54_a_target_reached_before_the_expiry_while_nobody_runs():
    rows = [*flat(4), *through(100, 105, 100), *flat(300)]
    world = world_of(once(2, minutes=60), rows)
    world.live(until(3))
    world.clock.advance(2 * 3_600)
    world.live(world.clock.true_now() + 3_000)
    closed = [row for row in told(world) if row[1] == "closed"]
    assert closed == [(6, "closed", 104.0, "take_profit", True)]


@pytest.mark.parametrize("jump", [365 * 86_400_000, -2 * 3_600_000, 900, -900])
def test_fault_55_a_wall_clock_that_is_wrong_for_a_while_stops_nothing_for_good(jump):
    rows = [*flat(10), *through(100, 97), *flat(200)]
    world = world_of(once(2), rows)
    actions = [
        Action(minute(5) + 20_000, lambda process: world.clock.jump(jump)),
        Action(minute(8) + 20_000, lambda process: world.clock.jump(-jump)),
    ]
    world.live(until(20), actions)
    rows = [row[:4] for row in told(world) if row[1] == "closed"]
    assert rows == [(12, "closed", 98.0, "stop_loss")]
    assert world.checkpoint(world.wanted[0]).state.cursor == minute(20)


def test_fault_55_after_a_suspension_what_was_missed_is_made_up_for():
    rows = [*flat(5), *through(100, 97), *flat(200)]
    world = world_of(once(2), rows)
    world.live(until(40), [Action(minute(4), lambda process: world.clock.advance(1_800))])
    closed = [row for row in told(world) if row[1] == "closed"]
    assert closed == [(7, "closed", 98.0, "stop_loss", True)]


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata", "UTC"])
def test_fault_57_the_time_zone_of_the_machine_changes_nothing(zone, monkeypatch):
    expected = told(lived(minutes=10))
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert told(lived(minutes=10)) == expected
    finally:
        os.environ.pop("TZ", None)
        time.tzset()


def test_fault_58_a_tick_of_seventy_seconds_overlaps_none_and_misses_no_candle():
    world = world_of(once(2), [*flat(5), *through(100, 97), *flat(200)])
    world.exchange.troubles = [Trouble("hang", minute(6), minute(8))]
    world.live(until(15))
    closed = [row[:4] for row in told(world) if row[1] == "closed"]
    assert closed == [(7, "closed", 98.0, "stop_loss")]
    assert world.checkpoint(world.wanted[0]).state.cursor == minute(15)
