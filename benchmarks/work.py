"""The candles and strategies that are measured.

The candles are seeded random walks of 1m candles: normal returns of 0.05 % a minute (36 % a year)
and extremes a little beyond open and close. The strategy is long when the mean of the last 10
closes of 5m is above that of the last 50, target and stop 1 %, one day at most. A year of that is
work W: 525,600 candles, about 1,000 trades and 25,000 asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import tradenb as tn
from tradenb.backtest.results.result import Result
from tradenb.core.candidate import Candidate
from tradenb.core.candles.arrays import Candles, Intake, candles_of
from tradenb.engine.context import Context
from tradenb.engine.ports import CandleRequest, Loaded
from tradenb.engine.specs.risk_spec import RiskSpec
from tradenb.engine.specs.strategy_spec import StrategySpec

START = 1_672_531_200_000  # 2023-01-01
DAY = 1440
MONTH = 43_800
YEAR = 12 * MONTH
RETURN = 0.0005


def walk(minutes: int, *, seed: int = 7) -> Candles:
    random = np.random.default_rng(seed)
    close = np.round(40_000 * np.exp(np.cumsum(random.normal(0, RETURN, minutes))), 2)
    open_ = np.concatenate(([40_000.0], close[:-1]))
    beyond = np.abs(random.normal(0, RETURN / 2, (2, minutes)))
    high = np.round(np.maximum(open_, close) * (1 + beyond[0]), 2)
    low = np.round(np.minimum(open_, close) * (1 - beyond[1]), 2)
    return candles_of((open_, high, low, close, random.exponential(10, minutes)), START)


class Memory:
    """A source whose candles need no loading: what is measured is the run alone."""

    name = "memory"

    def __init__(self, candles: dict[str, Candles]) -> None:
        self.candles = candles

    def load(self, request: CandleRequest) -> Loaded:
        """Return the candles of a symbol; see `engine.ports.CandleSource`."""
        return Loaded(self.candles[request.symbol], Intake())


def market(symbols: int, minutes: int) -> Memory:
    """Make walks for S00, S01, ...; a year of the first is that of work W."""
    return Memory({f"S{place:02}": walk(minutes, seed=7 + place) for place in range(symbols)})


def run(market: Memory, strategy: StrategySpec) -> Result:
    return tn.backtest.run(list(market.candles), strategy=strategy, exchange=market, progress=False)


def spec(
    function: Callable[[Context], Any], *, every: str = "5m", risk: Sequence[RiskSpec] = ()
) -> StrategySpec:
    return tn.strategy(function.__name__, every=every, risk=risk)(function)


def asks(
    market: Memory,
    function: Callable[[Context], Any],
    *,
    every: str = "5m",
    risk: Sequence[RiskSpec] = (),
) -> int:
    """Count how often a strategy is asked, in a run of its own."""
    count = 0

    def counted(ctx: Context) -> object:
        nonlocal count
        count += 1
        return function(ctx)

    run(market, spec(counted, every=every, risk=risk))
    return count


def with_mean(ctx: Context) -> Candidate | None:
    close = ctx.candles("5m", 50).close
    return _at_market(ctx) if close[-10:].mean() > close.mean() else None


async def with_mean_async(ctx: Context) -> Candidate | None:
    close = ctx.candles("5m", 50).close
    return _at_market(ctx) if close[-10:].mean() > close.mean() else None


def with_reduce(ctx: Context) -> Candidate | None:
    close = ctx.candles("5m", 50).close
    above = np.add.reduce(close[-10:]) * 5 > np.add.reduce(close)
    return _at_market(ctx) if above else None


def with_nothing(_ctx: Context) -> None:
    return None


def _at_market(ctx: Context) -> Candidate:
    price = ctx.price
    return tn.long(take_profit=1.01 * price, stop_loss=0.99 * price, minutes=DAY)
