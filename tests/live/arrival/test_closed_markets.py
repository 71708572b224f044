"""Until when a market may be closed, by the gaps that it had before."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import tradenb as tn
from tests.live.fakes import once
from tests.sources import MINUTE, T0
from tradenb.core.candles.arrays import Rows
from tradenb.core.candles.gaps import with_gaps
from tradenb.core.timeframe import DAY
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.live.arrival.candle_warnings import closed_until
from tradenb.live.live_run import record_of
from tradenb.live.status.status_of_run import status_of_run
from tradenb.testing.world.simulated_world import Action, World

HOUR = 60 * MINUTE
# T0 is a Monday.
OPEN, CLOSE = 14 * HOUR, 21 * HOUR


def sessions(*days, close=CLOSE):
    """Open times of the candles of some days, 0 is a Monday."""
    return np.concatenate(
        [np.arange(T0 + day * DAY + OPEN, T0 + day * DAY + close, MINUTE) for day in days]
    )


def until(times):
    """How many hours after its last close a market may be closed."""
    since = int(times[-1]) + MINUTE
    return (closed_until(times, since) - since) / HOUR


def test_a_market_that_closes_at_night_is_awaited_in_the_morning_and_an_hour_more():
    assert until(sessions(0, 1)) == 17 + 1
    assert until(sessions(0, 1, 2, 3)) == 17 + 1


def test_a_friday_lasts_till_monday_though_no_weekend_was_seen():
    assert until(sessions(3, 4)) == 17 + 48 + 1
    assert until(sessions(4, 7, 8)) == 17 + 48 + 1  # the longest gap at this time


@pytest.mark.parametrize(
    "times",
    [
        sessions(0),
        np.arange(T0, T0 + 3 * DAY, MINUTE),
        np.concatenate([sessions(0, 1), sessions(2, close=18 * HOUR)]),  # in the middle of a day
        np.concatenate(
            [np.arange(T0, T0 + HOUR, MINUTE), np.arange(T0 + 4 * HOUR, T0 + 20 * HOUR, MINUTE)]
        ),
    ],
    ids=["first day", "no gap", "another time", "an outage"],
)
def test_a_gap_at_another_time_of_the_day_is_none_of_a_night(times):
    assert until(times) == 0


def test_a_position_over_the_night_is_told_of_when_the_market_should_be_open_again():
    times = sessions(0, 1, 2)
    flat = np.full(len(times), 100.0)
    grid, _ = with_gaps(Rows(times, flat, flat, flat, flat, flat), MINUTE, 15)
    start = T0 + 2 * DAY + CLOSE - 10 * MINUTE
    holds = once((start - T0) // MINUTE + 5, take_profit=110.0, stop_loss=90.0)
    spec = StrategySpec(name="a", function=holds, every="1m")
    process = World({"BTCUSDT": grid}, start=start, runs=[("BTCUSDT", spec)]).process()
    found = []

    def look(_):
        found.append(status_of_run(record_of(process.runs[0])))

    night, morning = T0 + 2 * DAY + CLOSE, T0 + 3 * DAY + OPEN
    looks = [night + 2 * HOUR, morning + 50 * MINUTE, morning + 70 * MINUTE]
    process.live(looks[-1] + MINUTE, [Action(at, look) for at in looks])
    assert all(status.state.is_open for status in found)
    assert [len(status.warnings) for status in found] == [0, 0, 1]
    assert "none has come for 1,090 min" in found[-1].warnings[0]


def closed_for(hours):
    """A flat market of two hours, then closed, and two hours after that with a higher price."""
    times = np.concatenate([np.arange(T0, T0 + 2 * HOUR, MINUTE)] * 2)
    times[120:] += (2 + hours) * HOUR
    close = np.where(np.arange(240) < 120, 100.0, 101.0)
    return Rows(times, close, close, close, close, close)


def test_a_source_that_answers_for_a_few_hours_at_a_time_is_followed_over_a_night():
    """As exchanges do that count their page in minutes, also where there is no candle."""
    grid, _ = with_gaps(closed_for(18), MINUTE, 15)
    holds = once(90, take_profit=100.5, stop_loss=90.0, minutes=10_000)
    spec = StrategySpec(name="a", function=holds, every="1m")
    world = World({"BTCUSDT": grid}, start=T0 + HOUR, runs=[("BTCUSDT", spec)])
    process = world.process()
    process.live(T0 + 21 * HOUR + 30_000)
    (run,) = (record_of(run) for run in process.runs)
    seen = run.feed.history.candles
    assert (seen.time == grid.between(seen.start, seen.end).time).all()
    assert seen.end == T0 + 21 * HOUR
    events = [(event.kind, (event.at - T0) / MINUTE) for event in world.events(world.wanted[0])]
    assert [each for each in events if each[0] in ("opened", "closed")] == [
        ("opened", 90),
        ("closed", 20 * 60 + 1),
    ]


def test_a_rehearsal_goes_on_behind_a_night_without_candles(tmp_path):
    rows = closed_for(18)
    source = tn.frame_exchange(pd.DataFrame(rows._asdict()))

    @tn.strategy("over-a-night", every="1h")
    def holds(ctx):
        return tn.long(take_profit=tn.percent(0.5), stop_loss=tn.percent(10), minutes=10_000)

    run = tn.live.rehearse("BTCUSDT", strategy=holds, exchange=source, speed=None, home=tmp_path)
    assert run.wait(100)
    result = tn.backtest.run("BTCUSDT", strategy=holds, exchange=source, progress=False)
    columns = ["opened_at", "closed_at", "entry", "exit", "exit_reason"]
    assert len(result.trades) == 1
    pd.testing.assert_frame_equal(run.trades()[columns], result.trades[columns])
