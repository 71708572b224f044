"""Candles that come in from outside: refused, repaired or accepted, in one function for both modes.

In this order: every row by itself, times that go back, rows with one time, a step that is too
coarse, prices that cannot be, and last the missing minutes, which are filled flat and counted.
Nothing else in tradenb looks at raw candles; the machine only ever sees a gap-free grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Candles, Floats, Times, candles_of
from tradenb.core.timeframe import DAY, MINUTE, iso
from tradenb.errors import CandleError

MEDIAN_WINDOW: Final = 60
_CHUNK: Final = 4096

PRICES: Final = ("open", "high", "low", "close")
_MISSING: Final = np.iinfo(np.int64).min  # what numpy makes of a missing time (NaT)
_SECONDS: Final = 10_000_000_000  # times below this are seconds: in ms they lie in early 1970
_LATEST: Final = 7_258_118_400_000  # times from 2200 on are microseconds or nanoseconds

Kept = NDArray[np.int64] | None


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


@dataclass(frozen=True, slots=True)
class Intake:
    """What was found in the rows of one source.

    Attributes
    ----------
    rows : int
        Rows that came in.
    duplicates_same, duplicates_replaced : int
        Rows dropped because the next one has the same time: equal to it, or different from it.
    filled : int
        Missing minutes that were filled flat.
    """

    rows: int = 0
    duplicates_same: int = 0
    duplicates_replaced: int = 0
    filled: int = 0


def accept(rows: Rows, *, factor: float = 1000.0) -> tuple[Candles, Intake]:
    """Check rows and put them on the gap-free 1m grid.

    Parameters
    ----------
    rows : Rows
        1m candles, oldest first, at least one.
    factor : float, default 1000
        A price below median/factor or above median x factor is an anomaly; the median is the upper
        one of the closes of the up to 60 candles before it (of the first 60 for the first candle).

    Returns
    -------
    candles : Candles
        Views of the columns of `rows` where nothing had to be dropped, filled or made contiguous.
    intake : Intake

    Raises
    ------
    CandleError
        When a row, the order, the step or a price is refused; `code` and `index` say which. Of
        several bad rows the first one is named.
    """
    count = len(rows.time)
    if count == 0:
        raise CandleError("the source returned no candles", code="empty")
    check_rows(rows)
    if (np.diff(rows.time) == MINUTE).all():
        # Nearly always. A minute from each row to the next: in order, none twice, none missing.
        _check_anomalies(rows, None, factor)
        open_, high, low, close, volume = (np.ascontiguousarray(c, np.float64) for c in rows[1:])
        columns = (open_, high, low, close, volume)
        return candles_of(columns, int(rows.time[0])), Intake(rows=count)
    _check_order(rows.time)
    kept, same, replaced = _keep_last_of_equal_times(rows)
    if kept is not None:
        rows = rows.take(kept)  # the name is used again so that the larger columns can go
    check_step(rows.time)
    _check_anomalies(rows, kept, factor)
    candles, filled = _fill(rows)
    return candles, Intake(
        rows=count, duplicates_same=same, duplicates_replaced=replaced, filled=filled
    )


def check_rows(rows: Rows) -> None:
    """Refuse the first row that cannot be a candle.

    Raises
    ------
    CandleError
        When a row has a price or volume that is not finite ("not_finite") or too small
        ("not_positive"), a low above or a high below its prices ("low_high"), or a time that is
        missing or off the 1m grid ("grid").
    """
    # Nothing compares with NaN, so these cover every test of `_complaint`, in one pass each.
    good = rows.low > 0
    good &= rows.low <= rows.open
    good &= rows.low <= rows.close
    good &= rows.open <= rows.high
    good &= rows.close <= rows.high
    good &= rows.high < np.inf
    good &= rows.volume >= 0
    good &= rows.volume < np.inf
    good &= rows.time % MINUTE == 0
    if rows.time.min() < 0 or rows.time.max() >= _LATEST:
        good &= (rows.time >= 0) & (rows.time < _LATEST)
    if good.all():
        return
    index = int(good.argmin())
    code, words = _complaint(rows, index)
    raise CandleError(
        f"candle in row {index} ({when(rows.time[index])}): {words}; fix or drop the row",
        code=code,
        index=index,
    )


def _complaint(rows: Rows, index: int) -> tuple[str, str]:
    """Return the code and the message of the first test that a row fails."""
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


def _check_order(time: Times) -> None:
    back = time[1:] < time[:-1]
    if back.any():
        index = int(back.argmax()) + 1
        raise CandleError(
            f"candle in row {index}: time {when(time[index])} comes after "
            f"{when(time[index - 1])}; sort the candles by time, oldest first",
            code="order",
            index=index,
        )


def _keep_last_of_equal_times(rows: Rows) -> tuple[Kept, int, int]:
    """Return the rows that stay (None: all), and how many dropped ones equal their successor."""
    dropped = rows.time[:-1] == rows.time[1:]
    if not dropped.any():
        return None, 0, 0
    differs = np.zeros(len(dropped), dtype=np.bool_)
    for column in rows[1:]:
        differs |= column[:-1] != column[1:]
    replaced = int(np.count_nonzero(dropped & differs))
    kept = np.flatnonzero(np.append(~dropped, True))
    return kept, int(np.count_nonzero(dropped)) - replaced, replaced


def check_step(time: Times) -> None:
    """Refuse candles whose commonest step is above one minute.

    Raises
    ------
    CandleError
        With code "step".
    """
    steps = np.diff(time)
    # One minute is the shortest step there can be: with half of them it is the commonest.
    if 2 * np.count_nonzero(steps == MINUTE) >= len(steps):
        return
    lengths, counts = np.unique(steps, return_counts=True)
    commonest = int(lengths[counts.argmax()])
    if commonest > MINUTE:
        raise CandleError(
            f"candles look like {_step_name(commonest)}; tradenb needs 1m "
            "(higher timeframes are built from them)",
            code="step",
        )


def _step_name(step: int) -> str:
    length, unit = next(
        (length, unit)
        for length, unit in ((DAY, "d"), (60 * MINUTE, "h"), (MINUTE, "m"))
        if step % length == 0
    )
    return f"{step // length}{unit}"


def _check_anomalies(rows: Rows, kept: Kept, factor: float) -> None:
    count = len(rows.time)
    for start in range(0, count, _CHUNK):
        stop = min(start + _CHUNK, count)
        # The median lies between the lowest and the highest close: most chunks need no median.
        closes = rows.close[max(0, start - MEDIAN_WINDOW) : stop]
        lowest, highest = rows.low[start:stop].min(), rows.high[start:stop].max()
        if lowest >= closes.max() / factor and highest <= closes.min() * factor:
            continue
        for row in range(start, stop):
            _check_anomaly(rows, row, kept, factor)


def _check_anomaly(rows: Rows, row: int, kept: Kept, factor: float) -> None:
    before = slice(max(0, row - MEDIAN_WINDOW), row) if row else slice(0, MEDIAN_WINDOW)
    closes = np.sort(rows.close[before])
    median = float(closes[len(closes) // 2])
    low, high = float(rows.low[row]), float(rows.high[row])
    if low >= median / factor and high <= median * factor:
        return
    index = row if kept is None else int(kept[row])
    if low < median / factor:
        words = f"low {low!r} is below {median / factor!r}, the median of the closes before it"
        words += f" ({median!r}) / {factor:g}"
    else:
        words = f"high {high!r} is above {median * factor!r}, the median of the closes before it"
        words += f" ({median!r}) x {factor:g}"
    raise CandleError(
        f"candle in row {index} ({when(rows.time[row])}): {words}; fix or drop the row, "
        "or raise price_anomaly_factor",
        code="anomaly",
        index=index,
    )


def _fill(rows: Rows) -> tuple[Candles, int]:
    """Put rows on the grid; a missing minute has the close before it, and no volume."""
    first = int(rows.time[0])
    count = (int(rows.time[-1]) - first) // MINUTE + 1
    at = (rows.time - first) // MINUTE
    flat = np.repeat(rows.close, np.diff(at, append=count))
    open_, high, low = flat.copy(), flat.copy(), flat.copy()
    open_[at], high[at], low[at] = rows.open, rows.high, rows.low
    volume = np.zeros(count)
    volume[at] = rows.volume
    return candles_of((open_, high, low, flat, volume), first), count - len(rows.time)
