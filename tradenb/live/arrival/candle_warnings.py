"""What a run is told about its candles: that they come late, or are changed afterwards.

All words begin with `CANDLES_OF`: events with them exist in live runs only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tradenb.core.rules import Rules
from tradenb.core.timeframe import iso

CANDLES_OF: Final = "candles of "
MANY_LATE: Final = 3
"""So many asks in a row that were left out because of late candles are told."""


def late_warning(symbol: str, delays_ms: Sequence[int], rules: Rules) -> str:
    """Say that candles come too late for decisions; `delays_ms` of the asks left out in a row.

    Examples
    --------
    >>> late_warning("BTCUSDT", [75_200, 74_900, 77_000], Rules())
    'candles of BTCUSDT arrive 75 s late: the last 3 asks were left out; set the clock of this \
machine (NTP), or raise late_entry_seconds (60)'
    """
    return (
        f"{CANDLES_OF}{symbol} arrive {min(delays_ms) / 1000:.0f} s late: the last {len(delays_ms)}"
        " asks were left out; set the clock of this machine (NTP), or raise late_entry_seconds "
        f"({rules.late_entry_seconds:g})"
    )


def revised_warning(symbol: str, count: int, close: int, touched: str, rules: Rules) -> str:
    """Say that candles change after they were acted on, and what the last one would have touched.

    Examples
    --------
    >>> revised_warning("BTCUSDT", 1, 1_704_067_260_000, "the stop 98", Rules())
    'candles of BTCUSDT change after they were acted on; raise settle_seconds (2): 1 so far, that \
of 2024-01-01 00:01 would have touched the stop 98'
    """
    last = f"would have touched {touched}" if touched else "touches nothing else"
    return (
        f"{CANDLES_OF}{symbol} change after they were acted on; raise settle_seconds "
        f"({rules.settle_seconds:g}): {count:,} so far, that of {iso(close)} {last}"
    )
