"""Runs with an account, and candles with gaps; the strategies are those of work W, vectorised.

Ratios to the plain loop over a year (`yardstick`) hold on any machine, seconds do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

import tradenb as tn
from benchmarks import work, yardstick
from benchmarks.clock import fastest
from benchmarks.lines import Heading, Line
from tradenb.backtest.results.result import Result
from tradenb.core.candles.arrays import Candles, candles_of
from tradenb.core.timeframe import DAY
from tradenb.engine.specs.strategy_spec import StrategySpec

ACCOUNT = tn.Account(cash=1e6, percent=0.1)
DAYS = 365


def measure(times: int, *, quick: bool) -> Iterator[Line | Heading]:
    symbols, years = (100, 2) if quick else (500, 8)
    year = work.walk(work.YEAR)
    (plain,) = fastest(partial(yardstick.trades_of, year), times=times)
    yield Heading(f"An account and gaps; plain is the loop over a year, {plain:.3f} s")
    daily = Daily(symbols)
    yield from _with_and_without(f"{symbols} symbols x a year of 1d", daily, _spec("1d"), plain, 2)
    long = work.market(1, years * work.YEAR)
    yield from _with_and_without(f"{years} years of 1m", long, _spec("5m"), plain, 3)
    for lost in (0.0, 0.3):
        market = work.Memory({"S00": _with_gaps(year, lost)})
        (seconds,) = fastest(partial(_run, market, work.spec(work.with_reduce)), times=times)
        name = f"a year of 1m, {lost:.0%} of the minutes missing"
        yield Line(name, seconds, "s", note=f"{seconds / plain:.1f} plain")


class Daily(work.Memory):
    """Walks of daily candles."""

    step = DAY

    def __init__(self, symbols: int) -> None:
        super().__init__({f"S{place:03}": _daily(place) for place in range(symbols)})


def _daily(seed: int) -> Candles:
    random = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(random.normal(0, 0.02, DAYS))), 4)
    open_ = np.concatenate(([100.0], close[:-1]))
    beyond = np.abs(random.normal(0, 0.01, (2, DAYS)))
    high = np.maximum(open_, close) * (1 + beyond[0])
    low = np.minimum(open_, close) * (1 - beyond[1])
    return candles_of((open_, high, low, close, np.ones(DAYS)), work.START, DAY)


def _with_gaps(candles: Candles, lost: float) -> Candles:
    """Return candles of which a share is missing, in no order."""
    from tradenb.core.candles.arrays import Rows
    from tradenb.core.candles.gaps import with_gaps

    kept = np.random.default_rng(3).random(len(candles)) >= lost
    kept[0] = True
    columns = (np.ascontiguousarray(column[kept]) for column in candles.columns)
    return with_gaps(Rows(candles.time[kept], *columns), candles.step, 15)[0]


def _spec(every: str) -> StrategySpec:
    near, far, width = (5, 20, 0.05) if every == "1d" else (10, 50, 0.01)

    def rows(df: Any) -> dict[str, Any]:
        close = df["close"].to_numpy()
        summed = np.concatenate(([0.0], np.cumsum(close)))
        above = np.zeros(len(close), dtype=bool)
        means = [(summed[length:] - summed[:-length]) / length for length in (near, far)]
        above[far - 1 :] = means[0][far - near :] > means[1]
        return {
            "position": above,
            "take_profit": (1 + width) * close,
            "stop_loss": (1 - width) * close,
            "minutes": np.full(len(close), 20 * 1440.0 if every == "1d" else 1440.0),
        }

    return tn.strategy(f"account-{every}", every=every, vectorised=True)(rows)


def _run(market: Any, spec: StrategySpec, account: tn.Account | None = None) -> Result:
    symbols = list(market.candles)
    return tn.backtest.run(symbols, strategy=spec, exchange=market, account=account, progress=False)


def _with_and_without(
    what: str, market: Any, spec: StrategySpec, plain: float, aim: float
) -> Iterator[Line]:
    for words, account in (("without an account", None), ("on one account", ACCOUNT)):
        (seconds,) = fastest(partial(_run, market, spec, account), times=2)
        result = _run(market, spec, account)
        note = f"{seconds / plain:.1f} plain, {len(result.trade_list):,} trades"
        yield Line(f"{what}, {words}", seconds, "s", aim if account else None, note=note)
        (seconds,) = fastest(lambda: _run(market, spec, account).figures, times=1)  # noqa: B023
        yield Line("- with its figures", seconds, "s", note=f"{seconds / plain:.1f} plain")
