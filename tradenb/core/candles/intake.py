"""Candles that come in from outside: refused, repaired or accepted, in one function for both modes.

In this order: every row by itself, times that go back, rows with one time, a step that is too
coarse, prices that cannot be, and last the missing minutes, which are counted: single ones are thin
and windows show them flat, longer runs are closed time. Nothing else in tradenb looks at raw
candles; the machine is fed the candles that are given, and nothing happens in a missing minute.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Candles, Intake, Rows, Times, candles_of
from tradenb.core.candles.candle_length import Kept, check_step, when
from tradenb.core.candles.gaps import with_gaps
from tradenb.core.timeframe import (
    DAY,
    EARLIEST,
    LATEST,
    MINUTE,
    timeframe_name,
)
from tradenb.errors import CandleError

MEDIAN_WINDOW: Final = 60
_CHUNK: Final = 4096

# Prices and volumes beyond these are no market's, and their products no numbers.
LEAST: Final = 1e-100
MOST: Final = 1e100

PRICES: Final = ("open", "high", "low", "close")
_MISSING: Final = np.iinfo(np.int64).min  # what numpy makes of a missing time (NaT)
_SECONDS: Final = 10_000_000_000  # times below this are seconds: in ms they lie in early 1970
_MANY: Final = 20  # differing rows of one time
_OFTEN: Final = 0.02
_APART: Final = 0.2  # of the smaller close


def accept(
    rows: Rows,
    *,
    factor: float = 1000.0,
    step: int = MINUTE,
    gap_minutes: int | None = 15,
    whole: bool = True,
) -> tuple[Candles, Intake]:
    """Check rows and return them as candles.

    Parameters
    ----------
    rows : Rows
        Candles of one length, oldest first, at least one.
    factor : float, default 1000
        A price below median/factor or above median x factor is an anomaly; the median is the upper
        one of the closes of the up to 60 candles before it (of the first 60 for the first candle).
    step : int, default 60_000
        Length of a candle, ms.
    gap_minutes : int or None, default 15
        Longest run of missing minutes that is thin, not closed time; None: all are filled, as
        candles like any other.
    whole : bool, default True
        The rows are all that the source has: their step is judged.

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
    check_rows(rows, step)
    if (np.diff(rows.time) == step).all():
        # Nearly always. A step from each row to the next: in order, none twice, none missing.
        _check_anomalies(rows, None, factor)
        open_, high, low, close, volume = (np.ascontiguousarray(c, np.float64) for c in rows[1:])
        columns = (open_, high, low, close, volume)
        return candles_of(columns, int(rows.time[0]), step), Intake(rows=count)
    _check_order(rows.time)
    kept, same, replaced = _keep_last_of_equal_times(rows)
    if kept is not None:
        rows = rows.take(kept)  # the name is used again so that the larger columns can go
    if whole:
        check_step(rows.time, step, kept)
    _check_anomalies(rows, kept, factor)
    candles, gaps = with_gaps(rows, step, gap_minutes)
    found = Intake(rows=count, duplicates_same=same, duplicates_replaced=replaced)
    return candles, found.joined(gaps)


def check_rows(rows: Rows, step: int = MINUTE) -> None:
    """Refuse the first row that cannot be a candle.

    Raises
    ------
    CandleError
        When a row has a price or volume that is too large ("not_finite") or too small
        ("not_positive"), a low above or a high below its prices ("low_high"), or a time that is
        missing or off the grid of the step ("grid").
    """
    # Nothing compares with NaN, so these cover every test of `_complaint`, in one pass each.
    good = rows.low >= LEAST
    good &= rows.low <= rows.open
    good &= rows.low <= rows.close
    good &= rows.open <= rows.high
    good &= rows.close <= rows.high
    good &= rows.high <= MOST
    good &= rows.volume >= 0
    good &= rows.volume <= MOST
    good &= rows.time % step == 0
    if rows.time.min() < EARLIEST or rows.time.max() >= LATEST:
        good &= (rows.time >= EARLIEST) & (rows.time < LATEST)
    if good.all():
        return
    index = int(good.argmin())
    code, words = _complaint(rows, index, step)
    at = "" if rows.time[index] == _MISSING else f" ({when(rows.time[index])})"
    raise CandleError(
        f"candle in row {index}{at}: {words}; fix or drop the row",
        code=code,
        index=index,
    )


