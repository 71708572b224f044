"""Breakouts on the steps of a market (docs/lifecycle.md 7 and 12)."""

from __future__ import annotations

import pandas as pd
import pytest

import tradenb as tn


def events(open_: float, side: str, **levels: object) -> list[str]:
    """What became of a breakout that the seventh candle goes through, from its open."""
    beyond = 101.0 if side == "long" else 99.0
    times = pd.date_range("2024-01-01", periods=10, freq="min")
    prices = pd.DataFrame({"open": 100.0, "high": 100.0, "low": 100.0, "close": 100.0}, times)
    prices.iloc[7:] = beyond
    prices.iloc[6] = [open_, max(open_, beyond), min(open_, beyond), beyond]

    @tn.strategy("breaker", every="5m")
    def breaker(ctx):
        return getattr(tn, side)(**levels) if ctx.when.minute == 5 else None

    market = tn.Market(price_step=0.1)
    result = tn.backtest.run(
        "BTCUSDT", strategy=breaker, exchange=tn.frame_exchange(prices, market=market)
    )
    return list(result.events["kind"][:2])


@pytest.mark.parametrize(("side", "breakout"), [("long", 100.5), ("short", 99.5)])
def test_a_target_that_the_step_put_nearer_does_not_keep_a_breakout_from_its_price(side, breakout):
    levels = {"breakout": breakout, "stop_loss": tn.percent(2), "take_profit": tn.percent(0.5)}
    assert events(100.0, side, **levels) == ["scheduled", "opened"]


def test_a_breakout_that_the_step_put_farther_from_its_stop_is_filled_at_its_price():
    levels = {"breakout": 100.62, "stop_loss": 80.5}  # 19.996 %; on the step, 100.7, 20.06 %
    assert events(100.0, "long", **levels) == ["scheduled", "opened"]


def test_a_breakout_that_a_candle_jumps_over_needs_its_distances():
    levels = {"breakout": 100.5, "stop_loss": tn.percent(2), "take_profit": tn.percent(0.5)}
    assert events(100.6, "long", **levels) == ["scheduled", "cancelled"]
