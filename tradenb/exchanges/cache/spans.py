"""Stretches of time, as sorted pairs (start, end) of ms UTC that neither touch nor overlap."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

Span = tuple[int, int]
Spans = tuple[Span, ...]


def joined(spans: Iterable[Span]) -> Spans:
    """Return the same time in as few spans as it takes.

    Examples
    --------
    >>> joined([(3, 5), (0, 2), (2, 3), (9, 9)])
    ((0, 5),)
    """
    found: list[Span] = []
    for start, end in sorted(spans):
        if start >= end:
            continue
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return tuple(found)


def without(span: Span, known: Iterable[Span]) -> Spans:
    """Return the parts of a span that no known one covers.

    Examples
    --------
    >>> without((0, 10), [(2, 3), (8, 12)])
    ((0, 2), (3, 8))
    """
    missing = []
    since, last = span
    for start, end in joined(known):
        if start > since:
            missing.append((since, min(start, last)))
        since = max(since, end)
        if since >= last:
            break
    missing.append((since, last))
    return joined(missing)


def within(spans: Iterable[Span], start: int, end: int) -> Spans:
    """Return the parts of spans that lie in [start, end)."""
    return joined((max(start, first), min(end, last)) for first, last in spans)


def months(span: Span) -> list[Span]:
    """Cut a span where months begin, UTC.

    Examples
    --------
    >>> months((1_709_164_800_000, 1_709_337_600_000))  # 29 February to 2 March 2024
    [(1709164800000, 1709251200000), (1709251200000, 1709337600000)]
    """
    parts = []
    since, last = span
    while since < last:
        end = min(month_of(since)[1], last)
        parts.append((since, end))
        since = end
    return parts


def month_of(at: int) -> Span:
    """Return the month that a moment lies in, UTC."""
    moment = dt.datetime.fromtimestamp(at / 1000, dt.UTC)
    first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    after = (first + dt.timedelta(days=32)).replace(day=1)
    return int(first.timestamp()) * 1000, int(after.timestamp()) * 1000


def month_name(at: int) -> str:
    """Return the month that a moment lies in as "2024-03", UTC."""
    return dt.datetime.fromtimestamp(at / 1000, dt.UTC).strftime("%Y-%m")