def _complaint(rows: Rows, index: int, step: int) -> tuple[str, str]:
    """Return the code and the message of the first test that a row fails."""
    open_, high, low, close, volume = (float(column[index]) for column in rows[1:])
    prices = dict(zip(PRICES, (open_, high, low, close), strict=True))
    for name, price in prices.items():
        if not math.isfinite(price):
            return "not_finite", f"{name} must be a finite number, was {price!r}"
    for name, price in prices.items():
        if price <= 0:
            return "not_positive", f"{name} must be above 0, was {price!r}"
        if not LEAST <= price <= MOST:
            code = "not_finite" if price > 1 else "not_positive"
            return code, f"{name} must be from {LEAST:g} to {MOST:g}, was {price!r}"
    if not math.isfinite(volume):
        return "not_finite", f"volume must be a finite number, was {volume!r}"
    if volume > MOST:
        return "not_finite", f"volume must be at most {MOST:g}, was {volume!r}"
    if volume < 0:
        return "not_positive", f"volume must be 0 or more, was {volume!r}"
    if low > min(open_, close):
        name = "open" if open_ < close else "close"
        return "low_high", f"low must not be above {name} {prices[name]!r}, was {low!r}"
    if high < max(open_, close):
        name = "open" if open_ > close else "close"
        return "low_high", f"high must not be below {name} {prices[name]!r}, was {high!r}"
    return "grid", _off_grid_words(int(rows.time[index]), step)


def _off_grid_words(time: int, step: int) -> str:
    if time == _MISSING:
        return "time is missing (NaT)"
    hint = ""
    if 0 <= time < DAY:
        hint = " (it looks like the time since midnight; a date is missing)"
    elif 0 < time < _SECONDS:
        hint = " (it looks like seconds)"
    elif time >= LATEST:
        hint = f" (it looks like {'micro' if time < LATEST * 1000 else 'nano'}seconds)"
    elif time < EARLIEST and time % step == 0:
        hint = " (it lies before 1971)"
    elif step > MINUTE and time % MINUTE == 0:
        zone = "; where days begin in another zone, df.tz_localize(None) drops it"
        hint = f" (if the candles are shorter, say so with timeframe={zone if step == DAY else ''})"
    return (
        f"time must be the open time of a {timeframe_name(step)} candle in ms since the epoch, a "
        f"multiple of {step}, was {time}{hint}"
    )


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
    differs &= dropped
    replaced = int(np.count_nonzero(differs))
    _check_replaced(rows, differs, replaced)
    kept = np.flatnonzero(np.append(~dropped, True))
    return kept, int(np.count_nonzero(dropped)) - replaced, replaced


def _check_replaced(rows: Rows, differs: NDArray[np.bool_], replaced: int) -> None:
    """Refuse differing rows of one time that are no repairs, but another market in one table."""
    before, after = rows.close[:-1], rows.close[1:]
    apart = differs & (np.abs(after - before) > _APART * np.minimum(before, after))
    if apart.any():
        index = int(apart.argmax())
        words = f"closes {float(before[index])!r} and {float(after[index])!r} at one time"
    elif replaced > _MANY and replaced > _OFTEN * len(rows.time):
        index = int(differs.argmax())
        words = (
            f"{replaced:,} of {len(rows.time):,} rows have the time of another with other values"
        )
    else:
        return
    raise CandleError(
        f"candle in row {index} ({when(rows.time[index])}): {words}; the table seems to hold "
        "several markets: keep the rows of one, or add a column symbol",
        code="duplicates",
        index=index,
    )


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
