"""Candles that fail, come late, or are changed: no ask is lost that is in time, else it is told."""

from __future__ import annotations

import logging
from collections import Counter

import numpy as np
import pytest

import tradenb as tn
from tests.live.fakes import SYMBOL, as_undisturbed, once, told, until, world_of
from tests.sources import T0, candles, flat, market, minute, through
from tradenb.engine.specs.risks import max_open
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.live.live_run import record_of
from tradenb.live.notifications.alarms import alarms_of
from tradenb.live.status.run_history import RunHistory
from tradenb.live.status.status_card import status_card
from tradenb.live.status.status_markdown import status_markdown
from tradenb.live.status.status_of_run import status_of_run
from tradenb.testing.world.fake_exchange import FakeExchange, Trouble
from tradenb.testing.world.simulated_world import Action, World

ROWS = market(4, 60)
END = minute(30) + 59_500
NOTHING = RunHistory(0, [], [], [], 0, None)


def asks_of(*troubles, every="1m", rules=None, ahead_ms=0, end=END, rows=ROWS, exchange=None):
    """Live to the end; return the asks as (minute, second of it), the world, and the process."""
    asks = []

    def look(ctx):
        asks.append((ctx.now, world.clock.true_now()))

    world = world_of(look, rows, every=every, rules=rules)
    if exchange is not None:
        world.exchange = exchange(world)
    world.exchange.troubles = list(troubles)
    world.clock.jump(ahead_ms)
    process = world.process()
    process.live(end)
    return [((at - T0) // 60_000, (then - at) / 1000) for at, then in asks], world, process


def made_of(kind):
    return lambda world: kind({SYMBOL: world.exchange.candles(SYMBOL)}, world.clock)


def minutes(asks):
    return [at for at, _ in asks]


def seconds_of_requests(world, at):
    """The seconds of the requests of the minute after a close."""
    return [(each.at - at) / 1000 for each in world.exchange.requests if 0 <= each.at - at < 60_000]


@pytest.mark.no_cover
@pytest.mark.parametrize("every", ["1m", "5m"])
@pytest.mark.parametrize("kind", ["error", "garbage", "hang", "empty", "unsorted"])
def test_fault_85_a_request_that_fails_in_the_second_of_the_tick_costs_no_decision(kind, every):
    trouble = Trouble(kind, minute(10), minute(11), times=1)
    asks, world, _ = asks_of(trouble, every=every)
    step = int(every[0])
    assert minutes(asks) == [*range(step, 31, step)]
    assert trouble.times == 0
    assert "skipped" not in [row[1] for row in told(world)]


def test_fault_85_errors_and_empty_responses_share_one_budget_and_the_waits_grow():
    _, world, _ = asks_of(Trouble("error", minute(7), minute(8)))
    seconds = seconds_of_requests(world, minute(7))
    assert seconds == [2.001, 7.001, 12.001, 17.001, 24.501, 35.751, 52.626, 59.0]
    _, world, _ = asks_of(Trouble("empty", minute(7), minute(8)))
    assert seconds_of_requests(world, minute(7)) == seconds


def test_fault_85_an_exchange_that_says_when_is_not_asked_before():
    limit = Trouble("rate_limit", minute(7), minute(8), times=1, seconds=20)
    asks, world, _ = asks_of(limit)
    assert seconds_of_requests(world, minute(7)) == [2.001, 22.001]
    assert minutes(asks) == [*range(1, 31)]
    asks, world, process = asks_of(
        Trouble("rate_limit", minute(7), minute(8), times=1, seconds=100)
    )
    assert seconds_of_requests(world, minute(7)) == [2.001]
    assert seconds_of_requests(world, minute(8)) == [42.001]
    assert minutes(asks) == [at for at in range(1, 31) if at != 7]
    assert process.runs[0].error is None


def test_fault_85_a_failing_exchange_is_told_once_a_minute_and_only_if_tries_do_not_help():
    errors = []
    world = world_of(lambda ctx: None, ROWS)
    world.bus.subscribe(errors.append, channel="errors", mode="live")
    down = Trouble("error", minute(5), minute(7))
    world.exchange.troubles = [Trouble("error", minute(3), minute(4), times=2), down]
    world.live(until(10))
    assert [(event.at - T0) // 60_000 for event in errors] == [5, 6]
    assert "the fake exchange is down" in errors[0].note


def test_fault_85_what_cannot_help_is_not_tried_again_within_the_minute():
    class Refusing(FakeExchange):
        def recent(self, symbol, since, limit):
            super().recent(symbol, since, limit)
            raise tn.ExchangeError("the key was refused")

    asks, world, process = asks_of(
        end=until(4),
        exchange=lambda world: Refusing({SYMBOL: world.exchange.candles(SYMBOL)}, world.clock),
    )
    assert asks == []
    assert seconds_of_requests(world, minute(2)) == [2.001]
    assert "the key was refused" in str(process.runs[0].error)


def test_fault_85_a_stop_is_obeyed_at_once_while_candles_are_missing():
    world = world_of(lambda ctx: None, ROWS)
    world.exchange.troubles = [Trouble("error", minute(5), minute(9))]
    process = world.process()
    process.live(until(10), [Action(minute(5) + 20_000, lambda process: process.runs[0].stop())])
    assert process.runs[0].status == "done"
    assert world.clock.true_now() < minute(5) + 21_000


def test_fault_85_a_start_that_fails_in_the_second_of_the_tick_is_tried_again_in_that_minute():
    asks = []
    world = world_of(lambda ctx: asks.append(ctx.now), ROWS)
    world.live(minute(8) + 30_000)
    world.clock.advance(31.5)  # back one and a half seconds after the close of minute 9
    world.exchange.troubles = [Trouble("error", minute(9), minute(10), times=1)]
    world.live(until(12))
    assert asks == [minute(at) for at in range(1, 13)]


@pytest.mark.parametrize("seconds", [3, 18, 31, 50, 59])
def test_fault_86_candles_that_are_published_late_cost_no_decision(seconds):
    asks, _, process = asks_of(Trouble("delayed", 0, END, seconds=seconds))
    assert minutes(asks) == [*range(1, 31)]
    assert all(seconds <= second < 60 for _, second in asks)
    assert process.runs[0].error is None
    assert not record_of(process.runs[0]).arrival.warnings


@pytest.mark.parametrize("seconds", [18, 31, 50])
def test_fault_86_the_usual_delay_is_learned_and_the_first_request_goes_out_then(seconds):
    asks, world, _ = asks_of(Trouble("delayed", 0, END, seconds=seconds))
    requests = Counter((each.at - T0) // 60_000 for each in world.exchange.requests)
    first, later = sum(requests[at] for at in range(1, 4)), sum(requests[at] for at in range(6, 27))
    assert first >= 9
    assert later <= 1.5 * 21
    assert np.mean([second for at, second in asks if at > 5]) < seconds + 6


def test_fault_86_a_source_that_is_quick_again_is_asked_early_again():
    asks, *_ = asks_of(Trouble("delayed", 0, minute(15), seconds=40))
    assert asks[11][1] >= 40
    assert asks[-1][1] < 3


def test_fault_86_one_late_candle_is_not_usual():
    asks, *_ = asks_of(Trouble("delayed", minute(9), minute(10), seconds=45))
    assert minutes(asks) == [*range(1, 31)]
    assert all(second < 3 for at, second in asks if at != 9)


def test_fault_86_candles_whose_delay_changes_cost_no_decision():
    troubles = [
        Trouble("delayed", minute(at), minute(at + 1), seconds=(at * 17) % 59 + 1)
        for at in range(31)
    ]
    asks, *_ = asks_of(*troubles)
    assert minutes(asks) == [*range(1, 31)]


def statuses_without_candles(function, kind, *at):
    """Live without candles from minute 30 on; return how the run is at these minutes."""
    world = world_of(function, market(4, 200))
    world.exchange.troubles = [Trouble(kind, minute(30), minute(400))]
    process, found = world.process(), []

    def look(_):
        found.append(status_of_run(record_of(process.runs[0])))

    process.live(minute(at[-1] + 1), [Action(minute(each) + 30_000, look) for each in at])
    return found


@pytest.mark.parametrize("kind", ["empty", "error"])
def test_a_position_for_which_no_candle_comes_for_an_hour_is_told_everywhere(kind):
    holds = once(20, take_profit=110.0, stop_loss=90.0)
    before, after = statuses_without_candles(holds, kind, 88, 90)
    assert before.warnings == ()
    (warning,) = after.warnings
    assert warning.startswith(
        "candles of BTCUSDT: none has come for 61 min, since 2024-01-01 00:29"
    )
    assert ("candles", warning) in [(alarm.code, alarm.words) for alarm in alarms_of(after)]
    assert "none has come for 61 min" in status_card(after)
    assert "none has come for 61 min" in status_markdown(after, NOTHING)


def test_where_nothing_is_held_no_candle_for_an_hour_is_not_spoken_of():
    (status,) = statuses_without_candles(lambda ctx: None, "empty", 90)
    assert (status.status, status.warnings) == ("running", ())


@pytest.mark.parametrize("ahead", [18, 30, 55])
def test_fault_86_a_clock_that_is_ahead_costs_no_decision(ahead):
    asks, *_ = asks_of(ahead_ms=ahead * 1000)
    assert minutes(asks)[:25] == [*range(1, 26)]


def test_fault_86_decisions_lost_to_late_candles_are_said_everywhere(caplog):
    caplog.set_level(logging.WARNING, logger="tradenb")
    asks, world, process = asks_of(Trouble("delayed", 0, END, seconds=75), every="5m")
    assert asks == []
    words = "candles of BTCUSDT arrive 77 s late: the last 3 asks were left out"
    errors = [row for row in told(world) if row[1] == "error"]
    assert [row[0] for row in errors] == [15]
    (event,) = (event for event in world.events(world.wanted[0]) if event.kind == "error")
    assert event.note.startswith(words)
    assert "raise late_entry_seconds (60)" in event.note
    assert caplog.text.count(words) == 1
    status = status_of_run(record_of(process.runs[0]))
    (warning,) = status.warnings
    assert warning.startswith("candles of BTCUSDT arrive 77 s late: the last 5 asks")
    assert "arrive 77 s late" in status_card(status)
    assert "arrive 77 s late" in status_markdown(status, NOTHING)
    assert [event.seq for event in world.announced] == [1, 2]


def test_fault_86_raising_late_entry_seconds_makes_the_decisions_again():
    rules = tn.Rules(late_entry_seconds=120)
    asks, _, process = asks_of(Trouble("delayed", 0, END, seconds=75), rules=rules)
    assert minutes(asks) == [*range(1, 30)]
    assert not record_of(process.runs[0]).arrival.warnings


def test_fault_86_the_warning_ends_with_the_first_ask_in_time():
    _, _, process = asks_of(Trouble("delayed", 0, minute(20), seconds=75))
    assert not record_of(process.runs[0]).arrival.warnings


class Thin(FakeExchange):
    """Nobody trades in two of three minutes."""

    def recent(self, symbol, since, limit):
        rows = super().recent(symbol, since, limit)
        return rows.take(np.flatnonzero((rows.time - T0) // 60_000 % 3 == 0))


def test_fault_86_minutes_without_a_candle_are_not_late():
    asks, _, process = asks_of(exchange=made_of(Thin))
    record = record_of(process.runs[0])
    assert not record.arrival.warnings
    assert not record.arrival.late_asks
    assert record.feed.times.usual_ms == 0
    assert minutes(asks) == [*range(1, 31, 3)]


def test_fault_86_an_outage_is_not_lateness():
    _, world, process = asks_of(Trouble("error", minute(3), minute(20)))
    assert not record_of(process.runs[0]).arrival.late_asks
    assert "error" not in [row[1] for row in told(world)]


def group_of(*troubles, end=END):
    """Two symbols that share a risk rule; return the asks as (minute, symbol) with their second."""
    asks = []
    spec = StrategySpec(
        name="a",
        function=lambda ctx: asks.append((ctx.now, ctx.symbol, world.clock.true_now())),
        every="1m",
        risk=(max_open(1, name="one"),),
    )
    grid = candles([*flat(5), *ROWS], T0 - 5 * 60_000)
    names = ("BTCUSDT", "ETHUSDT")
    world = World(dict.fromkeys(names, grid), start=T0, runs=[(name, spec) for name in names])
    world.exchange.troubles = list(troubles)
    world.live(end)
    return [((at - T0) // 60_000, symbol, (then - at) / 1000) for at, symbol, then in asks]


@pytest.mark.no_cover
@pytest.mark.parametrize("seconds", [4, 12, 40])
def test_fault_86_a_group_waits_for_the_symbol_that_usually_comes_last(seconds):
    asks = group_of(Trouble("delayed", 0, END, symbol="BTCUSDT", seconds=seconds))
    for name in ("BTCUSDT", "ETHUSDT"):
        assert [at for at, symbol, _ in asks if symbol == name] == [*range(1, 31)]
    # Once the delay is known they are asked together, in the order of their runs.
    order = [(at, symbol) for at, symbol, _ in asks if at > 5]
    assert order == sorted(order)


def test_fault_86_a_group_waits_a_few_seconds_for_a_symbol_that_fails_and_then_no_longer():
    asks = group_of(Trouble("error", minute(3), END, symbol="BTCUSDT"))
    others = {at: second for at, symbol, second in asks if symbol == "ETHUSDT"}
    assert [*others] == [*range(1, 31)]
    assert max(second for at, second in others.items() if at < 17) < 8
    assert max(second for at, second in others.items() if at > 18) < 3


def test_fault_86_a_symbol_whose_response_takes_longer_is_fed_when_it_comes():
    hang = Trouble("hang", minute(5), minute(6), symbol="BTCUSDT", times=1)
    asks = group_of(hang)
    for name in ("BTCUSDT", "ETHUSDT"):
        assert [at for at, symbol, _ in asks if symbol == name] == [*range(1, 31)]


WICK = [*flat(5), (100.0, 101.0, 97.0, 100.0, 1.0), *flat(30)]


def revised(seconds=3, function=None, rows=WICK, **more):
    world = world_of(function or once(2, **more), rows)
    world.exchange.troubles = [Trouble("revised", 0, END, seconds=seconds)]
    process = world.process()
    process.live(until(12))
    return world, process


def test_fault_87_a_stop_that_only_the_corrected_candle_touches_is_told_and_nothing_is_undone(
    caplog,
):
    caplog.set_level(logging.WARNING, logger="tradenb")
    world, process = revised()
    assert [row[:2] for row in told(world)] == [(2, "opened"), (6, "error")]
    event = world.events(world.wanted[0])[-1]
    assert event.note == (
        "candles of BTCUSDT change after they were acted on; raise settle_seconds (2): 1 so far, "
        "that of 2024-01-01 00:06 would have touched the stop 98.00"
    )
    status = status_of_run(record_of(process.runs[0]))
    assert status.warnings == (event.note,)
    assert caplog.text.count(event.note) == 1
    assert "would have touched the stop" in status_card(status)
    # The candle that was acted on stays the run's.
    seen = record_of(process.runs[0]).instance.candles
    assert seen.low[seen.index(minute(6))] == 100.0


def test_fault_87_with_a_longer_settle_time_the_stop_is_touched():
    world = world_of(once(2), WICK, rules=tn.Rules(settle_seconds=4))
    world.exchange.troubles = [Trouble("revised", 0, END, seconds=3)]
    world.live(until(12))
    closed = [row[:4] for row in told(world) if row[1] == "closed"]
    assert closed == [(6, "closed", 98.0, "stop_loss")]


@pytest.mark.parametrize(
    ("candidate", "touched"),
    [
        ({"take_profit": 101.0, "stop_loss": 90.0}, "the target 101.00"),
        ({"entry": 99.0, "stop_loss": 96.0}, "the entry 99.00"),
        ({"take_profit": 110.0, "stop_loss": 90.0}, ""),
    ],
)
def test_fault_87_it_is_told_what_the_corrected_candle_would_have_touched(candidate, touched):
    world, _ = revised(**candidate)
    event = world.events(world.wanted[0])[-1]
    last = f"would have touched {touched}" if touched else "touches nothing else"
    assert event.note.endswith(f"2024-01-01 00:06 {last}")


def test_fault_87_many_corrections_are_counted_and_told_once():
    world, process = revised(function=lambda ctx: None, rows=ROWS)
    assert [row[1] for row in told(world)] == ["error"]
    (warning,) = status_of_run(record_of(process.runs[0])).warnings
    count = record_of(process.runs[0]).arrival.revised
    assert count > 5
    assert f"{count} so far" in warning


def test_fault_87_candles_that_are_not_changed_are_not_spoken_of():
    world, process = revised(seconds=1)
    assert [row[1] for row in told(world)] == ["opened", "closed"]
    assert not record_of(process.runs[0]).arrival.warnings


def test_fault_87_what_a_start_loaded_before_it_settled_was_not_acted_on():
    world = world_of(lambda ctx: None, WICK)
    world.exchange.troubles = [Trouble("revised", 0, END, seconds=3)]
    world.clock.advance(6 * 60 + 1)
    world.live(until(12))
    assert told(world) == []


def test_fault_87_a_row_that_is_not_a_candle_is_not_a_correction():
    class Broken(FakeExchange):
        def recent(self, symbol, since, limit):
            rows = super().recent(symbol, since, limit)
            old = rows.time + 90_000 <= world.clock.now()
            return rows._replace(low=np.where(old, np.nan, rows.low))

    world = world_of(once(2), [*flat(3), *through(100, 99), *flat(30)])
    world.exchange = made_of(Broken)(world)
    process = world.process()
    process.live(until(12))
    assert "error" not in [row[1] for row in told(world)]
    assert record_of(process.runs[0]).cursor == minute(12)


def test_fault_87_a_source_that_sends_one_row_at_a_time_is_not_asked_to_look_back():
    short = Trouble("short", 0, END)
    asks, world, _ = asks_of(short)
    assert minutes(asks) == [*range(1, 31)]
    assert seconds_of_requests(world, minute(1)) == [2.001, 2.001]
    assert seconds_of_requests(world, minute(9)) == [2.001]
    assert as_undisturbed(world, asks_of()[1])


@pytest.mark.parametrize("seconds", [3, 61, 100, 185, 299])
def test_fault_87_a_correction_of_the_last_five_candles_is_found_by_the_same_requests(seconds):
    world, process = revised(seconds)
    (event,) = (each for each in world.events(world.wanted[0]) if each.kind == "error")
    assert "1 so far, that of 2024-01-01 00:06 would have touched the stop 98.00" in event.note
    undisturbed = world_of(once(2), flat(60))
    undisturbed.live(until(12))
    assert world.exchange.requests == undisturbed.exchange.requests
    seen = record_of(process.runs[0]).instance.candles
    assert seen.low[seen.index(minute(6))] == 100.0


def test_fault_87_a_correction_after_five_minutes_is_not_looked_for():
    world, process = revised(305)
    assert "error" not in [row[1] for row in told(world)]
    assert not record_of(process.runs[0]).arrival.warnings


class Twice(FakeExchange):
    """The sixth candle gets its wick in two steps: 99 after a minute, 97 after three."""

    def recent(self, symbol, since, limit):
        rows = super().recent(symbol, since, limit)
        now = self._clock.true_now()
        low = 97.0 if now >= minute(9) else 99.0 if now >= minute(7) else 100.0
        return rows._replace(low=np.where(rows.time == minute(5), low, rows.low))


def test_fault_87_a_candle_that_changes_twice_is_one_and_what_it_touches_then_is_told():
    world = world_of(once(2), flat(60))
    world.exchange = made_of(Twice)(world)
    process = world.process()
    process.live(until(15))
    notes = [each.note for each in world.events(world.wanted[0]) if each.kind == "error"]
    assert [note.split(": ")[1] for note in notes] == [
        "1 so far, that of 2024-01-01 00:06 touches nothing else",
        "1 so far, that of 2024-01-01 00:06 would have touched the stop 98.00",
    ]
    assert len(status_of_run(record_of(process.runs[0])).warnings) == 1


def test_fault_87_a_stop_of_a_position_that_has_ended_since_is_told_too():
    rows = [*WICK[:6], *flat(1), *through(100, 103), *flat(30, 103.0)]
    world = world_of(once(2, take_profit=102.0), rows)
    world.exchange.troubles = [Trouble("revised", 0, END, seconds=200)]
    world.live(until(12))
    assert [row[:2] for row in told(world)] == [(2, "opened"), (9, "closed"), (6, "error")]
    note = world.events(world.wanted[0])[-1].note
    assert "that of 2024-01-01 00:06 would have touched the stop 98.00" in note


def test_fault_87_what_a_restarted_run_catches_up_on_is_looked_at_too():
    world = world_of(once(2), WICK)
    world.exchange.troubles = [Trouble("revised", 0, END, seconds=3)]
    world.live(minute(4) + 30_000)
    world.clock.advance(91.0)  # back a second after the close of minute 6, whose wick is missing
    world.live(until(12))
    (event,) = (each for each in world.events(world.wanted[0]) if each.kind == "error")
    assert "that of 2024-01-01 00:06 would have touched the stop 98.00" in event.note
