"""Raw candles as a source gives them, and the tests that every row has to pass by itself.

The tests run over whole columns; only when one of them fails is the first bad row looked at alone,
to say what is wrong with it. What rows have to do with each other is judged in `intake.py`.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Floats, Times
from tradenb.core.timeframe import MINUTE, iso
from tradenb.errors import CandleError

PRICES: Final = ("open", "high", "low", "close")
_MISSING: Final = np.iinfo(np.int64).min  # what numpy makes of a missing time (NaT)
_SECONDS: Final = 10_000_000_000  # times below this are seconds: in ms they lie in early 1970
_LATEST: Final = 7_258_118_400_000  # times from 2200 on are microseconds or nanoseconds


class Rows(NamedTuple):
    """Raw candles as a source gave them: open times (ms) and five columns, all of shape (n,)."""

    time: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def take(self, places: NDArray[np.int64]) -> Rows:
        """Return the rows at these places, as copies."""
        columns = (self.open, self.high, self.low, self.close, self.volume)
        return Rows(self.time[places], *(column[places] for column in columns))

    def part(self, first: int, last: int) -> Rows:
        """Return the rows `first` to `last` (exclusive), as views."""
        columns = (self.open, self.high, self.low, self.close, self.volume)
        return Rows(self.time[first:last], *(column[first:last] for column in columns))


def check_rows(rows: Rows) -> None:
    """Refuse the first row that cannot be a candle.

    Raises
    ------
    CandleError
        When a row has a price or volume that is not finite ("not_finite") or too small
        ("not_positive"), a low above or a high below its prices ("low_high"), or a time that is
        missing or off the 1m grid ("grid").
    """
    # Nothing compares with NaN, so these nine cover every test of `_complaint`, in one pass each.
    good = rows.low > 0
    good &= rows.low <= rows.open
    good &= rows.low <= rows.close
    good &= rows.open <= rows.high
    good &= rows.close <= rows.high
    good &= rows.high < np.inf
    good &= rows.volume >= 0
    good &= rows.volume < np.inf
    good &= _on_grid(rows.time)
    if good.all():
        return
    index = int(good.argmin())
    code, words = _complaint(rows, index)
    raise CandleError(
        f"candle in row {index} ({when(rows.time[index])}): {words}; mend or drop the row",
        code=code,
        index=index,
    )


def _on_grid(time: Times) -> NDArray[np.bool_]:
    good: NDArray[np.bool_] = time % MINUTE == 0
    if time.min() < 0 or time.max() >= _LATEST:
        good &= (time >= 0) & (time < _LATEST)
    return good


def _complaint(rows: Rows, index: int) -> tuple[str, str]:
    """Say what is wrong with a row: the code and the words of the first test that it fails."""
    open_, high, low, close, volume = (float(column[index]) for column in rows[1:])
    prices = dict(zip(PRICES, (open_, high, low, close), strict=True))
    for name, price in prices.items():
        if not math.isfinite(price):
            return "not_finite", f"{name} must be a finite number, was {price!r}"
    for name, price in prices.items():
        if price <= 0:
            return "not_positive", f"{name} must be above 0, was {price!r}"
    if not math.isfinite(volume):
        return "not_finite", f"volume must be a finite number, was {volume!r}"
    if volume < 0:
        return "not_positive", f"volume must be 0 or more, was {volume!r}"
    if low > min(open_, close):
        name = "open" if open_ < close else "close"
        return "low_high", f"low must not be above {name} {prices[name]!r}, was {low!r}"
    if high < max(open_, close):
        name = "open" if open_ > close else "close"
        return "low_high", f"high must not be below {name} {prices[name]!r}, was {high!r}"
    return "grid", _off_grid_words(int(rows.time[index]))


def _off_grid_words(time: int) -> str:
    if time == _MISSING:
        return "time is missing (NaT)"
    hint = ""
    if 0 < time < _SECONDS:
        hint = " (it looks like seconds)"
    elif time >= _LATEST:
        hint = f" (it looks like {'micro' if time < _LATEST * 1000 else 'nano'}seconds)"
    return (
        "time must be the open time of a 1m candle in ms since the epoch, a multiple of 60000, "
        f"was {time}{hint}"
    )


def when(time: int) -> str:
    """Write the time of a raw row, which may be nonsense."""
    return iso(int(time)) if 0 <= time < _LATEST else str(time)
