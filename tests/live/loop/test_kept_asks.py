"""What the asks of a live run came to: as in a backtest, over restarts, kills and a full disk."""

from __future__ import annotations

import errno
import re

import pytest

import tradenb as tn
from tests.live.fakes import HISTORY, SYMBOL, until
from tests.sources import T0, candles, exchange, market, minute
from tradenb.engine.session.instance import KEPT
from tradenb.engine.specs.risk_spec import RiskSpec
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.testing.world.fake_exchange import Trouble
from tradenb.testing.world.simulated_world import Action, World

ROWS = market(5, 260)


def strategy():
    def asked(ctx):
        turn = (ctx.now - T0) // 60_000 % 7
        if turn in (1, 2):
            return None
        if turn == 6:
            raise ValueError("no")
        return tn.long(stop_loss=tn.percent(2), take_profit=tn.percent(3), minutes=4)

    def manage(ctx):
        return tn.close(0.5) if ctx.now % 180_000 == 0 else None

    no = RiskSpec(name="odd", function=lambda book, _: "no" if book.now % 120_000 else None)
    made = StrategySpec(name="a", function=asked, every="1m", risk=(no,))
    made.manage(every="1m")(manage)
    return made


def world_of():
    grid = candles(ROWS, T0 - HISTORY * 60_000)
    return World({SYMBOL: grid}, start=T0, runs=[(SYMBOL, strategy())])


def rows_of(world):
    return world.checkpoint(world.wanted[0]).state.asks


def totals(rows):
    """How many asks came to what; without those that were not made."""
    found = {}
    for row in rows:
        if row.was_called:
            reason = "" if row.outcome == "error" else row.reason
            found[row.asked, row.outcome, reason] = found.get((*row[:2], reason), 0) + row.count
    return found


def by_backtest(minutes):
    source = exchange(ROWS, T0 - HISTORY * 60_000)
    return [
        row
        for _, _, row in tn.backtest.run(
            SYMBOL, strategy=strategy(), exchange=source, start=T0, end=minute(minutes),
            progress=False,
        ).ask_rows
    ]  # fmt: skip


@pytest.mark.no_cover
def test_they_are_those_of_a_backtest_and_their_number_is_bounded():
    world = world_of()
    assert world.live(until(240))
    live, expected = rows_of(world), by_backtest(240)
    assert len(expected) > 2 * KEPT
    assert [*live[-KEPT:]] == expected[-KEPT:]
    assert totals(live) == totals(expected)
    assert len(live) <= KEPT + len(totals(expected))


def test_they_survive_a_restart_and_what_was_left_out_is_told():
    world = world_of()
    assert world.live(until(100))
    before = rows_of(world)
    world.clock.advance(20 * 60)
    assert world.live(until(140))
    after = rows_of(world)
    late = [row for row in after if row.reason == "late"]
    assert sum(row.count for row in late) > 5
    assert sum(totals(after).values()) > sum(totals(before).values())
    assert all(totals(after)[key] >= count for key, count in totals(before).items())


def test_a_tick_that_is_not_saved_counts_nothing():
    worlds, asked = [], []

    def asks(ctx):
        asked.append(ctx.now)
        if ctx.now == minute(31):
            worlds[0].disk.fail(0, errno.ENOSPC, forever=True)  # what follows is not saved

    spec = StrategySpec(name="a", function=asks, every="1m")
    grid = candles(ROWS, T0 - HISTORY * 60_000)
    worlds.append(World({SYMBOL: grid}, start=T0, runs=[(SYMBOL, spec)]))
    heal = Action(until(31) + 20_000, lambda process: worlds[0].disk.heal())
    assert worlds[0].live(until(60), [heal])
    rows = rows_of(worlds[0])
    assert minute(31) in asked
    assert sum(row.count for row in rows) == 60
    assert [(row.first, row.count) for row in rows if row.reason == "late"] == [(minute(31), 1)]


@pytest.mark.no_cover
def test_killed_at_any_operation_no_ask_is_counted_twice():
    for first in range(40, 400, 37):
        world = world_of()
        world.disk.crash(first)
        assert not world.live(until(30))
        world.disk.restart()
        assert world.live(until(60))
        rows = rows_of(world)
        assert sum(row.count for row in rows) <= 60, first
        assert rows[-1].last == minute(60)


def test_a_run_says_what_its_asks_came_to():
    world = world_of()
    seen = []

    def look(process):
        run = process.run(SYMBOL, "a")
        seen.append((run.asks(), run.why(), run._repr_html_(), run.report()))

    assert world.live(until(60), [Action(until(50), look)])
    ((asks, why, card, report),) = seen
    assert [*asks.columns] == [
        "symbol", "strategy", "asked", "outcome", "reason", "first", "last", "count",
    ]  # fmt: skip
    assert asks["count"].sum() == 50
    assert why.startswith("a was asked ")
    assert "refused by odd" in why
    # The card and the report do not read the journal; they do not say what became of candidates.
    counted = re.sub(r" \(\d+ (opened|unfilled)[^)]*\)", "", why.splitlines()[0])
    assert counted != why.splitlines()[0]
    assert counted in card
    assert f"- {counted}" in report


def test_why_names_what_keeps_a_run_from_being_asked():
    world, seen = world_of(), []
    world.exchange.troubles = [Trouble("error", T0, minute(9))]
    looks = [
        Action(minute(count), lambda process: seen.append(process.runs[0].why()))
        for count in (8, 20)
    ]
    assert world.live(until(21), looks)
    assert seen[0] == "nothing was asked\nnow: the fake exchange is down"
    assert seen[1].startswith("a was asked ")
    assert "now: " not in seen[1]
