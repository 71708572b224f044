"""Runs that have no candles yet: their history is fetched beside the ticks of the others."""

from __future__ import annotations

import asyncio

from tradenb.core.timeframe import floor_to
from tradenb.engine.ports import Clock, Workers
from tradenb.errors import StateError
from tradenb.live.loop.feeds import Feeds
from tradenb.live.loop.first_state import begin, ends_unbegun, first_checkpoint, history_span
from tradenb.live.loop.gather import TOGETHER_S, together
from tradenb.live.loop.notify import Notifier
from tradenb.live.loop.record import RunRecord


class Startup:
    """Prepares runs, each as a task of its own."""

    def __init__(self, clock: Clock, workers: Workers, notifier: Notifier, feeds: Feeds) -> None:
        self._clock = clock
        self._workers = workers
        self._notifier = notifier
        self._feeds = feeds
        self._preparing: dict[int, asyncio.Task[None]] = {}

    def forget(self, run: RunRecord) -> None:
        """Prepare a run no longer."""
        if id(run) in self._preparing:
            self._preparing.pop(id(run)).cancel()

    def clear(self) -> None:
        """Forget all, whose tasks ended with their loop."""
        self._preparing = {}

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
            await together(tasks)
        for run in due:
            # The candles that one of them could not have may have come for another since.
            if run.feed is None and id(run) not in self._preparing and self._feeds.has(run):
                await self._prepare(run)
        for run in runs:
            if run.feed is None:
                await self._hear_unbegun(run)

    async def _prepare(self, run: RunRecord) -> None:
        """Fetch the history before the first tick, and make the instance."""
        try:
            checkpoint = first_checkpoint(run, floor_to(self._clock.now()))
            cursor = checkpoint.state.cursor if run.instance is None else run.instance.state.cursor
            feed = self._feeds.of(run)
            history = await feed.prepare(cursor, history_span(run, checkpoint, cursor))
            if run.instance is None:
                begin(run, checkpoint, history)
            run.feed = feed
        except Exception as error:  # noqa: BLE001 - an exchange's; the others go on
            await self._notifier.fail(run, error)
        finally:
            self._preparing.pop(id(run), None)

    async def _hear_unbegun(self, run: RunRecord) -> None:
        """Let a run go that has no candles yet, if that is asked for and leaves no position."""
        try:
            asked = await self._workers.call(run.storage.look, seconds=None)
            going = [request for request in asked.requests if ends_unbegun(run, request.command)]
            if going or any(ends_unbegun(run, command) for command in run.commands):
                run.releasing = True
                await self._workers.call(run.storage.done, going, seconds=None)
        except (StateError, OSError) as error:
            await self._notifier.fail(run, error)
