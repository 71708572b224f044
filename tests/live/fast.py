"""Live runs in quick time: the real registry and loop on a clock that runs ninety times as fast."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tradenb as tn
from tradenb.bus import bus
from tradenb.clock import SystemClock
from tradenb.core.rules import Rules
from tradenb.core.timeframe import floor_to
from tradenb.exchanges.function_source import FunctionExchange
from tradenb.live.loop.supervisor import Supervisor
from tradenb.live.loop.worker_threads import ThreadWorkers
from tradenb.live.run_registry import RunRegistry

MINUTE = 60_000
FACTOR = 90.0
# How long before the end of a minute the clock begins, in its own time: the first candle is near.
BEFORE = 20_000
# A busy machine may well lose a second, which is a minute here: asks may come late.
RULES = Rules(
    settle_seconds=0,
    candle_retry_seconds=0,
    late_entry_seconds=3_000,
    signal_timeout_seconds=36_000,
)


class FastClock(SystemClock):
    """Begins at the end of the wall clock's minute and runs ahead of it."""

    def __init__(self, factor: float = FACTOR) -> None:
        now = SystemClock.now(self)
        self._start = max(now, floor_to(now) + MINUTE - BEFORE)
        self._began, self._factor = time.monotonic(), factor

    def now(self) -> int:
        return self._start + round((time.monotonic() - self._began) * 1000 * self._factor)

    async def wait(self, woken, until):
        real = SystemClock()
        if until is not None:
            until = real.now() + round(max(0, until - self.now()) / self._factor)
        await real.wait(woken, until)


class FastWorkers(ThreadWorkers):
    """Deadlines run on the same clock."""

    async def call(self, function, *args, seconds):
        return await super().call(
            function, *args, seconds=None if seconds is None else seconds / FACTOR
        )


def price(minute: int) -> float:
    """A price near 100 that depends on the minute alone."""
    return 100 + hashlib.sha256(str(minute).encode()).digest()[0] / 2_560


def rows(since: int, limit: int, now: int) -> list[list[float]]:
    """The closed candles from `since` on."""
    found = []
    for at in range(since - since % MINUTE, now - MINUTE + 1, MINUTE):
        first, last = price(at - MINUTE), price(at)
        found.append([at, first, max(first, last), min(first, last), last, 1.0])
    return found[:limit]


def market(clock: SystemClock, name: str = "quick") -> FunctionExchange:
    """An exchange that makes candles from a clock."""

    @tn.exchange(name, now=clock.now)
    def quick(symbol, since, limit):
        return rows(since, limit, clock.now())

    return quick


class Quick:
    """A registry of its own, its supervisor, and the exchange that its runs are on."""

    def __init__(self, **supervisor: Any) -> None:
        self.clock = FastClock()
        self.supervisor = Supervisor(self.clock, FastWorkers(), bus, **supervisor)
        self.run_registry = RunRegistry()
        self.run_registry._supervisor = self.supervisor
        self.exchange = market(self.clock)

    def start(self, strategy: Any, *, symbol: str = "BTCUSDT", **more: Any) -> Any:
        more = {"rules": RULES, "home": None, "exchange": self.exchange} | more
        return self.run_registry.start(symbol, strategy=strategy, **more)[0]

    def close(self) -> None:
        self.supervisor.close()


def until(condition: Callable[[], object], what: str, seconds: float = 120.0) -> Any:
    """Wait for a condition and return what it gave; fail with words when it does not come."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come within {seconds:g} s")


def folder_of(home: Path, *parts: str) -> Path:
    return home.joinpath("data", *parts)
