"""A range of candles, fetched page by page from a source that may have gaps, or fail.

`fetch_page(since, limit)` may return fewer rows, earlier or later ones, none, a gap, or fail. The
limit is always the same, so that a few earlier rows cannot fill a page. A page that fails, is
refused or is empty is fetched again in its place. Missing minutes between known candles are fetched
again at the end, in rounds: so a thin market with a gap in every page costs a few waits in all, not
a few for each page. What is still missing then stays missing. A page with later candles only proves
that the rest of the range has none, and ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from tradenb.core.candles.arrays import Rows, Times
from tradenb.core.candles.candle_length import check_step
from tradenb.core.candles.intake import check_rows
from tradenb.core.timeframe import EARLIEST, MINUTE, iso
from tradenb.engine.ports import Progress
from tradenb.errors import CandleError, ExchangeError, TradenbError, UsageError
from tradenb.exchanges.exchange_errors import describe_error, located

PAGE_CANDLES: Final = 1000
"""How many candles are requested at once, at most."""

MAX_WAIT_S: Final = 60.0
"""If a source is rate limited for longer, its error is raised at once."""

_STEP_CHECK_ROWS: Final = 10
"""So many rows at even steps above a minute are not a thin market, but another timeframe. They are
refused before anything is fetched again: a source that counts its hours from `since` would then
send hours from another minute, and all of them together would look like minutes."""

FetchPage = Callable[[int, int], Rows]
"""Called with (since, limit): about `limit` rows from `since` (ms UTC) on, oldest first."""


class TimedRows(NamedTuple):
    """Closed candles, and the time of the exchange when they were requested, ms UTC."""

    rows: Rows
    at: int


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and how many seconds apart, what failed or is missing is fetched again."""

    retries: int
    seconds: float
    sleep: Callable[[float], None]


def fetch_range(
    fetch_page: FetchPage,
    start: int,
    end: int,
    *,
    what: str,
    retry: RetryPolicy,
    limit: int = PAGE_CANDLES,
    progress: Progress | None = None,
) -> Rows:
    """Fetch the rows of [start, end), whole minutes in ms UTC, `limit` at a time.

    The rows are oldest first, and may be none, have gaps and duplicates. A UsageError or
    LookupError of `fetch_page` is raised at once, any other failure after the retries.
    """
    pages = []
    # Of several empty pages in a row only the first is retried: a market has months of them before
    # it is listed.
    since, was_empty = start, False
    while since < end:
        request = _PageRequest(what, since, end, limit)
        rows = _page_with_retries(fetch_page, request, retry, retry_empty=not was_empty)
        if rows is None:
            since = end
        elif was_empty := len(rows.time) == 0:
            since = min(end, since + limit * MINUTE)
        else:
            pages.append(rows)
            since = int(rows.time[-1]) + MINUTE
        if progress:
            progress((since - start) // MINUTE, (end - start) // MINUTE)
    return _with_gaps_refetched(
        fetch_page, _PageRequest(what, start, end, limit), concatenated(pages), retry
    )


def concatenated(pages: list[Rows]) -> Rows:
    """Return rows one after another."""
    if not pages:
        return Rows(np.empty(0, dtype=np.int64), *(np.empty(0) for _ in range(5)))
    return Rows(*(np.concatenate(columns) for columns in zip(*pages, strict=True)))


def merged(rows: Rows, found: Rows) -> Rows:
    """Add the rows whose times are not known yet."""
    new = np.flatnonzero(~np.isin(found.time, rows.time))
    if not len(new):
        return rows
    both = concatenated([rows, found.take(new)])
    return both.take(np.argsort(both.time, kind="stable"))


class _PageRequest(NamedTuple):
    """One page: rows from `since` on, of which those before `end` are wanted."""

    what: str
    since: int
    end: int
    limit: int


def _page_with_retries(
    fetch_page: FetchPage, request: _PageRequest, retry: RetryPolicy, *, retry_empty: bool
) -> Rows | None:
    """Fetch until there are rows that can be candles; None if the source has later rows only."""
    failure: Exception | None = None
    for attempt in range(retry.retries + 1):
        if attempt:
            retry.sleep(max(retry.seconds, getattr(failure, "retry_after", 0.0)))
        try:
            raw = fetch_page(request.since, request.limit)
            if len(raw.time) >= _STEP_CHECK_ROWS and len(set(np.diff(raw.time).tolist())) == 1:
                check_step(raw.time)
            rows = _checked(raw, request)
            if not len(rows.time) and len(raw.time) and raw.time[0] >= request.end:
                return None
            if len(rows.time) or not retry_empty:
                return rows
            failure = None
        except (UsageError, LookupError):
            raise
        except Exception as error:  # a user's function or a network raises anything
            if isinstance(error, TradenbError) and not error.retryable:
                raise
            if getattr(error, "retry_after", 0.0) > MAX_WAIT_S:
                raise
            failure = error
    if failure is None:
        return concatenated([])
    if isinstance(failure, CandleError):
        raise failure
    raise ExchangeError(
        f"fetching candles of {request.what} since {iso(request.since)} failed "
        f"{retry.retries + 1} times, last with {_description(failure)}; try again later",
        retryable=True,
    ) from failure


def _description(failure: Exception) -> str:
    return str(failure) if isinstance(failure, TradenbError) else describe_error(failure)


def _checked(rows: Rows, request: _PageRequest) -> Rows:
    """Check a page and cut it to the range; what overlaps the page before is cut off."""
    back = rows.time[1:] < rows.time[:-1]
    if back.any():
        index = int(back.argmax()) + 1
        raise CandleError(
            f"response since {iso(request.since)}: candle in row {index} is older than the one "
            "before it; return the oldest candle first",
            code="order",
            index=index,
        )
    wanted = (rows.time >= request.since) & (rows.time < request.end)
    if not wanted.all():
        if rows.time[0] < EARLIEST:
            _check_values(rows, request.since)  # times in seconds are no candles of long ago
        rows = rows.take(np.flatnonzero(wanted))
    if len(rows.time):
        _check_values(rows, request.since)
    return rows


def _check_values(rows: Rows, since: int) -> None:
    try:
        check_rows(rows)
    except CandleError as error:
        raise located(error, f"response since {iso(since)}", retryable=True) from None


def _with_gaps_refetched(
    fetch_page: FetchPage, request: _PageRequest, rows: Rows, retry: RetryPolicy
) -> Rows:
    for _ in range(retry.retries):
        pages = _gap_pages(rows.time, request.limit)
        if not pages:
            break
        retry.sleep(retry.seconds)
        parts = [request._replace(since=since, end=end) for since, end in pages]
        found = [_page_with_retries(fetch_page, part, retry, retry_empty=False) for part in parts]
        rows = merged(rows, concatenated([page for page in found if page is not None]))
    return rows


def _gap_pages(time: Times, limit: int) -> list[tuple[int, int]]:
    """Return (since, end) of as few pages as cover all gaps between known minutes."""
    page = limit * MINUTE
    before = np.flatnonzero(np.diff(time) > MINUTE)
    pages: list[tuple[int, int]] = []
    for since, end in zip((time[before] + MINUTE).tolist(), time[before + 1].tolist(), strict=True):
        if pages and end - pages[-1][0] <= page:
            pages[-1] = (pages[-1][0], end)
        else:
            pages += [(part, min(part + page, end)) for part in range(since, end, page)]
    return pages
