"""Spans of time, as sorted pairs (start, end) of ms UTC that neither touch nor overlap."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

Span = tuple[int, int]
Spans = tuple[Span, ...]


def union(spans: Iterable[Span]) -> Spans:
    """Return the union of spans, sorted and as few as possible.

    Examples
    --------
    >>> union([(3, 5), (0, 2), (2, 3), (9, 9)])
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


def subtract(span: Span, known: Iterable[Span]) -> Spans:
    """Return the parts of a span that no known span covers.

    Examples
    --------
    >>> subtract((0, 10), [(2, 3), (8, 12)])
    ((0, 2), (3, 8))
    """
    missing = []
    since, last = span
    for start, end in union(known):
        if start > since:
            missing.append((since, min(start, last)))
        since = max(since, end)
        if since >= last:
            break
    missing.append((since, last))
    return union(missing)


def clip(spans: Iterable[Span], start: int, end: int) -> Spans:
    """Return the parts of spans that lie in [start, end)."""
    return union((max(start, first), min(end, last)) for first, last in spans)


def split_by_month(span: Span) -> list[Span]:
    """Split a span at the starts of months, UTC.

    Examples
    --------
    >>> split_by_month((1_709_164_800_000, 1_709_337_600_000))  # 29 February to 2 March 2024
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
    """Return the month of a time, UTC."""
    moment = dt.datetime.fromtimestamp(at / 1000, dt.UTC)
    first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    after = (first + dt.timedelta(days=32)).replace(day=1)
    return int(first.timestamp()) * 1000, int(after.timestamp()) * 1000


def month_name(at: int) -> str:
    """Return the month of a time as "2024-03", UTC."""
    return dt.datetime.fromtimestamp(at / 1000, dt.UTC).strftime("%Y-%m")
