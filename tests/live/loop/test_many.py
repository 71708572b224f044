"""Many runs in one process: one request for each symbol and tick, and nothing that grows."""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.sources import candles, market, minute
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.live.state import disk_storage as disk
from tradenb.store.journal.event_journal import Journal
from tradenb.testing.world.simulated_world import Action, World

STRATEGIES, TICKS = 4, 2


def strategies(count):
    def asked(ctx):
        price = ctx.price
        return {
            "position": "long",
            "take_profit": 1.01 * price,
            "stop_loss": 0.99 * price,
            "minutes": 5,
        }

    return [StrategySpec(name=f"s{n}", function=asked, every="1m") for n in range(count)]


@pytest.mark.parametrize("symbols", [10, pytest.param(50, marks=pytest.mark.soak)])
def test_forty_or_two_hundred_runs_ask_once_for_each_symbol_and_tick(symbols):
    grid = candles(market(1, 20))
    names = [f"COIN{n}USDT" for n in range(symbols)]
    runs = [(name, spec) for spec in strategies(STRATEGIES) for name in names]
    world = World(dict.fromkeys(names, grid), start=minute(8), runs=runs)
    world.live(minute(8 + TICKS) + 3_000)
    asked = Counter((request.symbol, request.since) for request in world.exchange.requests)
    assert set(asked.values()) == {1}
    assert len(asked) == symbols * TICKS
    assert all(world.checkpoint(run).state.cursor == minute(8 + TICKS) for run in runs[:20])


@pytest.mark.no_cover
def test_memory_is_flat_and_the_journal_is_rotated(monkeypatch):
    monkeypatch.setattr(disk, "Journal", partial(Journal, rotate_bytes=10_000))
    runs = [("BTCUSDT", spec) for spec in strategies(1)]
    world = World({"BTCUSDT": candles(market(2, 400))}, start=minute(8), runs=runs)
    sizes = []

    def measure(process):
        for seen in (world.disk.operations, world.announced, world.exchange.requests):
            seen.clear()  # what the fakes remember is not what is measured
        world.disk.plant(Path("/synced"), b"")
        gc.collect()
        files = sum(map(len, world.disk.files().values()))
        sizes.append(tracemalloc.get_traced_memory()[0] - files)

    tracemalloc.start()
    try:
        world.live(minute(100), [Action(minute(at) + 30_000, measure) for at in (38, 68, 98)])
    finally:
        tracemalloc.stop()
    assert sizes[2] - sizes[1] < 180_000, "more than 6 kB a tick"
    journals = [path for path in world.disk.files() if path.name.startswith("BTCUSDT.jsonl")]
    assert len(journals) > 2
    numbers = [event.seq for event in world.events(runs[0])]
    assert numbers == list(range(1, len(numbers) + 1))
