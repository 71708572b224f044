"""Candles that come in from outside: refused, repaired or accepted, in one function for both modes.

In this order: every row by itself, times that go back, rows with one time, a step that is too
coarse, prices that cannot be, and last the missing minutes, which are counted: single ones are thin
and windows show them flat, longer runs are closed time. Nothing else in tradenb looks at raw
candles; the machine is fed the candles that are given, and nothing happens in a missing minute.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Candles, Columns, Filled, Floats, Times, candles_of, spaced
from tradenb.core.timeframe import (
    DAY,
    EARLIEST,
    LATEST,
    MINUTE,
    TIMEFRAMES,
    iso,
    timeframe_name,
)
from tradenb.errors import CandleError

MEDIAN_WINDOW: Final = 60
_STRETCH: Final = 20
_CHUNK: Final = 4096

PRICES: Final = ("open", "high", "low", "close")
_MISSING: Final = np.iinfo(np.int64).min  # what numpy makes of a missing time (NaT)
_SECONDS: Final = 10_000_000_000  # times below this are seconds: in ms they lie in early 1970
_MANY: Final = 20  # differing rows of one time
_OFTEN: Final = 0.02
_APART: Final = 0.2  # of the smaller close

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
        Candles that are missing in short runs; windows show them flat.
    closed : int
        Minutes that are missing in longer runs: outages, nights, weekends.
    gaps : int
        How many such longer runs there are.
    longest : tuple of (int, int) or None
        Where the longest of them begins and ends, ms UTC.
    """

    rows: int = 0
    duplicates_same: int = 0
    duplicates_replaced: int = 0
    filled: int = 0
    closed: int = 0
    gaps: int = 0
    longest: tuple[int, int] | None = None

    def joined(self, other: Intake) -> Intake:
        """Return what was found in these rows and in others."""
        runs = [each for each in (self.longest, other.longest) if each is not None]
        return Intake(
            self.rows + other.rows,
            self.duplicates_same + other.duplicates_same,
            self.duplicates_replaced + other.duplicates_replaced,
            self.filled + other.filled,
            self.closed + other.closed,
            self.gaps + other.gaps,
            max(runs, key=_length, default=None),
        )


