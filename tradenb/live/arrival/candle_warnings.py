"""What a run is told about its candles: they come late or not at all, or are changed afterwards.

All words begin with `CANDLES_OF`: events with them exist in live runs only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from tradenb.core.candles.arrays import Times
from tradenb.core.rules import Rules
from tradenb.core.timeframe import DAY, MINUTE, iso

CANDLES_OF: Final = "candles of "
MANY_LATE: Final = 3
"""So many asks in a row that were left out because of late candles are told."""
NONE_MS: Final = 60 * MINUTE
"""So long without a candle, what is held is told to be followed by none; thin symbols miss some."""

_EPOCH: Final = 3  # a Thursday, counted from Monday
_FRIDAY: Final = 4


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


def closed_until(times: Times, since: int) -> int:
    """Return until when a market may be closed that has closed at this time of the day before.

    A gap of an hour or more that began within an hour of this time, on whichever day, may come
    again, as long as the longest of them and an hour more; from a Friday on for two days more.

    Parameters
    ----------
    times : (n,) int64
        Open times of the candles so far, ms UTC.
    since : int
        Close of the last one, ms UTC.

    Returns
    -------
    int
        ms UTC; `since` itself where the market has not closed at this time.
    """
    gaps = np.diff(times) - MINUTE
    begun = times[:-1] + MINUTE - since
    apart = np.abs((begun + DAY // 2) % DAY - DAY // 2)
    found = gaps[(gaps >= NONE_MS) & (apart <= NONE_MS)]
    if not len(found):
        return since
    weekend = 2 * DAY if (since // DAY + _EPOCH) % 7 == _FRIDAY else 0
    return since + int(found.max()) + NONE_MS + weekend


def none_warning(symbol: str, since: int, now: int) -> str:
    """Say that no candle has come since a close, where something is held; "" if one has; ms UTC.

    Examples
    --------
    >>> none_warning("BTCUSDT", 1_704_067_260_000, 1_704_074_460_000)
    'candles of BTCUSDT: none has come for 120 min, since 2024-01-01 00:01 UTC; exits wait for the \
next one. Look whether the exchange trades it now; where it is gone for good, run.abandon(price)'
    >>> none_warning("BTCUSDT", 1_704_067_260_000, 1_704_067_320_000)
    ''
    """
    if now - since < NONE_MS:
        return ""
    return (
        f"{CANDLES_OF}{symbol}: none has come for {(now - since) // MINUTE:,} min, since "
        f"{iso(since)} UTC; exits wait for the next one. Look whether the exchange trades it now; "
        "where it is gone for good, run.abandon(price)"
    )
