"""Arguments that backtests and live runs have in common: the period, and names."""

from __future__ import annotations

from tradenb.core.timeframe import floor_to, iso, to_ms
from tradenb.core.validation.terms import ID_LIMIT
from tradenb.errors import UsageError, shown


def label_of(given: object, what: str) -> str | None:
    """Return a string that was given to name something, or None; all else is a UsageError."""
    if given is not None and not isinstance(given, str):
        raise UsageError(f"{what} must be a string, was {shown(given)}")
    if given is not None and len(given) > ID_LIMIT:
        raise UsageError(
            f"{what} must be at most {ID_LIMIT} characters, was {len(given):,}: {given!r:.60}"
        )
    return given


def period_of(start: object, end: object) -> tuple[int | None, int | None]:
    """Return both bounds in ms UTC, floored to the minute; None stays None."""
    first = None if start is None else floor_to(to_ms(start, "start"))
    last = None if end is None else floor_to(to_ms(end, "end"))
    if first is not None and last is not None and first >= last:
        raise UsageError(f"start must be before end, was {iso(first)} with end {iso(last)}")
    return first, last
