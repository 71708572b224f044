"""Work W with managed positions: trailing stops, ladders, and positions that are asked about.

Ratios in one run. The trail takes the place of the target; the ladder takes half at half the way.
The managed strategy reads one indicator while idle and one while open: in when the fast mean is
above the slow one, out when it is not. Its yardstick does the same from the same arrays by a plain
Python loop over every candle, and makes the same trades, which is checked. It asks nobody: the
105,120 asks of the run, at what an ask of an entry callback costs (about 2 us), take as long as
that loop; the rest is what 1,858 trades cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

import tradenb as tn
from benchmarks import research, work, yardstick
from benchmarks.clock import fastest
from benchmarks.lines import Heading, Line
from tradenb.core.candidate import Candidate
from tradenb.core.candles.arrays import Candles
from tradenb.core.candles.resampling import resample
from tradenb.core.timeframe import MINUTE
from tradenb.engine.context import Context
from tradenb.engine.specs.strategy_spec import StrategySpec


def measure(times: int, *, quick: bool) -> Iterator[Line | Heading]:
    market = work.market(1, work.YEAR)
    candles = market.candles["S00"]
    yield Heading("Work W with managed positions: callbacks, whole runs")
    specs = [work.spec(each) for each in (work.with_mean, trailing, laddered)]
    fixed, trail, ladder = fastest(
        *(partial(work.run, market, each) for each in specs), times=times
    )
    yield Line("run, a fixed bracket", fixed, "s")
    yield Line("- a trailing stop / fixed", trail / fixed, "x", 1.6)
    yield Line("- a ladder of two targets / fixed", ladder / fixed, "x", 1.3)
    spec = asked_while_open(10, 50)
    result = work.run(market, spec)
    assert [(t.entry, t.exit) for t in result.trade_list] == plain(candles)
    asked, loop = fastest(partial(work.run, market, spec), partial(plain, candles), times=times)
    yield Line(f"run, asked every 5m while open, {len(result.trade_list):,} trades", asked, "s")
    yield Line("- run / the plain loop that does the same", asked / loop, "x", 2.0)
    columns = with_exits(10, 50)
    work.run(market, columns)
    (column,) = fastest(partial(work.run, market, columns), times=times)
    yield Line("run, vectorised with a column of exits", column, "s", 0.06)
    part = 3 if quick else 10
    grid = {"fast": list(research.FAST)[:part], "slow": list(research.SLOW)[:part]}
    without, with_trail = fastest(
        partial(research.sweep, market, research.vectorised, grid),
        partial(research.sweep, market, trailing_columns, grid),
        times=1 if quick else 2,
    )
    yield Line(f"sweep of {part**2} pairs, a trailing stop / fixed", with_trail / without, "x", 2.5)


def trailing(ctx: Context) -> Candidate | None:
    close = ctx.candles("5m", 50).close
    if not close[-10:].mean() > close.mean():
        return None
    return tn.long(stop_loss=0.99 * ctx.price, trail=1.0, minutes=work.DAY)


def laddered(ctx: Context) -> Candidate | None:
    close = ctx.candles("5m", 50).close
    if not close[-10:].mean() > close.mean():
        return None
    price = ctx.price
    ladder = [(1.005 * price, 0.5), (1.01 * price, 0.5)]
    return tn.long(stop_loss=0.99 * price, take_profit=ladder, minutes=work.DAY)


def asked_while_open(fast: int, slow: int) -> StrategySpec:
    def entering(ctx: Context) -> Candidate | None:
        if not ctx.indicators["above"] > 0:
            return None
        price = ctx.price
        return tn.long(take_profit=1.01 * price, stop_loss=0.99 * price)

    made = tn.strategy(f"asked-{fast}-{slow}", every="5m")(entering)

    @made.manage
    def leaving(ctx: Context) -> Any:
        return None if ctx.indicators["above"] > 0 else tn.close()

    @made.indicators("5m")
    def columns(df: Any) -> dict[str, Any]:
        return {"above": above(df.close.to_numpy(), fast, slow)}

    return made


def above(close: Any, fast: int, slow: int) -> Any:
    """Return the distance of the fast mean from the slow one."""
    return research.mean(close, fast) - research.mean(close, slow)


def plain(candles: Candles) -> list[tuple[float, float]]:
    """Go from the arrays to the prices of the trades."""
    close = resample(candles, yardstick.FIVE * MINUTE).close
    seen = np.zeros(len(candles))
    seen[yardstick.FIVE - 1 :: yardstick.FIVE] = np.nan_to_num(above(close, 10, 50))
    opens, highs, lows, closes = (
        column.tolist() for column in (candles.open, candles.high, candles.low, candles.close)
    )
    trades, entry, target, stop = [], 0.0, 0.0, 0.0
    holding = False
    for now, signal in enumerate(seen.tolist()):
        ended = False
        if holding:
            price = 0.0
            if lows[now] <= stop:
                price = min(stop, opens[now])
            elif highs[now] >= target:
                price = target
            elif now % 5 == 4 and signal <= 0:
                price, ended = closes[now], True
            if price:
                trades.append((entry, price))
                holding = False
        if not holding and not ended and signal > 0:
            holding, entry = True, closes[now]
            target, stop = 1.01 * entry, 0.99 * entry
    return trades


def with_exits(fast: int, slow: int) -> StrategySpec:
    def columns(df: Any) -> dict[str, Any]:
        close = df.close.to_numpy()
        seen = above(close, fast, slow)
        sides = {"take_profit": 1.01 * close, "stop_loss": 0.99 * close}
        return {"position": seen > 0, "exit": seen <= 0, **sides}

    return tn.strategy(f"exits-{fast}-{slow}", every="5m", vectorised=True)(columns)


def trailing_columns(fast: int, slow: int) -> StrategySpec:
    def columns(df: Any) -> dict[str, Any]:
        close = df.close.to_numpy()
        seen = above(close, fast, slow)
        return {"position": seen > 0, "stop_loss": 0.99 * close, "trail": 1.0, "minutes": work.DAY}

    return tn.strategy(f"trails-{fast}-{slow}", every="5m", vectorised=True)(columns)