def _length(run: tuple[int, int]) -> int:
    return run[1] - run[0]


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
        When a row has a price or volume that is not finite ("not_finite") or too small
        ("not_positive"), a low above or a high below its prices ("low_high"), or a time that is
        missing or off the grid of the step ("grid").
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
    good &= rows.time % step == 0
    if rows.time.min() < EARLIEST or rows.time.max() >= LATEST:
        good &= (rows.time >= EARLIEST) & (rows.time < LATEST)
    if good.all():
        return
    index = int(good.argmin())
    code, words = _complaint(rows, index, step)
    raise CandleError(
        f"candle in row {index} ({when(rows.time[index])}): {words}; fix or drop the row",
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
    return (
        f"time must be the open time of a {timeframe_name(step)} candle in ms since the epoch, a "
        f"multiple of {step}, was {time}{hint}"
    )


def when(time: int) -> str:
    """Write the time of a raw row, which may be nonsense."""
    return iso(int(time)) if 0 <= time < LATEST else str(time)


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


def check_step(time: Times, step: int = MINUTE, kept: Kept = None) -> None:
    """Refuse candles that are mostly, or for a stretch, longer than a step.

    Parameters
    ----------
    kept : (n,) int64 array, optional
        The rows that the times are of, if some were dropped.

    Raises
    ------
    CandleError
        With code "step": as a whole, or naming the row where 20 steps of another timeframe begin.
    """
    steps = np.diff(time)
    # A candle is at least one step long: with half of them it is the commonest.
    if 2 * np.count_nonzero(steps == step) < len(steps):
        lengths, counts = np.unique(steps, return_counts=True)
        commonest = int(lengths[counts.argmax()])
        if commonest > step:
            name = timeframe_name(commonest)
            raise CandleError(
                f"candles look like {name}; say timeframe={name!r}, or give candles of "
                f"{timeframe_name(step)}",
                code="step",
            )
    row = _stretch(steps, step)
    if row is not None:
        name = timeframe_name(int(steps[row]))
        index = row if kept is None else int(kept[row])
        raise CandleError(
            f"candle in row {index} ({when(time[row])}): {_STRETCH} steps of {name} in a row begin "
            f"here, that is another file; keep candles of {timeframe_name(step)} only",
            code="step",
            index=index,
        )


def _stretch(steps: Times, step: int) -> int | None:
    """Return the place where 20 equal steps of a longer timeframe begin, if there is one."""
    longer = steps != step
    if np.count_nonzero(longer) < _STRETCH:
        return None
    changes = np.flatnonzero(np.diff(steps, prepend=-1))
    lengths = np.diff(changes, append=len(steps))
    known = np.isin(steps[changes], [each for each in TIMEFRAMES.values() if each > step])
    found = changes[known & (lengths >= _STRETCH)]
    return int(found[0]) if len(found) else None


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


def with_columns(candles: Candles, columns: Columns) -> Candles:
    """Return candles of the same times with other columns of shape (n,)."""
    rows = Rows(candles.time, *columns)
    times = None if candles.regular else candles.time
    filled: Filled | None = None
    if candles.filled is not None:
        _, places = candles.places_shown(0, len(candles))
        filled = Filled(*_flat(rows, candles.step, np.diff(places) - 1))
    return candles_of(columns, candles.start, candles.step, times, filled)


def with_gaps(rows: Rows, step: int, gap_minutes: int | None) -> tuple[Candles, Intake]:
    """Return clean rows as candles, between some of which others may be missing, and how many."""
    missing = np.diff(rows.time) // step - 1
    found = missing_in(rows.time, step, gap_minutes)
    if gap_minutes is None and found.filled:
        return _flat(rows, step, missing)[0], found
    filled: Filled | None = None
    if found.filled:
        thin = missing * step <= (gap_minutes or 0) * MINUTE
        filled = Filled(*_flat(rows, step, np.where(thin, missing, 0)))
    columns = tuple(np.ascontiguousarray(column, np.float64) for column in rows[1:])
    times = spaced(rows.time, step)
    return candles_of(columns, int(rows.time[0]), step, times, filled), found  # type: ignore[arg-type]


def missing_in(times: Times, step: int, gap_minutes: int | None) -> Intake:
    """Count the candles that are missing between open times, in short and in longer runs."""
    missing = np.diff(times) // step - 1
    longest = int(missing.max(initial=0))
    if gap_minutes is None or longest * step <= gap_minutes * MINUTE:
        return Intake(filled=int(missing.sum()))
    closed = missing * step > gap_minutes * MINUTE
    row = int(missing.argmax())
    return Intake(
        filled=int(missing[~closed].sum()),
        closed=int(missing[closed].sum()) * step // MINUTE,
        gaps=int(np.count_nonzero(closed)),
        longest=(int(times[row]) + step, int(times[row + 1])),
    )


def _flat(rows: Rows, step: int, missing: Times) -> tuple[Candles, Times]:
    """Put flat candles behind rows, of the close before them; return where the rows are."""
    places = np.arange(len(rows.time)) + np.concatenate(([0], np.cumsum(missing)))
    count = int(places[-1]) + 1
    repeats = np.append(missing, 0) + 1
    flat = np.repeat(rows.close, repeats)
    open_, high, low = flat.copy(), flat.copy(), flat.copy()
    open_[places], high[places], low[places] = rows.open, rows.high, rows.low
    volume = np.zeros(count)
    volume[places] = rows.volume
    behind = np.arange(count) - np.repeat(places, repeats)
    times = np.repeat(rows.time, repeats) + behind * step
    columns = (open_, high, low, flat, volume)
    return candles_of(columns, int(times[0]), step, spaced(times, step)), places
