"""Candles as arrays: `Rows` as a source gave them, and `Candles` that are closed and checked.

`Candles` is five read-only float64 columns and the open times of its rows: those of a grid, or any
that the source has. Windows on it are views: making one costs no copy. What comes in from outside
is checked in `intake.py`; higher timeframes are built in `resampling.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.core.timeframe import MINUTE, floor_to, iso, next_after, timeframe_name

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Columns = tuple[Floats, Floats, Floats, Floats, Floats]

NAMES: Final = ("open", "high", "low", "close", "volume")
OPEN: Final = 0
HIGH: Final = 1
LOW: Final = 2
CLOSE: Final = 3
VOLUME: Final = 4


class Filled(NamedTuple):
    """What windows show where minutes are missing: the given candles, and flat ones between them.

    Attributes
    ----------
    candles : Candles
    places : (n,) int64
        The row of each given candle.
    """

    candles: Candles
    places: NDArray[np.int64]


class Candles:
    """A window on closed candles, oldest first.

    Every column is a read-only numpy view of shape (n,).

    Parameters
    ----------
    columns : tuple of five (m,) float64 arrays
        open, high, low, close (quote currency) and volume (base currency).
    first : int
        Open time of row 0 of the columns, ms UTC.
    step : int
        Length of one candle, ms.
    start, stop : int
        The rows of the columns that belong to this window.
    times : (m,) int64 array, optional
        Open times of the rows, ms UTC; None: a candle each step.
    filled : Filled, optional
        The same with flat candles where minutes are missing; None: none are shown.

    Attributes
    ----------
    regular : bool
        Whether no candle is missing.
    """

    __slots__ = (
        "__weakref__", "_columns", "_filled", "_first", "_start", "_stop", "_times", "regular",
        "step",
    )  # fmt: skip

    def __init__(
        self,
        columns: Columns,
        first: int,
        step: int,
        start: int,
        stop: int,
        times: Times | None = None,
        filled: Filled | None = None,
    ) -> None:
        self._columns = columns
        self._first = first
        self._start = start
        self._stop = stop
        self._times = times
        self._filled = filled
        self.step = step
        self.regular = times is None  # read at each ask, which a property is slow for

    @property
    def time(self) -> Times:
        """Open times, ms UTC, (n,) int64."""
        if self._times is not None:
            return self._times[self._start : self._stop]
        first, step = self._first, self.step
        times = np.arange(first + self._start * step, first + self._stop * step, step)
        times.flags.writeable = False
        return times

    @property
    def open(self) -> Floats:
        """First prices, (n,) float64."""
        return self._columns[OPEN][self._start : self._stop]

    @property
    def high(self) -> Floats:
        """Highest prices, (n,) float64."""
        return self._columns[HIGH][self._start : self._stop]

    @property
    def low(self) -> Floats:
        """Lowest prices, (n,) float64."""
        return self._columns[LOW][self._start : self._stop]

    @property
    def close(self) -> Floats:
        """Last prices, (n,) float64."""
        return self._columns[CLOSE][self._start : self._stop]

    @property
    def volume(self) -> Floats:
        """Traded volumes, (n,) float64, in base currency."""
        return self._columns[VOLUME][self._start : self._stop]

    @property
    def columns(self) -> Columns:
        """Open, high, low, close and volume, each (n,) float64."""
        start, stop = self._start, self._stop
        opened, high, low, close, volume = self._columns
        return (
            opened[start:stop], high[start:stop], low[start:stop], close[start:stop],
            volume[start:stop],
        )  # fmt: skip

    @property
    def start(self) -> int:
        """Open time of the first candle, ms UTC."""
        return self.starts_at(0)

    @property
    def end(self) -> int:
        """Close time of the last candle, ms UTC."""
        return self.ends_at(self._stop - self._start - 1)

    @property
    def filled(self) -> Filled | None:
        """What windows show where minutes are missing; None where they show these candles."""
        return self._filled

    @property
    def shown(self) -> Candles:
        """What windows show of these candles: with flat ones where single minutes are missing."""
        if self._filled is None:
            return self
        candles, places = self._filled
        if self._start == self._stop:
            return candles.rows(0, 0)
        begin = int(places[self._start - 1]) + 1 if self._start else 0
        return candles.rows(begin, int(places[self._stop - 1]) + 1)

    def places_shown(self, start: int, stop: int) -> tuple[Candles, Times]:
        """Return what windows show, and where rows from `start` to `stop` (exclusive) are in it."""
        if self._filled is None:
            return self, np.arange(start, stop)
        return self._filled.candles, self._filled.places[self._start + start : self._start + stop]

    def __len__(self) -> int:
        return self._stop - self._start

    def __repr__(self) -> str:
        span = f"{iso(self.start)} to {iso(self.end)}"
        return f"Candles({len(self)} x {timeframe_name(self.step)}, {span})"

    def rows(self, start: int, stop: int) -> Candles:
        """Return the candles `start` to `stop` (exclusive) of this window, a view."""
        count = len(self)
        low, high = max(0, min(start, count)), max(0, min(stop, count))
        base, high = self._start, max(low, high)
        return Candles(
            self._columns,
            self._first,
            self.step,
            base + low,
            base + high,
            self._times,
            self._filled,
        )

    def between(self, start: int, end: int) -> Candles:
        """Return the candles that open at or after `start` and close by `end`, a view."""
        return self.rows(self.reaching(start + self.step), self.index(end) + 1)

    def close_at(self, row: int) -> float:
        """Return the close of a row from 0 on, faster than `close[row]` does."""
        return self._columns[CLOSE].item(self._start + row)

    def close_by(self, at: int) -> float:
        """Return the close of the last candle that closes by a moment, one of these, as fast."""
        if self._times is None:
            return self._columns[CLOSE].item((at - self._first) // self.step - 1)
        return self.close_at(self.index(at))

    def extremes_at(self, row: int) -> tuple[float, float, float]:
        """Return open, high and low of a row from 0 on, as fast."""
        opened, high, low, _, _ = self._columns
        index = self._start + row
        return opened.item(index), high.item(index), low.item(index)

    def starts_at(self, row: int) -> int:
        """Return the open time of a row, ms UTC; of a grid it may lie outside."""
        place = self._start + row
        if self._times is None:
            return self._first + place * self.step
        if place >= len(self._times):
            return self.ends_at(row - 1)
        return self._times.item(max(0, place))

    def ends_at(self, row: int) -> int:
        """Return the close time of a row, ms UTC; before the first, where that begins."""
        place = self._start + row
        if self._times is None:
            return self._first + (place + 1) * self.step
        return (
            self._times.item(min(place, len(self._times) - 1)) + self.step
            if place >= 0
            else (self._first)
        )

    def index(self, close_time: int) -> int:
        """Return the row of the last candle that closes at a moment or before it.

        Of a grid it may lie outside; otherwise it is -1 where none does.
        """
        if self._times is None:
            return (close_time - self._first) // self.step - self._start - 1
        at = int(self._times.searchsorted(close_time - self.step, "right"))
        return min(at, self._stop) - 1 - self._start

    def indices(self, close_times: Times) -> NDArray[np.int64]:
        """Return `index` of many moments."""
        if self._times is None:
            found: NDArray[np.int64] = (close_times - self._first) // self.step - self._start - 1
            return found
        return self.time.searchsorted(close_times - self.step, "right") - 1

    def reaching(self, at: int) -> int:
        """Return the row of the first candle that closes at a moment or after it."""
        return self.index(at - 1) + 1

    def next_due(self, at: int, every: int) -> int:
        """Return the first close after a multiple of `every` that comes after `at`.

        Behind the last candle it is some moment there.
        """
        mark = next_after(at, every)
        if self._times is None:
            return mark
        row = self.reaching(mark)
        return self.ends_at(row) if row < len(self) else max(mark, self.end + self.step)

    def dues(self, after: int, until: int, every: int) -> Times:
        """Return the closes in (after, until] at which a multiple of `every` has come."""
        if self._times is None:
            return np.arange(next_after(after, every), until + 1, every)
        first, stop = (max(0, self.index(at) + 1) for at in (after, until))
        closes = self.time[first:stop] + self.step
        passed = (closes - floor_to(after, every)) // every
        found: Times = closes[np.diff(passed, prepend=0) > 0]
        return found


def candles_of(
    columns: Columns,
    first: int,
    step: int = MINUTE,
    times: Times | None = None,
    filled: Filled | None = None,
) -> Candles:
    """Make `Candles` of columns that are known to be clean; they become read-only.

    Parameters
    ----------
    columns : tuple of five (n,) float64 arrays
        open, high, low, close, volume.
    first : int
        Open time of the first candle, ms UTC.
    step : int, default 60_000
        Length of a candle, ms.
    times : (n,) int64 array, optional
        Open times, where candles are missing between them.
    filled : Filled, optional
        What windows show where minutes are missing.
    """
    views = tuple(column.view() for column in columns)
    for view in views:
        view.flags.writeable = False
    if times is not None:
        times = times.view()
        times.flags.writeable = False
    return Candles(views, first, step, 0, len(columns[0]), times, filled)  # type: ignore[arg-type]


def spaced(times: Times, step: int) -> Times | None:
    """Return open times as `candles_of` wants them: None where none is missing."""
    regular = len(times) < 2 or int(times[-1] - times[0]) == (len(times) - 1) * step
    return None if regular else times


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
        return Rows._make(column[places] for column in self)

    def part(self, first: int, last: int) -> Rows:
        """Return the rows `first` to `last` (exclusive), as views."""
        return Rows._make(column[first:last] for column in self)


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
            max(runs, key=lambda run: run[1] - run[0], default=None),
        )
