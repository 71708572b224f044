"""Fetches what the cache is missing of a symbol from an exchange, month by month."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from tradenb.core.candles.arrays import Rows
from tradenb.core.candles.intake import accept
from tradenb.core.timeframe import MINUTE
from tradenb.engine.ports import Progress
from tradenb.errors import CandleError
from tradenb.exchanges.cache.candle_cache import CandleCache
from tradenb.exchanges.cache.month_file import NO_CANDLES, KnownCandles
from tradenb.exchanges.cache.spans import Span, Spans, clip, split_by_month, subtract, union
from tradenb.exchanges.exchange_errors import located
from tradenb.exchanges.paging import RetryPolicy, TimedRows, fetch_range

SETTLE_MS: Final = 10_000
"""A candle is cached once it has been closed for so long: some exchanges correct the newest one."""
GAP_FINAL_MS: Final = 3_600_000
"""A minute without a candle this old is cached as a gap. A younger one may only be late."""


class CacheFiller:
    """Fetches what the cache lacks of one symbol; impossible prices (`factor`) are not cached."""

    def __init__(
        self,
        fetch_page: Callable[[int, int], TimedRows],
        cache: CandleCache | None,
        *,
        what: str,
        page: int,
        retry: RetryPolicy,
        factor: float,
    ) -> None:
        self._fetch_page = fetch_page
        self._cache = cache
        self._what = what
        self._page = page
        self._retry = retry
        self._factor = factor

    def fill(self, span: Span, progress: Progress | None = None) -> KnownCandles:
        """Return the candles of a span; each month is cached once it is fetched."""
        known = NO_CANDLES if self._cache is None else self._cache.read(*span)
        missing = [part for gap in subtract(span, known.spans) for part in split_by_month(gap)]
        total, left = _length(span), sum(map(_length, missing))
        for part in missing:
            done, left = total - left, left - _length(part)
            fetched, settled = self._fetch(part, _shifted(progress, done, total))
            if self._cache is not None:
                self._cache.add(settled)
            known = known.plus(fetched)
        return known.between(*span)

    def _fetch(self, span: Span, progress: Progress | None) -> tuple[KnownCandles, KnownCandles]:
        """Fetch a span; return all of it, and the part that can no longer change."""
        requested_at = 0

        def fetch_page(since: int, limit: int) -> Rows:
            nonlocal requested_at
            page = self._fetch_page(since, limit)
            requested_at = page.at
            return page.rows

        for left in range(self._retry.retries, -1, -1):
            rows = fetch_range(
                fetch_page,
                *span,
                what=self._what,
                retry=self._retry,
                limit=self._page,
                progress=progress,
            )
            rows = _last_of_equal_times(rows)
            try:
                if len(rows.time):
                    accept(rows, factor=self._factor, whole=False)
                break
            except CandleError as error:
                if not left:
                    raise located(error, self._what) from None
                self._retry.sleep(self._retry.seconds)
        # A run of candles is settled soon, a gap much later; beyond that nothing is cached, so the
        # next load asks again.
        spans = union(
            [
                *clip(_runs(rows), span[0], requested_at - SETTLE_MS),
                *clip([span], span[0], requested_at - GAP_FINAL_MS),
            ]
        )
        fetched = KnownCandles(rows, (span,))
        return fetched, _of_spans(fetched, spans)


def _runs(rows: Rows) -> Iterator[Span]:
    """Yield the spans without a missing minute."""
    if len(rows.time):
        breaks = np.flatnonzero(np.diff(rows.time) > MINUTE)
        starts = rows.time[np.concatenate(([0], breaks + 1))]
        ends = rows.time[np.concatenate((breaks, [len(rows.time) - 1]))] + MINUTE
        yield from zip(starts.tolist(), ends.tolist(), strict=True)


def _of_spans(known: KnownCandles, spans: Spans) -> KnownCandles:
    """Return the part that lies in some spans, cut to whole minutes."""
    whole = tuple((start, end - (end - start) % MINUTE) for start, end in spans)
    inside = np.zeros(len(known.rows.time), dtype=np.bool_)
    for start, end in whole:
        inside |= (known.rows.time >= start) & (known.rows.time < end)
    return KnownCandles(known.rows.take(np.flatnonzero(inside)), union(whole))


def _last_of_equal_times(rows: Rows) -> Rows:
    last = np.append(np.diff(rows.time) != 0, True)[: len(rows.time)]
    return rows if last.all() else rows.take(np.flatnonzero(last))


def _length(span: Span) -> int:
    return (span[1] - span[0]) // MINUTE


def _shifted(progress: Progress | None, before: int, total: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, _: progress(before + done, total)
