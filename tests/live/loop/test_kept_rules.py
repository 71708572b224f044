"""What is open or waits keeps the rules that it was opened with, whatever a restart brings."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tradenb as tn
from tests.conftest import some_to_soak
from tests.live.fakes import SYMBOL, until
from tests.sources import DAY, MINUTE, NAMES, T0, Row, candles, flat, frame, minute
from tradenb.core.candles.arrays import Rows
from tradenb.core.candles.gaps import with_gaps
from tradenb.core.fills import fills_of
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.live.live_run import record_of
from tradenb.live.status.run_fills import run_fills
from tradenb.live.status.status_of_run import status_of_run
from tradenb.testing.world.comparable_events import comparable
from tradenb.testing.world.simulated_world import Action, World

ROWS: list[Row] = [*flat(40), (100.0, 103.0, 100.0, 102.5, 1.0), *flat(40, 102.5)]
"""A target of 102 is reached by the candle of minute 41."""
FIRST = T0 - DAY
BEFORE = tn.Rules()
CHANGED = {
    "fee": tn.Rules(fee_percent=0.02),
    "gaps": tn.Rules(gap_minutes=3),
    "minutes": tn.Rules(max_signal_minutes=30),
    "price": tn.Rules(price="average", touch="average_price"),
    "waits": tn.Rules(schedule_await_minutes=2),
}


def bought_at(*minutes, **more):
    """A strategy that buys then, with a target of 2 % and a stop of 2 %."""

    def asked(ctx):
        if ctx.now in map(minute, minutes):
            return tn.long(take_profit=tn.percent(2), stop_loss=tn.percent(2), minutes=30, **more)
        return None

    return asked


def world_of(function, rules=BEFORE, rows=ROWS):
    spec = StrategySpec(name="a", function=function, every="1m")
    grid = candles([*flat(1440), *rows], FIRST)
    return World({SYMBOL: grid}, start=T0, runs=[(SYMBOL, spec)], rules=rules)


def restarted(function, at, rules, *, kill=True, rows=ROWS):
    """A world in which the process ends after so many minutes, and the next one has other rules."""
    world = world_of(function, rows=rows)
    kills = [Action(until(at), lambda process: process.kill())] if kill else []
    assert world.live(until(at) + 1_000 * kill, kills) is not kill
    world.rules = rules
    assert world.live(until(80))
    return world


def events(world):
    return world.events(world.wanted[0])


def backtest_of(function, rules, rows=ROWS):
    """The backtest of the whole under one set of rules."""
    spec = StrategySpec(name="a", function=function, every="1m")
    source = tn.frame_exchange(frame([*flat(1440), *rows], FIRST))
    given = {"start": T0, "end": minute(80), "rules": rules}
    return tn.backtest.run(SYMBOL, strategy=spec, exchange=source, **given)


@pytest.mark.no_cover
@pytest.mark.parametrize("kill", [True, False], ids=["killed", "released"])
@pytest.mark.parametrize("name", CHANGED)
def test_an_open_position_is_ended_under_the_rules_that_it_was_opened_with(name, kill):
    function = bought_at(20)
    world = restarted(function, 25, CHANGED[name], kill=kill)
    expected = backtest_of(function, BEFORE).event_list
    assert [event.kind for event in expected if event.kind != "milestone"] == ["opened", "closed"]
    assert comparable(events(world)) == comparable(expected)


@pytest.mark.no_cover
@pytest.mark.parametrize("name", CHANGED)
def test_a_waiting_entry_waits_and_opens_under_the_rules_that_it_was_made_with(name):
    function = bought_at(20, entry=99.0)
    rows = [*flat(30), (100.0, 100.0, 98.9, 99.5, 1.0), *flat(50, 99.5)]
    world = restarted(function, 25, CHANGED[name], rows=rows)
    expected = backtest_of(function, BEFORE, rows).event_list
    kinds = [event.kind for event in expected if event.kind != "milestone"]
    assert kinds == ["scheduled", "opened", "closed"]
    assert comparable(events(world)) == comparable(expected)


@pytest.mark.no_cover
@pytest.mark.parametrize("name", CHANGED)
def test_a_flat_run_takes_the_new_rules_at_once(name):
    function = bought_at(30)
    world = restarted(function, 25, CHANGED[name])
    assert comparable(events(world)) == comparable(backtest_of(function, CHANGED[name]).event_list)
    assert world.checkpoint(world.wanted[0]).rules == CHANGED[name]


def test_the_new_rules_hold_from_the_ask_on_the_candle_that_ended_the_position():
    cheap = tn.Rules(fee_percent=0.02, max_signal_minutes=20)
    world = restarted(bought_at(20, 41), 25, cheap)
    told = [(e.kind, e.exit_reason, e.pnl_percent) for e in events(world) if e.kind != "milestone"]
    first = backtest_of(bought_at(20), BEFORE).event_list[-1]
    assert told == [
        ("opened", None, None),
        ("closed", "take_profit", first.pnl_percent),
        ("rejected", "invalid", None),  # 30 minutes are more than the new rules let it live
    ]
    assert "minutes_range" in events(world)[-1].note


def test_what_a_flip_opens_is_under_the_new_rules():
    def always(ctx):
        side = tn.long if ctx.now % (10 * 60_000) < 5 * 60_000 else tn.short
        return side(stop_loss=tn.percent(10))

    spec = tn.strategy("flips", every="5m", manage=True)(always)
    grid = candles([*flat(1440), *flat(80)], FIRST)
    world = World({SYMBOL: grid}, start=T0, runs=[(SYMBOL, spec)])
    assert world.live(until(17))
    world.rules = tn.Rules(fee_percent=0.02)
    assert world.live(until(80))
    percents = [event.pnl_percent for event in events(world) if event.kind == "closed"]
    assert len(percents) > 3
    # The one that was open at the restart was flipped under its own rules.
    assert [percent < -0.3 for percent in percents] == [True] * 3 + [False] * (len(percents) - 3)


def test_a_managed_position_and_its_context_see_the_old_rules_until_it_ends():
    seen = []

    def manage(ctx):
        seen.append((ctx.now, ctx.price, ctx.position.pnl_percent))

    rows = [*flat(24), *((100.0, 101.0, 99.5, 100.5, 1.0 + n % 3) for n in range(56))]

    def spec():
        made = tn.strategy("sees", every="1m")(bought_at(20))
        made.manage(manage)
        return made

    grid = candles([*flat(1440), *rows], FIRST)
    world = World({SYMBOL: grid}, start=T0, runs=[(SYMBOL, spec())])
    assert world.live(until(25))
    world.rules = tn.Rules(price="average", slippage_percent=0.0)
    assert world.live(until(80))
    lived, seen[:] = [*seen], []
    source = tn.frame_exchange(frame([*flat(1440), *rows], FIRST))
    tn.backtest.run(SYMBOL, strategy=spec(), exchange=source, start=T0, end=minute(80))
    assert lived == seen != []


def test_it_is_said_what_differs_while_it_differs_here_and_in_every_other_process(caplog):
    world = world_of(bought_at(20))
    assert world.live(until(25))
    world.rules, said = tn.Rules(fee_percent=0.02, settle_seconds=3.0), []

    def look(process):
        status = status_of_run(record_of(process.runs[0]))
        said.append((status.warnings, status.rules, record_of(process.runs[0]).rules_in_force))

    caplog.set_level("WARNING")
    assert world.live(until(60), [Action(until(30), look), Action(until(50), look)])
    words = (
        "the open position goes on under the rules that it was made with: fee_percent 0.1 "
        "(new: 0.02). The new rules hold from the next time the run is flat"
    )
    kept = tn.Rules(settle_seconds=3.0)  # how candles are requested is no part of a position
    assert said == [((words,), kept, kept), ((), world.rules, world.rules)]
    logged = [record.getMessage() for record in caplog.records]
    assert logged == [
        f"{SYMBOL}:a: {words}",
        f"{SYMBOL}:a: it is flat, and the rules that it was started with hold now",
    ]


def test_gaps_of_the_new_length_are_shown_once_it_is_flat():
    """The candles of a run are loaded anew for that, as by a restart."""
    times = [at for at in range(FIRST, minute(80), MINUTE) if not minute(5) <= at < minute(15)]
    made = candles([*flat(1440), *ROWS][: (minute(80) - FIRST) // MINUTE], FIRST)
    rows = Rows(made.time, *made.columns)
    kept = np.isin(rows.time, times)
    given = Rows(*(column[kept] for column in rows))
    seen = {}

    def asked(ctx):
        seen[ctx.now] = len(ctx.candles("1m", 10_000, allow_fewer=True).time)
        return bought_at(20)(ctx)

    def asks(gap_minutes):
        seen.clear()
        spec = StrategySpec(name="a", function=asked, every="1m")
        source = tn.frame_exchange(
            pd.DataFrame(dict(zip(("timestamp", *NAMES), given, strict=True)))
        )
        period = {"start": T0, "end": minute(80), "rules": tn.Rules(gap_minutes=gap_minutes)}
        tn.backtest.run(SYMBOL, strategy=spec, exchange=source, **period)
        return dict(seen)

    spec = StrategySpec(name="a", function=asked, every="1m")
    world = World({SYMBOL: with_gaps(given, MINUTE, 15)[0]}, start=T0, runs=[(SYMBOL, spec)])
    old, new = asks(15), asks(3)
    seen.clear()
    assert world.live(until(25))
    world.rules = tn.Rules(gap_minutes=3)
    assert world.live(until(60))
    flat_at = minute(41)
    assert {at for at in seen if seen[at] == old[at] != new[at]} == {
        at for at in seen if minute(15) < at <= flat_at
    }
    assert {at for at in seen if seen[at] == new[at] != old[at]} == {
        at for at in seen if at > flat_at
    }
    assert max(seen) == minute(60)


def test_fills_are_under_the_rules_that_each_position_had():
    world = restarted(bought_at(20, 45), 25, tn.Rules(fee_percent=0.02))
    recording = world.make_storage(
        world.home, *world.wanted[0], "fake", now=lambda: 0, filesystem=world.disk
    ).recording()
    fills = run_fills(events(world), recording, tn.Rules(fee_percent=0.05))
    assert [fill.fee_percent for fill in fills] == [0.1, 0.1, 0.02, 0.02]
    assert fills[:2] == fills_of(events(world), BEFORE)[:2]


def test_parity_names_the_rules_that_were_others_while_a_position_was_open():
    world = world_of(bought_at(20, 45))
    assert world.live(until(25))
    world.rules = tn.Rules(fee_percent=0.02)
    process = world.process()
    assert process.live(until(80))
    source = tn.frame_exchange(frame([*flat(1440), *ROWS], FIRST))
    found = tn.parity(process.runs[0], exchange=source, strategy=world.wanted[0][1])
    assert len(found.live) == 2
    assert [item.what for item in found.found] == ["fee_percent"]
    assert found.causes == {"rules changed": 1}
    assert found.notes == []


def test_a_document_of_before_rules_were_kept_goes_on_under_those_of_today():
    world = world_of(bought_at(20))
    assert world.live(until(25))
    run = world.wanted[0]
    storage = world.make_storage(world.home, *run, "fake", now=lambda: 0, filesystem=world.disk)
    checkpoint = storage.open()
    assert checkpoint.rules == BEFORE
    storage.commit(checkpoint._replace(rules=None))
    storage.close()
    world.rules = tn.Rules(fee_percent=0.02)
    assert world.live(until(80))
    assert (
        events(world)[-1].pnl_percent
        > backtest_of(bought_at(20), BEFORE).event_list[-1].pnl_percent
    )


@pytest.mark.no_cover
@pytest.mark.parametrize("part", some_to_soak(range(6), keep=3))
def test_killed_at_any_operation_of_the_disk_the_rules_are_the_same(part):
    expected = comparable(events(restarted(bought_at(20, 45), 25, CHANGED["fee"])))
    world = world_of(bought_at(20, 45))
    assert world.live(until(25))
    begun = len(world.disk.operations)
    world.rules = CHANGED["fee"]
    assert world.live(until(80))
    count = len(world.disk.operations) - begun
    at = part * (count // 6)
    world = world_of(bought_at(20, 45))
    assert world.live(until(25))
    world.rules = CHANGED["fee"]
    world.disk.crash(at, done=bool(at % 2))
    if not world.live(until(80)):
        assert world.live(until(80))
    assert comparable(events(world)) == expected
