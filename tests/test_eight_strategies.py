"""Eight ordinary strategies run as they are written, and live as in the backtest."""

from __future__ import annotations

import numpy as np
import pytest

import tradenb as tn
from tests.conftest import some_to_soak
from tests.eight_strategies import EIGHT
from tests.plain_strategies import PLAIN, Market
from tests.sources import MINUTE, T0, candles
from tradenb.core.trades import trades_of
from tradenb.engine.serialise import event_to_row
from tradenb.testing.world.simulated_world import World
from tradenb.view.event_frames import trade_frame

BEFORE, LIVED = 3 * 1440, 6 * 60
HOUR = 60 * MINUTE
START = T0 + BEFORE * MINUTE
# What each does besides opening and closing.
SHOWS = {
    "ema_cross": {("closed", "flipped")},
    "donchian": {("scheduled", None), ("moved", None)},
    "chandelier": {("moved", None), ("closed", "stop_loss")},
    "one_r": {("moved", None), ("closed", "breakeven")},
    "scale_out": {("partial", "take_profit"), ("closed", "trailing_stop")},
    "grid": {("added", None), ("moved", None), ("closed", "take_profit")},
    "office_hours": {("closed", "time_expired")},
    "turtle": {("scheduled", None), ("added", None), ("moved", None)},
}


def walk(minutes):
    """A market that trends and turns; about a tenth of a percent a minute."""
    random = np.random.default_rng(5)
    drift = 0.0001 * np.sin(np.arange(minutes) / 200)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.0008, minutes) + drift))
    first = np.concatenate(([100.0], close[:-1]))
    beyond = np.abs(random.normal(0, 0.0004, (2, minutes)))
    high = np.maximum(first, close) * (1 + beyond[0])
    low = np.minimum(first, close) * (1 - beyond[1])
    return candles(list(zip(first, high, low, close, np.ones(minutes), strict=True)))


MARKET = walk(BEFORE + 14 * 1440)


class Source:
    """A source that has the walk in memory."""

    name = "walk"

    def load(self, request):
        from tradenb.core.candles.arrays import Intake
        from tradenb.engine.ports import Loaded

        return Loaded(MARKET, Intake())


def named(spec):
    return spec.name


def ids(value):
    return getattr(value, "name", "plain")


@pytest.mark.parametrize("spec", EIGHT, ids=named)
def test_a_strategy_does_in_a_backtest_what_it_was_written_for(spec):
    result = tn.backtest.run(
        "BTCUSDT", strategy=spec, exchange=Source(), start=START, progress=False
    )
    events = result.event_list
    assert not [event.note for event in events if event.kind in ("error", "rejected")]
    assert {(event.kind, event.exit_reason) for event in events} >= SHOWS[spec.name]
    assert len(result.trades) > 1
    measured = ["mae_percent", "mfe_percent", "r_multiple"]
    assert (
        trade_frame(trades_of(events))
        .drop(columns=measured)
        .equals(result.trades.drop(columns=measured))
    )
    fills = result.fills
    signed = fills.fraction.where(fills.kind.isin(["entry", "add"]), -fills.fraction)
    left = signed.groupby(fills.signal_id).sum()
    assert (left[result.trades.signal_id].abs() < 1e-9).all()


@pytest.mark.no_cover
@pytest.mark.parametrize("spec", some_to_soak(EIGHT, keep=4), ids=named)
def test_a_strategy_does_live_what_it_did_in_the_backtest(spec):
    whole = tn.backtest.run(
        "BTCUSDT", strategy=spec, exchange=Source(), start=START, progress=False
    )
    opened = next(event.at for event in whole.event_list if event.kind == "opened")
    start = opened - opened % HOUR - HOUR
    end = start + LIVED * MINUTE
    result = tn.backtest.run(
        "BTCUSDT", strategy=spec, exchange=Source(), start=start, end=end, progress=False
    )
    world = World({"BTCUSDT": MARKET}, start=start, runs=[("BTCUSDT", spec)])
    assert world.live(end + 3_000)
    (run,) = world.wanted
    beside = {"mode": None, "wall": None}
    lived = [event_to_row(event) | beside for event in world.events(run)]
    assert lived == [event_to_row(event) | beside for event in result.event_list]
    assert "opened" in {event["kind"] for event in lived}


@pytest.fixture(scope="module")
def plain_market():
    rows = zip(*(column.tolist() for column in MARKET.columns[:4]), strict=True)
    return Market([*rows], BEFORE)


@pytest.mark.parametrize(("spec", "plain"), [*zip(EIGHT, PLAIN, strict=True)], ids=ids)
def test_a_strategy_trades_as_a_plain_loop_over_the_candles_does(spec, plain, plain_market):
    result = tn.backtest.run(
        "BTCUSDT", strategy=spec, exchange=Source(), start=START, progress=False
    )
    expected = plain(plain_market)
    assert len(expected) > 1
    found = [
        (
            trade.position,
            (trade.opened_at - T0) // MINUTE,
            (trade.closed_at - T0) // MINUTE,
            trade.entry,
            trade.exit,
            trade.pnl_percent,
            trade.entries,
            trade.exits,
        )
        for trade in result.trade_list
    ]
    assert [each[:3] + each[6:] for each in found] == [each[:3] + each[6:] for each in expected]
    for mine, its in zip(found, expected, strict=True):
        assert mine[3:6] == pytest.approx(its[3:6], rel=1e-9, abs=1e-9)
