"""The candles of one symbol from one exchange, shared by all runs that look at it.

One request a symbol and tick, however many strategies: the first run that needs a close asks, the
others find it here. Everything passes the same intake as in a backtest.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from tradenb.core.candles.arrays import Candles
from tradenb.core.candles.intake import MEDIAN_WINDOW, Intake, Rows, accept
from tradenb.core.rules import Rules
from tradenb.core.timeframe import MINUTE, floor_to, iso
from tradenb.engine.call import StrategyTimeout
from tradenb.engine.history.windows import History
from tradenb.engine.ports import CandleRequest, Clock, LiveSource, Workers
from tradenb.errors import CandleError, ExchangeError, MarketError

PAGE: Final = 1_000
CALL_S: Final = 30.0
LOAD_S: Final = 600.0
TOGETHER_S: Final = 5.0
MOST_LEFT: Final = 8


FeedKey = tuple[Any, ...]
"""What makes two runs share a feed: source, symbol, and the rules for its candles."""


class Feed:
    """Keeps the history of a symbol up to the newest close.

    Attributes
    ----------
    history : History or None
        None until `prepare`.
    intake : Intake
        What was found in all rows so far.
    """

    def __init__(
        self, source: LiveSource, symbol: str, rules: Rules, clock: Clock, workers: Workers
    ) -> None:
        self._source = source
        self._symbol = symbol
        self._rules = rules
        self._clock = clock
        self._workers = workers
        self._lock = asyncio.Lock()
        self._oldest = 0  # how far back was requested; a source may have less
        self._left: list[Callable[[], bool]] = []
        self.history: History | None = None
        self.intake = Intake()

    async def prepare(self, since: int, span: int) -> History:
        """Fetch the history before the first tick.

        Parameters
        ----------
        since : int
            The cursor: candles after it are still to be consumed, ms UTC.
        span : int
            How much before it is wanted, ms.
        """
        async with self._lock:
            if self.history is None or since - span < self._oldest:
                self.history = await self._load(since, span)
                self._oldest = since - span
            return self.history

    async def fetch(self, newest: int) -> History:
        """Have the candles up to a close time, or as many as the exchange gives.

        Raises
        ------
        MarketError
            When it cannot be asked, or its candles are refused.
        """
        async with self._lock:
            if self.history is None:
                raise ExchangeError(f"{self._symbol} has no history yet", retryable=True)
            tries = self._rules.candle_retries
            while self.history.candles.end < newest:
                fresh = await self._ask(self.history.candles)
                complete = fresh is not None and fresh[1].filled == 0
                if fresh is not None and (complete or tries <= 0):
                    candles, found = fresh
                    self.history.add(candles)
                    both = (
                        (getattr(each, name) for each in (self.intake, found))
                        for name in Intake.__slots__
                    )
                    self.intake = Intake(*map(sum, both))
                elif tries <= 0:
                    break
                else:
                    tries -= 1
                    await self._pause(self._rules.candle_retry_seconds)
            return self.history

    async def _load(self, since: int, span: int) -> History:
        loaded = await self._workers.call(self._load_all, since, span, seconds=LOAD_S)
        if self.history is None:
            return History(self._symbol, loaded)
        # The strategies of other runs look at this very object.
        self.history.renew(loaded)
        return self.history

    def _load_all(self, since: int, span: int) -> Candles:
        closed = self._clock.now() - self._clock.now() % MINUTE
        candles, self.intake = self._source.load(
            CandleRequest(
                symbol=self._symbol,
                start=since,
                end=max(closed, since),
                history=span,
                rules=self._rules,
            )
        )
        known = candles.between(candles.start, closed)
        if len(known) == 0 and not self._clock.stepped:
            raise CandleError(f"{self._symbol}: no candle before {iso(closed)}", code="range")
        if len(known) and known.start > since:
            raise CandleError(
                f"{self._symbol}: the run goes on after {iso(since)}, but the oldest candle of "
                f"{self._source.name} is at {iso(known.start)}; use an exchange that has the rest, "
                "or stop this run and start again",
                code="range",
            )
        return known

    async def _ask(self, known: Candles) -> tuple[Candles, Intake] | None:
        """Ask once for what closed after the known candles; None if nothing did."""
        # A candle that closes while the answer is on its way is in it as it was before.
        now = self._clock.now()
        raw = await self._rows(known.end)
        wanted = (raw.time >= known.end) & (raw.time + MINUTE <= now)
        if not wanted.any():
            return None
        before = known.rows(len(known) - MEDIAN_WINDOW, len(known))
        columns = [
            np.concatenate((old, new[wanted]))
            for old, new in zip((before.time, *before.columns), raw, strict=True)
        ]
        candles, intake = accept(Rows(*columns), factor=self._rules.price_anomaly_factor)
        fresh = candles.between(known.end, candles.end)
        return fresh, replace(intake, rows=int(np.count_nonzero(wanted)))

    async def _rows(self, since: int) -> Rows:
        self._left = [busy for busy in self._left if busy()]
        if len(self._left) >= MOST_LEFT:  # each of them has a thread
            words = f"{self._source.name} has not answered {MOST_LEFT} earlier requests"
            raise ExchangeError(words, retryable=True)
        recent: Callable[..., Any] = self._source.recent
        try:
            rows = await self._workers.call(recent, self._symbol, since, PAGE, seconds=CALL_S)
            if inspect.isawaitable(rows):
                async with asyncio.timeout(CALL_S):
                    rows = await rows
        except MarketError:
            raise
        except Exception as error:
            if isinstance(error, StrategyTimeout) and error.busy is not None:
                self._left.append(error.busy)
            words = f"{self._source.name}: no candles of {self._symbol} ({error!r})"
            raise ExchangeError(words, retryable=True) from error
        return rows  # type: ignore[no-any-return]

    async def _pause(self, seconds: float) -> None:
        until = self._clock.now() + round(seconds * 1000)
        await self._clock.wait(asyncio.Event(), until)


def due_after(now: int, rules: Rules) -> int:
    """Return when the next candle can be fetched: closed and settled, ms UTC."""
    settle = 1 + round(rules.settle_seconds * 1000)
    return floor_to(now - settle) + MINUTE + settle


async def gather(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Wait for all; not long for some of them, but as long as it takes for the first."""
    done, _ = await asyncio.wait(tasks, timeout=TOGETHER_S)
    if not done:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait(tasks, timeout=1.0)
