"""A notebook whose strategy holds one position for hours: what is handed from process to process.

The exchange makes its candles from the wall clock; their prices depend on the minute alone, so a
backtest over the same minutes sees the same ones.
"""

from __future__ import annotations

import time
from pathlib import Path

from tradenb.core.lifecycle.state import State
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.live.state.checkpoint import Checkpoint
from tradenb.live.state.disk_storage import DiskStorage
from tradenb.store.paths import find_home

MINUTE = 60_000

CELL = """
import hashlib
import time

import tradenb as tn

MINUTE = 60_000


def price(minute):
    return 100 + hashlib.sha256(str(minute).encode()).digest()[0] / 2_560


@tn.exchange("wall")
def wall(symbol, since, limit):
    now = time.time_ns() // 1_000_000
    found = []
    for at in range(since - since % MINUTE, now - MINUTE + 1, MINUTE):
        first, last = price(at - MINUTE), price(at)
        found.append([at, first, max(first, last), min(first, last), last, 1.0])
    return found[:limit]


@tn.strategy("hold", every="1m", history="1h")
def hold(ctx):
    return tn.long(take_profit=1.2 * ctx.price, stop_loss=0.85 * ctx.price, minutes=720)


rules = tn.Rules(tick_ms=100, settle_seconds=0, late_entry_seconds=3_600)
"""
START = """
run = tn.live.background("BTCUSDT", strategy=hold, exchange=wall, rules=rules)
"""
# Puts the clock of this process forward: the next candle closes in a second.
NEXT_CANDLE = """
ahead = max(0, 59_000_000_000 - time.time_ns() % 60_000_000_000)
time.time_ns = lambda now=time.time_ns: now() + ahead
"""


def begin(home: Path, *, minutes_ago: int = 3) -> int:
    """Leave a state of some minutes ago: the first tick is due at once; return its cursor."""
    cursor = time.time_ns() // 1_000_000 // MINUTE * MINUTE - minutes_ago * MINUTE
    spec = StrategySpec(name="hold", every="1m", function=lambda ctx: None)
    storage = DiskStorage(find_home(home), "BTCUSDT", spec, "wall", now=lambda: cursor)
    storage.open()
    storage.commit(
        Checkpoint(State("BTCUSDT", "hold", MINUTE, cursor), "{}", 0, cursor, cursor, (), 0)
    )
    storage.close()
    return cursor
