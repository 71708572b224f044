"""The warning about missing candles: the more there are, the stronger."""

from __future__ import annotations

from typing import Final

from tradenb.core.candles.arrays import Intake
from tradenb.core.timeframe import iso
from tradenb.view.formatting import plural

SOME: Final = 0.01
MANY: Final = 0.1
FEWEST: Final = 60  # candles; a few say nothing about a market


def share_missing(intake: Intake) -> float:
    """Return which part of the candles is missing in short runs, 0 to 1."""
    dropped = intake.duplicates_same + intake.duplicates_replaced
    candles = intake.rows - dropped + intake.filled
    return intake.filled / candles if candles else 0.0


def many_missing(intake: Intake) -> bool:
    """Tell whether so many are missing that figures and decisions no longer describe a market."""
    return intake.filled >= FEWEST and share_missing(intake) >= MANY


def gap_warning(symbol: str, intake: Intake) -> str:
    """Say how many candles are missing, and what that means if they are not few.

    Examples
    --------
    >>> gap_warning("BTCUSDT", Intake(rows=1_437, filled=3))
    'BTCUSDT: 3 candles missing in short runs'
    >>> gap_warning("XRPETH", Intake(rows=1_900, filled=100))
    'XRPETH: 100 candles missing in short runs, 5.0 % of all; nothing happens in them'
    >>> gap_warning("AAA", Intake(rows=900, closed=540, gaps=1, longest=(0, 32_400_000)))
    'AAA: closed for 540 minutes in 1 gap, the longest 1970-01-01 00:00 to 1970-01-01 09:00; \
what came due in it was done at the next open'
    """
    parts = []
    if intake.filled:
        parts.append(_thin(intake))
    if intake.gaps and intake.longest is not None:
        begin, end = intake.longest
        which = "it" if intake.gaps == 1 else "them"
        parts.append(
            f"closed for {plural(intake.closed, 'minute')} in {plural(intake.gaps, 'gap')}, the "
            f"longest {iso(begin)} to {iso(end)}; what came due in {which} was done at the next "
            "open"
        )
    return f"{symbol}: {'; '.join(parts)}"


def _thin(intake: Intake) -> str:
    share = share_missing(intake)
    if many_missing(intake):
        return (
            f"{100 * share:.0f} % of all candles ({intake.filled:,}) are missing. Nothing happens "
            "in them, so a jump in price counts only once trading resumes; averages and indicators "
            "include prices at which nobody traded. The figures are not those of a liquid market"
        )
    found = f"{plural(intake.filled, 'candle')} missing in short runs"
    if share >= SOME and intake.filled >= FEWEST:
        found += f", {100 * share:.1f} % of all; nothing happens in them"
    return found
