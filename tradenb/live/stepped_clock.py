"""Recorded candles as if they closed now: a clock that is stepped, and a source that follows it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace

from tradenb.core.candles.arrays import Candles
from tradenb.core.candles.rows import Rows
from tradenb.core.timeframe import MINUTE
from tradenb.engine.ports import CandleRequest, CandleSource, Clock, Loaded


class SteppedClock:
    """A clock that moves only when the loop waits for it.

    Parameters
    ----------
    start : int
        First moment, ms UTC.
    speed : float or None
        Seconds of candles in one second; None: no waiting at all.
    """

    stepped = True

    def __init__(self, start: int, speed: float | None = None) -> None:
        self._now = start
        self._speed = speed

    def now(self) -> int:
        """Return the moment that has been reached, ms UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds of the real clock, to measure how long things take."""
        return time.monotonic()

    async def wait(self, woken: asyncio.Event, until: int | None) -> None:
        """Move to `until`, unless the event is set first."""
        if until is None:
            await woken.wait()
            return
        ahead = max(0, until - self._now)
        pause = 0.0 if self._speed is None else ahead / 1000 / self._speed
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await woken.wait()
        if not woken.is_set():
            self._now = max(self._now, until)


class RecordedSource:
    """A source of recorded candles that shows what had closed at the clock's moment."""

    def __init__(self, source: CandleSource, clock: Clock) -> None:
        self.origin = source
        self.name = source.name
        self._clock = clock
        self._loaded: dict[str, Loaded] = {}
        self._period: CandleRequest | None = None

    def record(self, request: CandleRequest, loaded: Loaded) -> None:
        """Keep the candles of a symbol; those of others are loaded for the same period."""
        self._period = request
        self._loaded[request.symbol] = loaded

    def of(self, symbol: str) -> Loaded:
        """Return all candles of a symbol; loaded if need be.

        Raises
        ------
        UsageError, CandleError, ExchangeError
            When the source does not have it.
        """
        if symbol not in self._loaded and self._period is not None:
            request = replace(self._period, symbol=symbol, progress=None)
            self._loaded[symbol] = self.origin.load(request)
        return self._loaded[symbol]

    def load(self, request: CandleRequest) -> Loaded:
        """Return what had closed at the clock's moment, all the history included."""
        candles, intake = self.of(request.symbol)
        return Loaded(candles.between(candles.start, self._clock.now()), intake)

    def recent(self, symbol: str, since: int, limit: int) -> Rows:
        """Return the next candles as rows, at most `limit`."""
        candles = self.of(symbol).candles
        closed = min(self._clock.now(), candles.end, since + limit * MINUTE)
        return rows_of(candles.between(since, closed))


def rows_of(candles: Candles) -> Rows:
    """Return candles as the rows of an answer."""
    return Rows(candles.time, *candles.columns)
