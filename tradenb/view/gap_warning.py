"""The warning about missing minutes: the more of them were filled, the stronger."""

from __future__ import annotations

from typing import Final

from tradenb.core.candles.intake import Intake
from tradenb.view.formatting import plural

SOME: Final = 0.01
MANY: Final = 0.1
FEWEST: Final = 60  # minutes; a few say nothing about a market


def share_filled(intake: Intake) -> float:
    """Return which part of the minutes had no candle, 0 to 1."""
    dropped = intake.duplicates_same + intake.duplicates_replaced
    minutes = intake.rows - dropped + intake.filled
    return intake.filled / minutes if minutes else 0.0


def many_filled(intake: Intake) -> bool:
    """Tell whether so much was filled that figures and decisions no longer describe a market."""
    return intake.filled >= FEWEST and share_filled(intake) >= MANY


def gap_warning(symbol: str, intake: Intake) -> str:
    """Say how many minutes were filled, and what that means if they are not few.

    Examples
    --------
    >>> gap_warning("BTCUSDT", Intake(rows=1_437, filled=3))
    'BTCUSDT: 3 missing minutes filled flat'
    >>> gap_warning("XRPETH", Intake(rows=1_900, filled=100))
    'XRPETH: 100 missing minutes filled flat, 5.0 % of all; no stop, target or entry is touched in \
them'
    """
    share = share_filled(intake)
    if not many_filled(intake):
        warning = f"{symbol}: {plural(intake.filled, 'missing minute')} filled flat"
        more = f", {100 * share:.1f} % of all; no stop, target or entry is touched in them"
        return warning + more if share >= SOME and intake.filled >= FEWEST else warning
    return (
        f"{symbol}: {100 * share:.0f} % of all minutes ({intake.filled:,}) have no candle and were "
        "filled flat with the close before them, volume 0. No stop, target or entry is touched in "
        "them, so a jump in price counts only once trading resumes; averages and indicators "
        "include prices at which nobody traded. The figures are not those of a liquid market"
    )
