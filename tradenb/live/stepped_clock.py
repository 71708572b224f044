"""Recorded candles as if they closed now: a clock that is stepped, and a source that follows it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from typing import Any

from tradenb.core.candles.arrays import Candles, Rows
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
        self._beside: list[BesideClock] = []

    def now(self) -> int:
        """Return the moment that has been reached, ms UTC."""
        return self._now

    def monotonic(self) -> float:
        """Return seconds of the real clock, to measure how long things take."""
        return time.monotonic()

    async def wait(self, woken: asyncio.Event, until: int | None) -> None:
        """Move to `until`, unless the event is set first; what runs beside has its turns."""
        if until is None:
            await woken.wait()
            return
        while not woken.is_set():
            for each in [*self._beside]:
                await each.resting.wait()
            due = [each for each in self._beside if each.due <= self._now]
            for each in due:
                await each.turn()
            if not due:
                if self._now >= until:
                    await asyncio.sleep(0)
                    return
                await self._move(woken, min((until, *(each.due for each in self._beside))))

    def beside(self) -> BesideClock:
        """Return the clock of a task that has turns while the loop waits, one at a time."""
        made = BesideClock(self)
        self._beside.append(made)
        return made

    def leave(self, clock: BesideClock) -> None:
        """Give a task no more turns."""
        if clock in self._beside:
            self._beside.remove(clock)

    def pass_by(self, ms: int) -> None:
        """Let time pass at once, as a request takes it."""
        self._now += ms

    async def _move(self, woken: asyncio.Event, until: int) -> None:
        if self._speed is None:
            await asyncio.sleep(0)
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0, until - self._now) / 1000 / self._speed):
                    await woken.wait()
        if not woken.is_set():
            self._now = max(self._now, until)


class BesideClock:
    """A stepped clock as a task beside the loop sees it; made by `SteppedClock.beside`.

    It runs only while the loop waits, so nothing depends on which of two threads is faster.

    Attributes
    ----------
    resting : Event
        Set while the task waits for its turn.
    """

    stepped = True

    def __init__(self, clock: SteppedClock) -> None:
        self._clock = clock
        self.resting = asyncio.Event()
        self._go = asyncio.Event()
        self._woken, self._until = asyncio.Event(), 0
        self._task: asyncio.Task[Any] | None = None

    @property
    def due(self) -> int:
        """When its turn is, ms UTC."""
        return 0 if self._woken.is_set() else self._until

    def now(self) -> int:
        """Return the moment that has been reached, ms UTC."""
        return self._clock.now()

    def monotonic(self) -> float:
        """Return seconds of the real clock."""
        return self._clock.monotonic()

    def beside(self) -> BesideClock:
        """Return one more."""
        return self._clock.beside()

    async def wait(self, woken: asyncio.Event, until: int | None) -> None:
        """Wait for the turn that comes when the event is set or the clock is at `until`."""
        self._woken, self._until = woken, 1 << 60 if until is None else until
        if self._task is None:
            self._task = asyncio.current_task()
            assert self._task is not None  # noqa: S101 - for mypy: a coroutine has a task
            self._task.add_done_callback(self._leave)
        self._go.clear()
        self.resting.set()
        await self._go.wait()

    async def sleep(self, seconds: float) -> None:
        """Let time pass at once: nothing else runs meanwhile."""
        self._clock.pass_by(round(seconds * 1000))

    async def turn(self) -> None:
        """Let the task go on until it waits again."""
        self.resting.clear()
        self._go.set()
        await self.resting.wait()

    def _leave(self, task: asyncio.Task[Any]) -> None:
        """Have no more turns: the task has ended."""
        del task
        self._clock.leave(self)
        self.resting.set()


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

    async def recent(self, symbol: str, since: int, limit: int) -> Rows:
        """Return the next candles as rows, at most `limit`; they are in memory since `load`."""
        candles = self.of(symbol).candles
        found = candles.between(since, min(self._clock.now(), candles.end))
        return rows_of(found.rows(0, min(limit, len(found))))


def rows_of(candles: Candles) -> Rows:
    """Return candles as the rows of an answer."""
    return Rows(candles.time, *candles.columns)
