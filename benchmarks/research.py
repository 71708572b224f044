"""Sweeps and indicators: a strategy written as callback, with indicators, and vectorised.

Work W with ten fast and ten slow means: 100 combinations over a year of 1m candles, trials of one
process, then of one and of two worker processes. Callback and columns make the same trades, which
is checked. The means are made with a running sum, as somebody would who wants them quickly.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import tradenb as tn
from benchmarks import work
from benchmarks.clock import fastest
from benchmarks.lines import Heading, Line
from tradenb.engine.context import Context
from tradenb.engine.specs.strategy_spec import StrategySpec

FAST = range(5, 15)
SLOW = range(40, 90, 5)


def measure(times: int, *, quick: bool) -> Iterator[Line | Heading]:
    market = work.market(1, work.YEAR)
    yield Heading("Work W with indicators, and vectorised: whole runs")
    specs = [callback(10, 50), vectorised(10, 50)]
    trades = [work.run(market, spec).trade_list for spec in specs]
    assert _plain(trades[0]) == _plain(trades[1])
    read, column = fastest(*(partial(work.run, market, spec) for spec in specs), times=times)
    yield Line("run, a callback that reads two indicators", read, "s", 0.2)
    yield Line("run, vectorised signals", column, "s", 0.05)
    (looked_at,) = fastest(lambda: work.run(market, specs[1]).event_list, times=times)
    yield Line("- and its events, which are made when looked at", looked_at, "s")
    part = 3 if quick else 10
    grid = {"fast": list(FAST)[:part], "slow": list(SLOW)[:part]}
    share = 100 / part**2
    yield Heading(f"A sweep of {part**2} combinations over a year, scaled to 100")
    for words, make, aim in (("vectorised", vectorised, 1.0), ("callbacks", callback, 8.0)):
        (seconds,) = fastest(partial(sweep, market, make, grid), times=1 if quick else 2)
        yield Line(f"100 combinations, {words}", seconds * share, "s", aim)
    yield Heading("The same with callbacks in worker processes (needs free cores)")
    one, two = in_processes(market, grid, times=1 if quick else 3)
    free = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores before the workers' own"
    yield Line("wall clock, two workers to one", two.wall / one.wall, "", 1 / 1.7, free)
    yield Line("CPU of all workers, two to one", two.cpu / one.cpu, "", 1.25)


class Used(NamedTuple):
    """Seconds."""

    wall: float
    cpu: float


def sweep(market: work.Memory, make: Any, grid: dict[str, list[int]], executor: Any = None) -> None:
    with tempfile.TemporaryDirectory() as home:
        table = tn.sweep(
            make, grid=grid, symbols="S00", exchange=market, home=home, executor=executor,
            progress=False,
        )  # fmt: skip
    assert table["error"].isna().all()


def in_processes(market: work.Memory, grid: dict[str, list[int]], *, times: int) -> list[Used]:
    """Sweep with one worker and with two, in turns; the least of each, without their start."""
    least = [Used(float("inf"), float("inf"))] * 2
    for _ in range(times):
        for place in (0, 1):
            idle = _in_pool(place + 1, lambda _pool: None)
            busy = _in_pool(place + 1, partial(sweep, market, callback, grid))
            wall, cpu = least[place]
            least[place] = Used(min(wall, busy.wall), min(cpu, busy.cpu - idle.cpu))
    return least


def _in_pool(workers: int, what: Callable[[ProcessPoolExecutor], object]) -> Used:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        for started in [pool.submit(start) for _ in range(4 * workers)]:
            started.result()
        began = time.perf_counter()
        what(pool)
        wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Used(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def start() -> None:
    """Have everything imported that a trial needs, and leave time for the other workers."""
    importlib.import_module("tradenb.research.sweep.sweep_trial")
    importlib.import_module("pandas")
    time.sleep(0.2)


def callback(fast: int, slow: int) -> StrategySpec:
    def reading(ctx: Context) -> object:
        seen = ctx.indicators
        if not seen["fast"] > seen["slow"]:
            return None
        price = ctx.price
        return tn.long(take_profit=1.01 * price, stop_loss=0.99 * price, minutes=work.DAY)

    made = tn.strategy(f"read-{fast}-{slow}", every="5m")(reading)

    @made.indicators("5m")
    def columns(df: Any) -> dict[str, Any]:
        close = df.close.to_numpy()
        return {"fast": mean(close, fast), "slow": mean(close, slow)}

    return made


def vectorised(fast: int, slow: int) -> StrategySpec:
    def columns(df: Any) -> dict[str, Any]:
        close = df.close.to_numpy()
        above = mean(close, fast) > mean(close, slow)
        sides = {"take_profit": 1.01 * close, "stop_loss": 0.99 * close}
        return {"position": above, "minutes": work.DAY, **sides}

    return tn.strategy(f"columns-{fast}-{slow}", every="5m", vectorised=True)(columns)


def mean(values: Any, count: int) -> Any:
    sums = np.cumsum(values)
    found = np.full(len(values), np.nan)
    found[count - 1] = sums[count - 1] / count
    found[count:] = (sums[count:] - sums[:-count]) / count
    return found


def _plain(trades: list[Any]) -> list[tuple[Any, ...]]:
    return [(trade.opened_at, trade.closed_at, trade.entry, trade.exit) for trade in trades]
