"""Runs that have no candles yet: their history is fetched beside the ticks of the others."""

from __future__ import annotations

import asyncio

from tradenb.core.timeframe import floor_to
from tradenb.errors import StateError
from tradenb.live.loop.feed import TOGETHER_S, Feed, FeedKey, gather
from tradenb.live.loop.first_state import begin, ends_unbegun, first_checkpoint, history_span
from tradenb.live.loop.notify import Notifier
from tradenb.live.loop.record import RunRecord


class Startup:
    """Prepares runs, each as a task of its own.

    Parameters
    ----------
    feeds : dict
        The feeds of the loop: runs on one symbol of one exchange share one, and its requests.
    """

    def __init__(self, notifier: Notifier, feeds: dict[FeedKey, Feed]) -> None:
        self._notifier = notifier
        self._clock, self._workers = notifier.clock, notifier.workers
        self._feeds = feeds
        self._preparing: dict[int, asyncio.Task[None]] = {}

    def forget(self, run: RunRecord) -> None:
        """Prepare a run no longer."""
        if id(run) in self._preparing:
            self._preparing.pop(id(run)).cancel()

    async def prepare(self, group: list[RunRecord]) -> None:
        """Prepare runs side by side; those that can tick wait no longer than for a candle."""
        runs = [run for run in group if run.feed is None]
        now = self._clock.now()
        due = [run for run in runs if id(run) not in self._preparing and run.next_at <= now]
        for run in due:
            self._preparing[id(run)] = asyncio.create_task(self._prepare(run))
        tasks = [self._preparing[id(run)] for run in due]
        if tasks and len(runs) < len(group):
            await asyncio.wait(tasks, timeout=TOGETHER_S)
        elif tasks:
            await gather(tasks)
        for run in due:
            # The candles that one of them could not have may have come for another since.
            waits = run.feed is None and id(run) not in self._preparing
            if waits and self._feed_of(run).history is not None:
                await self._prepare(run)
        for run in runs:
            if run.feed is None:
                await self._poll_unbegun(run)

    async def _prepare(self, run: RunRecord) -> None:
        """Fetch the history before the first tick, and make the instance."""
        try:
            checkpoint = first_checkpoint(run, floor_to(self._clock.now()))
            cursor = checkpoint.state.cursor if run.instance is None else run.cursor
            feed = self._feed_of(run)
            history = await feed.prepare(cursor, history_span(run, checkpoint, cursor))
            if run.instance is None:
                begin(run, checkpoint, history)
            run.feed = feed
        except Exception as error:  # noqa: BLE001 - an exchange's; the others go on
            await self._notifier.report_error(run, error)
        finally:
            self._preparing.pop(id(run), None)

    def _feed_of(self, run: RunRecord) -> Feed:
        """Return the feed of a run; other rules for its candles make another feed."""
        rules = run.rules
        key = (
            id(run.source),
            run.symbol,
            rules.price_anomaly_factor,
            rules.candle_retries,
            rules.candle_retry_seconds,
        )
        if key not in self._feeds:
            self._feeds[key] = Feed(run.source, run.symbol, rules, self._clock, self._workers)
        return self._feeds[key]

    async def _poll_unbegun(self, run: RunRecord) -> None:
        """Release a run that has no candles yet, if that is asked for and leaves no position."""
        try:
            found = await self._workers.call(run.storage.poll, seconds=None)
            ending = [item for item in found.requests if ends_unbegun(run, item.command)]
            if ending or any(ends_unbegun(run, command) for command in run.commands):
                run.releasing = True
                await self._workers.call(run.storage.remove_requests, ending, seconds=None)
        except (StateError, OSError) as error:
            await self._notifier.report_error(run, error)
