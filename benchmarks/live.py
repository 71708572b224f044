"""Live: what a commit costs on this disk, and what a tick of 200 runs costs.

Lateness is how long after the first of them a run is done with a tick, all 200 being due at once.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.lines import Heading, Line
from tradenb.core.lifecycle.state import State
from tradenb.core.timeframe import MINUTE
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.exchanges.random_walk import random_walk
from tradenb.live.state.checkpoint import Checkpoint
from tradenb.live.state.disk_storage import DiskStorage
from tradenb.store.paths import Home
from tradenb.testing.world.simulated_world import World

SYMBOLS, STRATEGIES = 50, 4
START = 1_704_067_200_000


def measure(*, quick: bool) -> Iterator[Line | Heading]:
    yield Heading("live: one commit on the disk of the temporary folder, synced")
    times = _commits(30 if quick else 300)
    yield Line("median", statistics.median(times) * 1000, "ms")
    yield Line("p99", _p99(times) * 1000, "ms", 100)
    ticks = 2 if quick else 10
    yield Heading(f"live: {SYMBOLS * STRATEGIES} runs, {ticks} ticks, files in memory, one thread")
    late, requests = _ticks(ticks)
    yield Line("requests for a symbol and tick", requests / SYMBOLS / ticks, "", 1)
    yield Line("lateness of a run, median", statistics.median(late), "s")
    yield Line("lateness of a run, p99", _p99(late), "s")


def _commits(count: int) -> list[float]:
    times = []
    with tempfile.TemporaryDirectory() as folder:
        spec = StrategySpec(name="bench", function=_never, every="1m")
        storage = DiskStorage(Home(Path(folder)), "BTCUSDT", spec, "bench", now=lambda: START)
        storage.open()
        for number in range(count):
            state = State("BTCUSDT", "bench", MINUTE, START + number * MINUTE)
            began = time.perf_counter()
            storage.commit(Checkpoint(state, "{}", 0, START, START, (), 0))
            times.append(time.perf_counter() - began)
        storage.close()
    return times


def _ticks(count: int) -> tuple[list[float], int]:
    """Return how late each run was at each tick in real seconds, and the number of requests."""
    names = [f"COIN{number}USDT" for number in range(SYMBOLS)]
    specs = [StrategySpec(name=f"s{n}", function=_never, every="1m") for n in range(STRATEGIES)]
    walk = random_walk(seed=1, days=1, symbols=names, start="2024-01-01")
    start = START + 600 * MINUTE
    world = World(walk, start=start, runs=[(name, spec) for spec in specs for name in names])
    late: list[float] = []
    began: dict[int, float] = {}

    def hear(tick) -> None:  # type: ignore[no-untyped-def]
        late.append(time.perf_counter() - began.setdefault(tick.at, time.perf_counter()))

    world.bus.subscribe(hear, channel="ticks")
    world.live(start + count * MINUTE + 3_000)
    return late, len(world.exchange.requests)


def _p99(values: list[float]) -> float:
    return sorted(values)[int(0.99 * (len(values) - 1))]


def _never(ctx: object) -> None:
    del ctx
