"""Symbols that a strategy only reads: `ctx.candles(..., symbol="ETHUSDT")` in a live run.

They are declared (`symbols=` of the strategy), kept in the document, or found at the first read:
that ask is dropped, the candles are fetched, and the strategy is asked again as of the same close.
From then on a tick fetches them before the first ask, when its exits are on disk: a symbol that is
late or gone delays no exit. Only the asks that need it wait or fail, and the run says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from tradenb.core.timeframe import floor_to
from tradenb.engine.context import Context
from tradenb.engine.ports import Clock, check_markets
from tradenb.errors import ExchangeError, StrategyError
from tradenb.live.loop.feed import LOAD_S, TOGETHER_S, Feed
from tradenb.live.loop.notify import Notifier
from tradenb.live.loop.record import RunRecord

FeedOf = Callable[[RunRecord, str], Feed]


class ReadSymbols:
    """Follows the symbols that the runs of one loop read.

    Parameters
    ----------
    feed_of : callable
        Returns the feed of a run for a symbol; it is shared with runs that trade the symbol.
    """

    def __init__(self, notifier: Notifier, feed_of: FeedOf) -> None:
        self._notifier = notifier
        self._clock: Clock = notifier.clock
        self._feed_of = feed_of
        self._following: dict[tuple[int, str], asyncio.Task[None]] = {}

    async def begin(self, run: RunRecord, known: Iterable[str]) -> None:
        """Follow what is known to be read when a run begins, and say what cannot be."""
        for symbol in known:
            if symbol != run.symbol:
                run.reads.setdefault(symbol, None)
        await self._follow_missing(run)

    async def fetch(self, runs: Sequence[RunRecord], newest: int) -> None:
        """Have the candles up to a close time, or as many as come while that is worth waiting for.

        Those that are late are shown as they are; the next tick fetches them.
        """
        feeds = {id(feed): feed for run in runs for feed in run.reads.values() if feed is not None}
        until = self._clock.monotonic() + max(map(_patience_ms, runs)) / 1000
        while missing := [feed for feed in feeds.values() if _end_of(feed) < newest]:
            tasks = [feed.begin_fetch(newest) for feed in missing]
            await asyncio.wait(tasks, timeout=max(0.0, until - self._clock.monotonic()))
            again = [feed.times.next_at for feed in missing if _end_of(feed) < newest]
            left_ms = (until - self._clock.monotonic()) * 1000  # whatever the wall clock does
            if not again or self._clock.stepped or min(again) - self._clock.now() >= left_ms:
                break
            await self._clock.wait(asyncio.Event(), min(again))
        for run in runs:
            for symbol, feed in run.reads.items():
                if feed is not None and feed.history is not None:
                    run.histories.put(feed.history)
                    if feed.last_error is not None:
                        await self._report(run, symbol, feed.last_error)
            await self._follow_missing(run)

    async def follow_wanted(
        self, run: RunRecord, context: Context, newest: int
    ) -> Exception | None:
        """Follow what an ask as of `newest` has read for the first time, so that it is made again.

        Returns
        -------
        Exception or None
            Why it cannot be made again now.
        """
        late_at = newest + run.rules.late_entry_seconds * 1000
        seconds = max(0.0, late_at - self._clock.now()) / 1000
        wanted, run.wanted = list(dict.fromkeys(run.wanted)), []
        for symbol in wanted:
            run.reads.setdefault(symbol, None)
            error = await self._followed(run, symbol, seconds)
            if error is not None:
                return StrategyError(f"{symbol} cannot be read: {error}")
        if self._clock.now() >= late_at and not self._clock.stepped:
            words = f"the candles of {', '.join(wanted)} came too late for this ask"
            return StrategyError(f"{words}; they are followed from now on")
        context.remembers = False  # what it left in ctx.state is dropped
        return None

    async def _follow_missing(self, run: RunRecord) -> None:
        for symbol in [symbol for symbol, feed in run.reads.items() if feed is None]:
            error = await self._followed(run, symbol, TOGETHER_S)
            if error is not None:
                await self._report(run, symbol, error)

    async def _report(self, run: RunRecord, symbol: str, error: BaseException) -> None:
        words = f"{run.strategy} reads {symbol}, which cannot be fetched: {error}"
        await self._notifier.report_error(run, ExchangeError(words, retryable=True))

    async def _followed(self, run: RunRecord, symbol: str, seconds: float) -> BaseException | None:
        """Follow a symbol; return why it is not followed yet. The fetch goes on meanwhile."""
        key = (id(run), symbol)
        if key not in self._following:
            self._following[key] = asyncio.create_task(self._follow(run, symbol))
        task = self._following[key]
        await asyncio.wait({task}, timeout=LOAD_S if self._clock.stepped else seconds)
        if not task.done():
            return TimeoutError("its candles are still being fetched")
        self._following.pop(key, None)
        return task.exception()

    async def _follow(self, run: RunRecord, symbol: str) -> None:
        check_markets(getattr(run.source, "origin", run.source), (run.symbol, symbol))
        feed = self._feed_of(run, symbol)
        own = None if run.feed is None else run.feed.history
        since = run.cursor
        span = max(run.spec.history_ms, 0 if own is None else since - own.candles.start)
        history = await feed.prepare(since, span)
        await feed.fetch(floor_to(self._clock.now()))
        run.reads[symbol] = feed
        run.histories.put(history)


def _end_of(feed: Feed) -> int:
    return 0 if feed.history is None else feed.history.candles.end


def _patience_ms(run: RunRecord) -> int:
    """Return how long asks wait for what they read: as long as a minute is requested again."""
    rules = run.rules
    again = rules.candle_retries * rules.candle_retry_seconds + TOGETHER_S
    return round(1000 * min(again, rules.late_entry_seconds / 2))
