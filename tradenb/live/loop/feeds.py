"""The feeds of an engine: runs on one symbol of one exchange share one, and its requests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tradenb.engine.ports import Clock, Workers
from tradenb.live.loop.feed import Feed
from tradenb.live.loop.record import RunRecord


class Feeds:
    """Makes feeds, and forgets those that nobody follows."""

    def __init__(self, clock: Clock, workers: Workers) -> None:
        self._clock = clock
        self._workers = workers
        self._feeds: dict[tuple[Any, ...], Feed] = {}

    def of(self, run: RunRecord) -> Feed:
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

    def has(self, run: RunRecord) -> bool:
        """Tell whether the feed of a run has candles."""
        return self.of(run).history is not None

    def keep_for(self, runs: Iterable[RunRecord]) -> None:
        """Forget the feeds that none of the runs follows."""
        followed = {id(run.feed) for run in runs}
        self._feeds = {key: feed for key, feed in self._feeds.items() if id(feed) in followed}

    def clear(self) -> None:
        """Forget all."""
        self._feeds = {}
