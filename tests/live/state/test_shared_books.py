"""Risk books are shared by all runs under one home: ended ones, released ones, other processes'."""

from __future__ import annotations

import json
from itertools import combinations

import pytest

import tradenb as tn
from tests.live.fakes import HISTORY, once, until
from tests.live.fast import RULES, Quick
from tests.live.fast import until as waited
from tests.sources import T0, candles, flat, minute
from tradenb.core import risk
from tradenb.engine.specs.risk_spec import RiskSpec
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.live.live_run import record_of
from tradenb.live.state import shared_books as shared
from tradenb.store.lock import FileLock
from tradenb.store.paths import Key
from tradenb.testing.world.simulated_world import Action, World

LOSS = (100.0, 100.0, 97.0, 98.0, 1.0)


def named(name, function, *rules):
    specs = [RiskSpec(name=rule.__qualname__.split(".")[0], function=rule) for rule in rules]
    return StrategySpec(name=name, function=function, every="1m", risk=tuple(specs))


def world_of(*specs, rows=None):
    grid = candles([*flat(HISTORY), *(rows or flat(40))], T0 - HISTORY * 60_000)
    return World({"BTCUSDT": grid}, start=T0, runs=[("BTCUSDT", spec) for spec in specs])


def next_process(world, *specs):
    """Give the next process other runs."""
    world.wanted = [("BTCUSDT", spec) for spec in specs]


