"""The part of the candles that a run consumes, and what is to be said about them."""

from __future__ import annotations

from dataclasses import dataclass

from tradenb.core.candles.arrays import Candles
from tradenb.core.candles.intake import Intake
from tradenb.core.timeframe import iso
from tradenb.errors import CandleError
from tradenb.view.formatting import plural
from tradenb.view.gap_warning import gap_warning


@dataclass(slots=True)
class Span:
    """The part of one symbol's candles that is consumed, ms UTC."""

    start: int
    end: int


def span_of(
    symbol: str, candles: Candles, start: int | None, end: int | None
) -> tuple[Span, list[str]]:
    """Return what of a period (ms UTC, None: all there is) there are candles for, and warnings.

    Raises
    ------
    CandleError
        When there are none.
    """
    since = candles.start if start is None else start
    until = candles.end if end is None else end
    span = Span(max(since, candles.start), min(until, candles.end))
    there = f"{iso(candles.start)} to {iso(candles.end)}"
    if span.start >= span.end:
        asked = "all" if start is None else f"from {iso(start)}"
        asked += "" if end is None else f" to {iso(end)}"
        raise CandleError(
            f"{symbol}: no candles in the period asked for ({asked}); there are candles from "
            f"{there}",
            code="range",
        )
    if (span.start, span.end) == (since, until):
        return span, []
    asked = f"asked for {iso(since)} to {iso(until)}"
    return span, [f"{symbol}: {asked}, there are candles from {there} only"]


def intake_warnings(symbol: str, intake: Intake) -> list[str]:
    """Say what was mended in the candles of a source."""
    found = []
    if intake.duplicates_same or intake.duplicates_replaced:
        rows = plural(intake.duplicates_same + intake.duplicates_replaced, "duplicate row")
        differing = f"{intake.duplicates_replaced:,} of them differing from the next"
        found.append(f"{symbol}: {rows} dropped, {differing}; the last one counts")
    if intake.filled:
        found.append(gap_warning(symbol, intake))
    return found
