"""Runs that have no candles yet: their history is fetched beside the ticks of the others."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from tradenb.core.timeframe import MINUTE, floor_to
from tradenb.errors import StateError
from tradenb.live.arrival.request_times import wait_ms
from tradenb.live.loop.feed import CALL_S, TOGETHER_S, Feed, FeedKey, gather
from tradenb.live.loop.first_state import (
    ahead_of,
    begin,
    ends_unbegun,
    first_checkpoint,
    history_span,
    newest_close,
)
from tradenb.live.loop.notify import Notifier
from tradenb.live.loop.read_symbols import ReadSymbols
from tradenb.live.loop.record import RunRecord
from tradenb.live.state.abandoned import abandoned
from tradenb.live.state.control_requests import Abandon, Request


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
        self.reads = ReadSymbols(notifier, self._feed_of)
        self._preparing: dict[int, asyncio.Task[None]] = {}
        # How often the preparation of a run failed, and how long the next try waits since, ms.
        self._failures: dict[int, tuple[int, int]] = {}

    def forget(self, run: RunRecord) -> None:
        """Prepare a run no longer."""
        self._failures.pop(id(run), None)
        if id(run) in self._preparing:
            self._preparing.pop(id(run)).cancel()

    async def prepare(self, group: list[RunRecord]) -> None:
        """Prepare runs side by side; those that can tick wait no longer than for a candle."""
        runs = [run for run in group if run.feed is None]
        due = [run for run in runs if id(run) not in self._preparing and not self._pauses(run)]
        for run in due:
            run.arrival.retry_at = 0
            self._preparing[id(run)] = asyncio.create_task(self._prepare(run))
        tasks = [self._preparing[id(run)] for run in due]
        if tasks and len(runs) < len(group):
            await asyncio.wait(tasks, timeout=TOGETHER_S)
        elif tasks:
            gathered = asyncio.ensure_future(gather(tasks))
            # Some exchanges answer for minutes, or never: a stop need not wait for them.
            while not (await asyncio.wait({gathered}, timeout=TOGETHER_S))[0]:
                for run in runs:
                    if run.feed is None:
                        await self._poll_unbegun(run)
        for run in due:
            # The candles that one of them could not have may have come for another since.
            waits = run.feed is None and id(run) not in self._preparing
            if waits and self._feed_of(run, run.symbol).history is not None:
                await self._prepare(run)
        for run in runs:
            if run.feed is None:
                await self._poll_unbegun(run)

    async def _prepare(self, run: RunRecord) -> None:
        """Fetch the history before the first tick, and make the instance."""
        try:
            now = await self._exchange_time(run)
            checkpoint = first_checkpoint(run, floor_to(now))
            cursor = checkpoint.state.cursor if run.instance is None else run.cursor
            feed = self._feed_of(run, run.symbol)
            history = await feed.prepare(cursor, history_span(run, checkpoint, cursor))
            newest = newest_close(now, history.candles.end)
            if run.instance is None and checkpoint.start == cursor > newest:
                # Our clock is ahead, or the market is closed: what a run waits for comes next.
                checkpoint = first_checkpoint(run, newest)
                history = await feed.prepare(newest, history_span(run, checkpoint, newest))
            if run.instance is None:
                begin(run, checkpoint, history)
            run.feed = feed
            run.arrival.begin(feed.revisions.count, cursor)
            self._failures.pop(id(run), None)
            await self.reads.begin(run, [*run.spec.symbols, *checkpoint.reads])
        except Exception as error:  # noqa: BLE001 - an exchange's; the others go on
            tries = self._failures.get(id(run), (0, 0))[0] + 1
            pause = min(wait_ms(tries, run.rules), MINUTE)
            pause = max(pause, round(getattr(error, "retry_after", 0.0) * 1000))
            self._failures[id(run)] = tries, pause
            run.arrival.retry_at = self._clock.now() + pause
            await self._notifier.report_error(run, error)
        finally:
            self._preparing.pop(id(run), None)

    def _pauses(self, run: RunRecord) -> bool:
        """Tell whether a run waits after a try that failed, however short its ticks are."""
        ahead = run.arrival.retry_at - self._clock.now()
        # Further ahead than it waits: the wall clock was put back meanwhile.
        return 0 < ahead <= self._failures.get(id(run), (0, 0))[1]

    async def _exchange_time(self, run: RunRecord) -> int:
        """Return the time on the exchange, where it tells it and ours is a minute ahead or more."""
        now = self._clock.now()
        ask: Callable[[str], int] | None = getattr(run.source, "server_now", None)
        if ask is not None:
            with contextlib.suppress(Exception):  # what is wrong is said by the request for candles
                told = await self._workers.call(ask, run.symbol, seconds=CALL_S)
                return int(told) if now - told > MINUTE else now
        return now

    async def put_back(self, run: RunRecord) -> None:
        """Begin a run anew that stands in the future, if it has fed nothing yet; else say so."""
        await self._notifier.report_error(run, ahead_of(self._clock.now(), run.cursor))
        if run.cursor == run.start and run.held is None:
            run.forget()
            run.next_at = 0

    def _feed_of(self, run: RunRecord, symbol: str) -> Feed:
        """Return the feed of a run for a symbol; other rules for its candles make another feed."""
        rules = run.rules_in_force
        key = (
            id(run.source),
            symbol,
            rules.price_anomaly_factor,
            rules.gap_minutes,
            rules.candle_retries,
            rules.candle_retry_seconds,
            rules.settle_seconds,
            rules.late_entry_seconds,
        )
        if key not in self._feeds:
            self._feeds[key] = Feed(run.source, symbol, rules, self._clock, self._workers)
        return self._feeds[key]

    async def _abandon(self, run: RunRecord, requests: list[Request]) -> None:
        """End what a run holds whose candles cannot be fetched, if that is asked for."""
        asked = [each for each in requests if isinstance(each.command, Abandon)]
        given = [each for each in run.commands if isinstance(each, Abandon)]
        for command in (*given, *(each.command for each in asked)):
            now, before = self._clock.now(), run.checkpoint
            found = None
            if before is not None and isinstance(command, Abandon):
                found = abandoned(before, command.price, run.rules_in_force, now)
            if found is not None:
                ended, event = found
                self.forget(run)  # it would begin with what is ended here
                async with run.commit_lock:
                    ended = ended._replace(ledger=run.known_ledger)
                    await self._workers.call(run.storage.commit, ended, seconds=None)
                    run.checkpoint = ended
                if run.wake_orders is not None:
                    run.wake_orders()
                untold = await self._workers.call(run.storage.announce, seconds=None)
                if untold is not None:
                    await self._notifier.report_error(run, untold)
                await self._notifier.publish([event])
        for each in given:
            run.commands.remove(each)
        await self._workers.call(run.storage.remove_requests, asked, seconds=None)

    async def _poll_unbegun(self, run: RunRecord) -> None:
        """Release a run that has no candles yet, if that is asked for and leaves no position."""
        try:
            found = await self._workers.call(run.storage.poll, seconds=None)
            if run.feed is not None:  # its candles came meanwhile: its tick takes what is asked
                return
            await self._abandon(run, found.requests)
            ending = [item for item in found.requests if ends_unbegun(run, item.command)]
            if ending or any(ends_unbegun(run, command) for command in run.commands):
                run.releasing = True
                self.forget(run)
                await self._workers.call(run.storage.remove_requests, ending, seconds=None)
        except (StateError, OSError) as error:
            await self._notifier.report_error(run, error)
