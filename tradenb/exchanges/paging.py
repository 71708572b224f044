"""A range of candles in pages: what was asked for, minus what the source does not have.

`ask(since, limit)` may answer with fewer rows, with earlier or later ones, with none, with a gap,
or fail. It is always asked for the same number, so that a few earlier rows cannot fill a page. A
page that fails, is refused or is empty is asked for again in its place; missing minutes between
known candles are asked for again at the end, in rounds, so that a thin market with a gap in every
page costs a few waits and not a few for each page. What is still missing then stays missing. A page
that holds later candles only says that there are none in the range, which then is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from tradenb.core.candles.arrays import Times
from tradenb.core.candles.intake import check_step
from tradenb.core.candles.raw_rows import Rows, check_rows
from tradenb.core.timeframe import MINUTE, iso
from tradenb.engine.ports import Progress
from tradenb.errors import CandleError, ExchangeError, TradenbError, UsageError
from tradenb.exchanges.exchange_errors import shown

LIMIT: Final = 1000
"""Most candles that are asked for at once."""

LONGEST_WAIT_S: Final = 60.0
"""A source that wants to be left alone for longer is not waited for."""

_ENOUGH: Final = 10
"""So many rows of one page at even steps above a minute are no thin market. They are refused before
anything is asked for again: a source that counts its hours from `since` would then answer with
hours from another minute, and all together they would look like minutes."""

Ask = Callable[[int, int], Rows]
"""Called with (since, limit): about `limit` rows from `since` (ms UTC) on, oldest first."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often, and how many seconds apart, what failed or is missing is asked for again."""

    retries: int
    seconds: float
    sleep: Callable[[float], None]


def fetch(
    ask: Ask,
    start: int,
    end: int,
    *,
    what: str,
    patience: Patience,
    limit: int = LIMIT,
    progress: Progress | None = None,
) -> Rows:
    """Fetch the rows of a range, page by page.

    Parameters
    ----------
    ask : callable
        Asks the source once.
    start, end : int
        Open time of the first candle wanted, and close time of the last; whole minutes, ms UTC.
    what : str
        What is asked for, for errors.
    patience : Patience
    limit : int, default 1000
        Candles that are asked for at once.
    progress : callable, optional
        Called with (minutes done, minutes in all) after each page.

    Returns
    -------
    Rows
        What the source has of [start, end), oldest first; may be empty, have gaps and duplicates.

    Raises
    ------
    ExchangeError
        When a page still fails after the retries, with the last failure as its cause.
    CandleError
        When rows are no candles, after the retries; when they are not in order of time, or stand
        at even steps above a minute, at once.
    UsageError, LookupError
        Whatever `ask` raises of these, at once.
    """
    pages = []
    since, was_empty = start, False
    while since < end:
        asked = _Asked(what, since, end, limit)
        rows = _page(ask, asked, patience, retry_empty=not was_empty)
        if rows is None:
            since = end
        elif was_empty := len(rows.time) == 0:
            since = min(end, since + limit * MINUTE)
        else:
            pages.append(rows)
            since = int(rows.time[-1]) + MINUTE
        if progress:
            progress((since - start) // MINUTE, (end - start) // MINUTE)
    return _with_gaps_asked_again(ask, _Asked(what, start, end, limit), joined(pages), patience)


def joined(pages: list[Rows]) -> Rows:
    """Return rows one after another."""
    if not pages:
        return Rows(np.empty(0, dtype=np.int64), *(np.empty(0) for _ in range(5)))
    return Rows(*(np.concatenate(columns) for columns in zip(*pages, strict=True)))


class _Asked(NamedTuple):
    """One request: rows from `since` on, of which those before `end` are wanted."""

    what: str
    since: int
    end: int
    limit: int


def _page(ask: Ask, asked: _Asked, patience: Patience, *, retry_empty: bool) -> Rows | None:
    """Ask until there are rows that can be candles, or patience ends.

    Returns
    -------
    Rows or None
        None if the source only has later ones.
    """
    failure: Exception | None = None
    for attempt in range(patience.retries + 1):
        if attempt:
            patience.sleep(max(patience.seconds, getattr(failure, "retry_after", 0.0)))
        try:
            raw = ask(asked.since, asked.limit)
            if len(raw.time) >= _ENOUGH and len(set(np.diff(raw.time).tolist())) == 1:
                check_step(raw.time)
            rows = _within(raw, asked)
            if not len(rows.time) and len(raw.time) and raw.time[0] >= asked.end:
                return None
            if len(rows.time) or not retry_empty:
                return rows
            failure = None
        except (UsageError, LookupError):
            raise
        except Exception as error:  # whatever a user's function or a network raises
            if isinstance(error, TradenbError) and not error.retryable:
                raise
            if getattr(error, "retry_after", 0.0) > LONGEST_WAIT_S:
                raise
            failure = error
    if failure is None:
        return joined([])
    if isinstance(failure, CandleError):
        raise failure
    raise ExchangeError(
        f"asking for candles of {asked.what} since {iso(asked.since)} failed "
        f"{patience.retries + 1} times, the last time with {_words(failure)}; "
        "try again later",
        retryable=True,
    ) from failure


def _words(failure: Exception) -> str:
    return str(failure) if isinstance(failure, TradenbError) else shown(failure)


def _within(rows: Rows, asked: _Asked) -> Rows:
    """Check a page and cut it to the range; a page that overlaps the one before loses its head."""
    back = rows.time[1:] < rows.time[:-1]
    if back.any():
        index = int(back.argmax()) + 1
        raise CandleError(
            f"answer since {iso(asked.since)}: candle in row {index} is older than the one before "
            "it; answer with the oldest candle first",
            code="order",
            index=index,
        )
    wanted = (rows.time >= asked.since) & (rows.time < asked.end)
    if not wanted.all():
        rows = rows.take(np.flatnonzero(wanted))
    if len(rows.time):
        _check(rows, asked.since)
    return rows


def _check(rows: Rows, since: int) -> None:
    try:
        check_rows(rows)
    except CandleError as error:
        words = f"answer since {iso(since)}: {error}"
        refused = CandleError(words, code=error.code, index=error.index)
        refused.retryable = True  # a source that can be asked again may answer better
        raise refused from None


def _with_gaps_asked_again(ask: Ask, asked: _Asked, rows: Rows, patience: Patience) -> Rows:
    for _ in range(patience.retries):
        holes = _holes(rows.time, asked.limit)
        if not holes:
            break
        patience.sleep(patience.seconds)
        parts = [asked._replace(since=since, end=end) for since, end in holes]
        found = [_page(ask, part, patience, retry_empty=False) for part in parts]
        rows = _merged(rows, joined([page for page in found if page is not None]))
    return rows


def _holes(time: Times, limit: int) -> list[tuple[int, int]]:
    """Return (since, end) of as few pages as cover all missing minutes between known ones."""
    page = limit * MINUTE
    before = np.flatnonzero(np.diff(time) > MINUTE)
    holes: list[tuple[int, int]] = []
    for since, end in zip((time[before] + MINUTE).tolist(), time[before + 1].tolist(), strict=True):
        if holes and end - holes[-1][0] <= page:
            holes[-1] = (holes[-1][0], end)
        else:
            holes += [(part, min(part + page, end)) for part in range(since, end, page)]
    return holes


def _merged(rows: Rows, found: Rows) -> Rows:
    """Add the rows whose times are not known yet."""
    new = np.flatnonzero(~np.isin(found.time, rows.time))
    if not len(new):
        return rows
    both = joined([rows, found.take(new)])
    return both.take(np.argsort(both.time, kind="stable"))