def told(world, spec):
    return [
        ((event.at - T0) // 60_000, event.kind, event.note)
        for event in world.events(("BTCUSDT", spec))
        if event.kind != "skipped"
    ]


def test_a_position_of_a_process_that_left_holds_its_slot():
    one = risk.max_open(1)
    first, second = named("first", once(3), one), named("second", once(8), one)
    world = world_of(first)
    world.live(until(5))
    next_process(world, second)
    world.live(until(10))
    assert [line[1] for line in told(world, first)] == ["opened"]
    assert told(world, second) == [
        (8, "rejected", "max_open | 1 open or scheduled, at most 1"),
    ]


def test_what_an_ended_run_lost_counts_for_the_others_and_for_its_next_start():
    rule = risk.cooldown(minutes=15, after="stop_loss")
    rows = [*flat(5), LOSS, *flat(40)]

    def twice(ctx):
        at = (ctx.now - T0) // 60_000
        wanted = {"position": "long", "take_profit": 104.0, "stop_loss": 98.0, "minutes": 600}
        return wanted if at in (3, 12, 25) else None

    first = named("first", twice, rule)
    second = named("second", once(9), rule)
    world = world_of(first, second, rows=rows)
    stop = Action(minute(7) + 30_000, lambda process: process.run("BTCUSDT", "first").stop())
    world.live(until(10), [stop])
    assert world.checkpoint(("BTCUSDT", first)).state.done
    words = "cooldown | 3 minutes since first-BTCUSDT-1704067380000 closed by stop_loss"
    ((at, kind, note),) = told(world, second)
    assert (at, kind) == (9, "rejected")
    assert note.startswith(words), note
    world.live(until(30))
    again = [line for line in told(world, first) if line[0] >= 12]
    assert [line[:2] for line in again] == [(12, "rejected"), (25, "opened")]
    assert again[0][2].startswith("cooldown | 6 minutes since")


def test_the_drawdown_begins_anew_when_all_runs_of_the_book_have_ended():
    rule = risk.max_drawdown(percent=1.0)
    rows = [*flat(5), LOSS, *flat(40)]

    def asks(*minutes):
        wanted = {"position": "long", "take_profit": 104.0, "stop_loss": 98.0, "minutes": 600}
        return lambda ctx: wanted if (ctx.now - T0) // 60_000 in minutes else None

    first = named("first", asks(3, 9, 15), rule)
    world = world_of(first, rows=rows)
    stop = Action(minute(10) + 30_000, lambda process: process.runs[0].stop())
    world.live(until(11), [stop])
    world.live(until(17))
    kinds = [line[:2] for line in told(world, first) if line[1] != "milestone"]
    assert kinds == [(3, "opened"), (6, "closed"), (9, "rejected"), (15, "opened")]


def test_a_document_that_cannot_be_read_refuses_entries_and_nothing_else():
    one = risk.max_open(1)
    first, second = named("first", once(3), one), named("second", once(8), one)
    world = world_of(first)
    world.live(until(5))
    document = world.home.document(Key("first", "BTCUSDT"))
    world.disk.plant(document, b"{")
    world.disk.remove(document.with_name(document.name + ".bak"))
    next_process(world, second)
    world.live(until(10))
    error, rejected = told(world, second)
    assert error[:2] == (8, "error")
    assert error[2].startswith("the book of the risk rules: ")
    assert str(document) in error[2]
    assert rejected[:2] == (8, "rejected")
    assert world.checkpoint(("BTCUSDT", second)).state.cursor == minute(10)


def test_a_rule_that_another_process_has_locked_refuses(monkeypatch):
    monkeypatch.setattr(shared, "LOCK_S", 0.0)
    second = named("second", once(8), risk.max_open(1))
    world = world_of(second)
    other = FileLock(world.disk, world.home.risk_lock("max_open"), what="risk rule max_open")

    def lock(process):
        other.acquire()

    world.live(until(10), [Action(minute(7) + 30_000, lock)])
    kinds = told(world, second)
    assert [line[:2] for line in kinds] == [(8, "error"), (8, "rejected")]
    assert "risk rule max_open is held by" in kinds[0][2]


def test_rules_are_locked_from_the_question_to_the_commit_and_no_longer():
    seen = []

    def look(what):
        try:
            with FileLock(world.disk, path):
                seen.append((what, "free"))
        except tn.StateLocked:
            seen.append((what, "locked"))

    rule = RiskSpec(name="watch", function=lambda book, candidate: look("asked"))
    spec = StrategySpec(name="a", function=once(3), every="1m", risk=(rule,))
    world = world_of(spec)
    path = world.home.risk_lock("watch")
    world.bus.subscribe(lambda event: look(event.kind))
    world.live(until(5))
    assert seen[:2] == [("asked", "locked"), ("opened", "free")]


def test_the_view_of_a_rule_shows_what_its_book_holds():
    one = risk.max_open(2)
    first, second = named("first", once(3), one), named("second", once(5), one)
    world = world_of(first, rows=[*flat(7), LOSS, *flat(20)])
    world.live(until(4))
    next_process(world, second)
    world.live(until(10))
    view = json.loads(world.disk.files()[world.home.risk_view("max_open")])
    assert view["rule"] == "max_open"
    assert set(view["seq"]) == {"BTCUSDT:first", "BTCUSDT:second"}
    assert [held["strategy"] for held in view["signals"]] == ["first"]
    assert [trade["strategy"] for trade in view["trades"]] == ["second"]


@pytest.mark.realtime
def test_runs_of_other_homes_are_no_part_of_the_book(quick, make_quick, tmp_path):
    one = RiskSpec(name="one", function=risk.max_open(1))

    def always(ctx):
        return {"position": "long", "take_profit": 150.0, "stop_loss": 85.0, "minutes": 1_000}

    spec = StrategySpec(name="always", function=always, every="1m", risk=(one,))
    other = StrategySpec(name="other", function=always, every="1m", risk=(one,))
    here = quick.start(spec, home=tmp_path / "here")
    there = quick.start(other, home=tmp_path / "there")
    waited(lambda: here.position and there.position, "both positions")


@pytest.mark.realtime
def test_fault_28_two_processes_never_take_the_last_slot_both(tmp_path):
    one = RiskSpec(name="one", function=risk.max_open(1))

    def always(ctx):
        return {"position": "long", "take_profit": 150.0, "stop_loss": 85.0, "minutes": 1}

    desks = [Quick(), Quick()]
    runs = []
    try:
        for desk, name in zip(desks, ("a", "b"), strict=True):
            spec = StrategySpec(name=name, function=always, every="1m", risk=(one,))
            runs.append(desk.start(spec, home=tmp_path, rules=RULES))
        waited(lambda: sum(len(trades(run)) for run in runs) >= 4, "four trades")
    finally:
        for desk in desks:
            desk.close()
    lives = [trade for run in runs for trade in trades(run)]
    for (begin, end), (other, other_end) in combinations(lives, 2):
        assert end <= other or other_end <= begin, lives


def trades(run):
    """When positions were opened and closed."""
    events = record_of(run).storage.events()
    times = [event.at for event in events if event.kind in ("opened", "closed")]
    return list(zip(times[::2], times[1::2], strict=False))
