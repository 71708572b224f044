"""Bring what is missing of a symbol from an exchange into the cache, month by month."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

import numpy as np

from tradenb.core.candles.intake import accept
from tradenb.core.candles.raw_rows import Rows
from tradenb.core.timeframe import MINUTE
from tradenb.engine.ports import Progress
from tradenb.errors import CandleError
from tradenb.exchanges.cache.candle_cache import CandleCache
from tradenb.exchanges.cache.months import NOTHING, Month
from tradenb.exchanges.cache.spans import Span, Spans, joined, months, within, without
from tradenb.exchanges.paging import Patience, fetch

SETTLED_MS: Final = 10_000
"""A candle is kept once it has been closed for so long: some exchanges correct the newest one."""
BELIEVED_MS: Final = 3_600_000
"""A minute without a candle is a gap for good once it is so old; before, it may only be late."""


class Answered(Protocol):
    """Closed candles, and the time of the exchange when they were asked for."""

    @property
    def rows(self) -> Rows:
        """Oldest first."""

    @property
    def at(self) -> int:
        """Ms UTC."""


class Filling:
    """Fetches what the cache does not know of one symbol.

    Parameters
    ----------
    ask : callable
        Called with (since, limit).
    cache : CandleCache or None
    what : str
        What is fetched, for errors.
    page : int
        How many candles it gives at once.
    patience : Patience
    factor : float
        `price_anomaly_factor` of the rules: an answer with a price that cannot be is not kept.
    """

    def __init__(
        self,
        ask: Callable[[int, int], Answered],
        cache: CandleCache | None,
        *,
        what: str,
        page: int,
        patience: Patience,
        factor: float,
    ) -> None:
        self._ask = ask
        self._cache = cache
        self._what = what
        self._page = page
        self._patience = patience
        self._factor = factor

    def fill(self, span: Span, progress: Progress | None = None) -> Month:
        """Return what there is in a span; what was missing is in the cache then.

        Raises
        ------
        MarketError
            When it cannot be fetched, or is refused; whole months that came before are kept.
        """
        known = NOTHING if self._cache is None else self._cache.read(*span)
        missing = [part for gap in without(span, known.spans) for part in months(gap)]
        all_, left = _length(span), sum(map(_length, missing))
        for part in missing:
            done, left = all_ - left, left - _length(part)
            fetched, kept = self._fetched(part, _shifted(progress, done, all_))
            if self._cache is not None:
                self._cache.add(kept)
            known = known.plus(fetched)
        return known.between(*span)

    def _fetched(self, span: Span, progress: Progress | None) -> tuple[Month, Month]:
        """Fetch a span; return what came, and what of it is worth keeping."""
        asked_at = 0

        def ask(since: int, limit: int) -> Rows:
            nonlocal asked_at
            answer = self._ask(since, limit)
            asked_at = answer.at
            return answer.rows

        for left in range(self._patience.retries, -1, -1):
            rows = fetch(
                ask,
                *span,
                what=self._what,
                patience=self._patience,
                limit=self._page,
                progress=progress,
            )
            rows = _last_of_equal_times(rows)
            try:
                if len(rows.time):
                    accept(rows, factor=self._factor)
                break
            except CandleError as error:
                if not left:
                    words = f"{self._what}: {error}"
                    raise CandleError(words, code=error.code, index=error.index) from None
                self._patience.sleep(self._patience.seconds)
        spans = joined(
            [
                *within(_runs(rows), span[0], asked_at - SETTLED_MS),
                *within([span], span[0], asked_at - BELIEVED_MS),
            ]
        )
        fetched = Month(rows, (span,))
        return fetched, _of_spans(fetched, spans)


def _runs(rows: Rows) -> Iterator[Span]:
    """Return the stretches without a missing minute."""
    if len(rows.time):
        breaks = np.flatnonzero(np.diff(rows.time) > MINUTE)
        starts = rows.time[np.concatenate(([0], breaks + 1))]
        ends = rows.time[np.concatenate((breaks, [len(rows.time) - 1]))] + MINUTE
        yield from zip(starts.tolist(), ends.tolist(), strict=True)


def _of_spans(month: Month, spans: Spans) -> Month:
    """Return what lies in some spans as a whole, candle by candle."""
    whole = tuple((start, end - (end - start) % MINUTE) for start, end in spans)
    inside = np.zeros(len(month.rows.time), dtype=np.bool_)
    for start, end in whole:
        inside |= (month.rows.time >= start) & (month.rows.time < end)
    return Month(month.rows.take(np.flatnonzero(inside)), joined(whole))


def _last_of_equal_times(rows: Rows) -> Rows:
    last = np.append(np.diff(rows.time) != 0, True)[: len(rows.time)]
    return rows if last.all() else rows.take(np.flatnonzero(last))


def _length(span: Span) -> int:
    return (span[1] - span[0]) // MINUTE


def _shifted(progress: Progress | None, before: int, all_: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, _: progress(before + done, all_)
