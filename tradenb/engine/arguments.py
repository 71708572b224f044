"""What the calls of both modes take alike: the rules, where candles come from, the period."""

from __future__ import annotations

from typing import Any, cast

from tradenb.core.rules import Rules
from tradenb.core.timeframe import floor_to, iso, to_ms
from tradenb.engine.ports import CandleSource
from tradenb.engine.registry import registry
from tradenb.errors import UsageError


def rules_of(given: object) -> Rules:
    """Return the rules that were given, or the default ones for None.

    Raises
    ------
    UsageError
        When they are anything else, such as a dict.
    """
    if given is None:
        return Rules()
    if not isinstance(given, Rules):
        raise UsageError(f"rules must be tn.Rules(...), was {given!r:.80}")
    return given


def source_of(given: object) -> CandleSource:
    """Return the exchange that was given as an object or by its name.

    Raises
    ------
    UsageError
        When it is neither.
    """
    if isinstance(given, str):
        return cast(CandleSource, registry.find("exchange", given, form=cast(Any, CandleSource)))
    if not isinstance(given, CandleSource):
        raise UsageError(
            "exchange must be an exchange such as tn.frame_exchange(df) or the name of one, "
            f"was {type(given).__name__}"
        )
    return given


def label_of(given: object, what: str) -> str | None:
    """Return a string that was given to name something, or None.

    Raises
    ------
    UsageError
        When it is neither.
    """
    if given is None or isinstance(given, str):
        return given
    raise UsageError(f"{what} must be a string, was {given!r:.80}")


def period_of(start: object, end: object) -> tuple[int | None, int | None]:
    """Return both bounds in ms UTC, floored to the minute; None stays None.

    Raises
    ------
    UsageError
        When one is no moment, or the start is not before the end.
    """
    first = None if start is None else floor_to(to_ms(start, "start"))
    last = None if end is None else floor_to(to_ms(end, "end"))
    if first is not None and last is not None and first >= last:
        raise UsageError(f"start must be before end, was {iso(first)} with end {iso(last)}")
    return first, last
