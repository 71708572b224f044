"""Live: what a commit costs on this disk, and what a start and a tick of 200 runs cost.

Commits and bare syncs of a file take turns on the same disk. The 200 runs are those of
`live_clock.py`, on the real clock; beside them their share that is ours, with files in memory.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.clock import child
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
BYTES = 1_500
"""About as many as the document of such a run has."""


def measure(*, quick: bool) -> Iterator[Line | Heading]:
    yield Heading("live: one commit on the disk of the temporary folder, synced")
    times, bare = _commits(30 if quick else 300)
    yield Line("median", statistics.median(times) * 1000, "ms")
    yield Line("p99", _p99(times) * 1000, "ms", 100)
    yield Line("p99 / p99 of a file that is written and synced", _p99(times) / _p99(bare), "x", 3.5)
    minutes = 1 if quick else 3
    yield Heading(
        f"live: {SYMBOLS * STRATEGIES} runs, {minutes} minutes of the real clock and disk"
    )
    seen = json.loads(child("-m", "benchmarks.live_clock", str(minutes)))
    yield Line("all have begun, and are on disk", seen["started"], "s", 1)
    yield Line("lateness of a run, median", statistics.median(seen["late"]), "s")
    yield Line("lateness of a run, p99", _p99(seen["late"]), "s", 0.4)
    ticks = 2 if quick else 10
    yield Heading(f"live: {SYMBOLS * STRATEGIES} runs, {ticks} ticks, files in memory, one thread")
    late, requests = _ticks(ticks)
    yield Line("requests for a symbol and tick", requests / SYMBOLS / ticks, "", 1)
    yield Line("lateness of a run, median", statistics.median(late), "s")
    yield Line("lateness of a run, p99", _p99(late), "s")


def _commits(count: int) -> tuple[list[float], list[float]]:
    """Return the seconds of commits, and of files that are only written and synced."""
    times, bare = [], []
    with tempfile.TemporaryDirectory() as folder:
        spec = StrategySpec(name="bench", function=_never, every="1m")
        storage = DiskStorage(Home(Path(folder)), "BTCUSDT", spec, "bench", now=lambda: START)
        storage.open()
        for number in range(count):
            state = State("BTCUSDT", "bench", MINUTE, START + number * MINUTE)
            began = time.perf_counter()
            storage.commit(Checkpoint(state, "{}", 0, START, START, (), 0))
            times.append(time.perf_counter() - began)
            began = time.perf_counter()
            _write_synced(Path(folder) / f"bare-{number}", BYTES)
            bare.append(time.perf_counter() - began)
        storage.close()
    return times, bare


def _write_synced(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.write(b"x" * size)
        file.flush()
        os.fsync(file.fileno())


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
