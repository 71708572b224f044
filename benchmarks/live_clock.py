"""Two hundred live runs on the real clock and a real disk: how long a start takes, and a tick.

A process of its own: `python -m benchmarks.live_clock MINUTES` prints what it saw as JSON. Candles
come from memory, so what is measured is ours and the disk's. Lateness is how long after its candle
had closed and settled a run was done with it: committed, told, views written.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import tradenb as tn
from tradenb.clock import wall_ms
from tradenb.core.candles.arrays import Rows
from tradenb.core.timeframe import DAY, MINUTE, iso
from tradenb.engine.ports import CandleRequest, Loaded
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.live.live_run import record_of
from tradenb.live.stepped_clock import rows_of

SYMBOLS, STRATEGIES = 50, 4
PATIENCE_S = 300.0
_RULES = tn.Rules()


class Now:
    """Made-up candles that have closed by now."""

    name = "now"

    def __init__(self) -> None:
        start = iso(wall_ms() // DAY * DAY - DAY)
        self._walk = tn.testing.random_walk(seed=1, days=3, start=start, name="walk-of-now")

    def load(self, request: CandleRequest) -> Loaded:
        """Return all that has closed; see `engine.ports.CandleSource`."""
        candles, intake = self._walk.load(request)
        return Loaded(candles.between(candles.start, wall_ms()), intake)

    def recent(self, symbol: str, since: int, limit: int) -> Rows:
        """Return the newest candles as rows."""
        candles, _ = self._walk.load(
            CandleRequest(symbol=symbol, start=since, end=since, rules=_RULES)
        )
        return rows_of(candles.between(since, min(wall_ms(), since + limit * MINUTE)))


def lived(minutes: int) -> dict[str, Any]:
    """Live for some minutes; return seconds until all had begun, and how late each tick was."""
    market = Now()
    names = [f"COIN{number}USDT" for number in range(SYMBOLS)]
    specs = [StrategySpec(name=f"s{n}", function=_never, every="1m") for n in range(STRATEGIES)]
    for name in names:  # what the walk makes is made before the clock runs
        market.recent(name, 0, 1)
    settle = _RULES.settle_seconds * 1_000
    with tempfile.TemporaryDirectory() as home:
        time.sleep((MINUTE - wall_ms() % MINUTE + 10_000) % MINUTE / 1_000)  # no tick comes soon
        began = time.perf_counter()
        runs = [
            tn.live.background(name, strategy=spec, exchange=market, home=Path(home))
            for spec in specs
            for name in names
        ]
        records = [record_of(run) for run in runs]
        returned = time.perf_counter() - began
        while any(each.committed is None for each in records):
            time.sleep(0.005)
            if time.perf_counter() - began > PATIENCE_S:
                raise TimeoutError("the runs have not begun")
        started, first = time.perf_counter() - began, wall_ms() // MINUTE * MINUTE
        time.sleep(minutes * 60 + 5)
        ticks = [tick for each in records for tick in each.last_ticks if tick.at > first]
        for run in runs:
            run.release()
        for run in runs:
            run.wait()
    late = [(tick.wall - tick.at - settle) / 1_000 for tick in ticks]
    return {"returned": returned, "started": started, "late": late}


def _never(ctx: object) -> None:
    del ctx


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    print(json.dumps(lived(int(sys.argv[1]))))
