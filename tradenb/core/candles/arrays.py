"""Closed candles on a gap-free grid, as arrays.

`Candles` is five read-only float64 columns and a grid of open times. Windows on it are views:
making one costs no copy. What comes in from outside is checked in `intake.py`; higher timeframes
are built here, always from 1m candles and only from complete ones.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tradenb.core.timeframe import MINUTE, ceil_to, iso

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Columns = tuple[Floats, Floats, Floats, Floats, Floats]

NAMES: Final = ("open", "high", "low", "close", "volume")
OPEN: Final = 0
HIGH: Final = 1
LOW: Final = 2
CLOSE: Final = 3
VOLUME: Final = 4


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
    """

    __slots__ = ("_columns", "_first", "_start", "_stop", "step")

    def __init__(self, columns: Columns, first: int, step: int, start: int, stop: int) -> None:
        self._columns = columns
        self._first = first
        self._start = start
        self._stop = stop
        self.step = step

    @property
    def time(self) -> Times:
        """Open times, ms UTC, (n,) int64."""
        first = self._first
        times = np.arange(
            first + self._start * self.step, first + self._stop * self.step, self.step
        )
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
        return self._first + self._start * self.step

    @property
    def end(self) -> int:
        """Close time of the last candle, ms UTC."""
        return self._first + self._stop * self.step

    def __len__(self) -> int:
        return self._stop - self._start

    def __repr__(self) -> str:
        return (
            f"Candles({len(self)} x {self.step // MINUTE}m, {iso(self.start)} to {iso(self.end)})"
        )

    def rows(self, start: int, stop: int) -> Candles:
        """Return the candles `start` to `stop` (exclusive) of this window, a view."""
        count = len(self)
        low, high = max(0, min(start, count)), max(0, min(stop, count))
        base = self._start
        return Candles(self._columns, self._first, self.step, base + low, base + max(low, high))

    def between(self, start: int, end: int) -> Candles:
        """Return the candles that open at or after `start` and close by `end`, a view."""
        first = -(-(start - self.start) // self.step)
        return self.rows(first, (end - self.start) // self.step)

    def close_at(self, row: int) -> float:
        """Return the close of a row from 0 on, faster than `close[row]` does."""
        return self._columns[CLOSE].item(self._start + row)

    def extremes_at(self, row: int) -> tuple[float, float, float]:
        """Return open, high and low of a row from 0 on, as fast."""
        opened, high, low, _, _ = self._columns
        index = self._start + row
        return opened.item(index), high.item(index), low.item(index)

    def index(self, close_time: int) -> int:
        """Return the row of the candle that closes at `close_time`; may lie outside."""
        return (close_time - self._first) // self.step - self._start - 1


def candles_of(columns: Columns, first: int, step: int = MINUTE) -> Candles:
    """Make `Candles` of columns that are known to be clean; they become read-only.

    Parameters
    ----------
    columns : tuple of five (n,) float64 arrays
        open, high, low, close, volume.
    first : int
        Open time of the first candle, ms UTC.
    step : int, default 60_000
        Length of a candle, ms.
    """
    views = tuple(column.view() for column in columns)
    for view in views:
        view.flags.writeable = False
    return Candles(views, first, step, 0, len(columns[0]))  # type: ignore[arg-type]


class GrowingCandles:
    """Candles that more are added to, at a cost that does not depend on how many there are.

    Windows made before stay as they are: only room behind them is written to.

    Parameters
    ----------
    candles : Candles
        The first ones; they are not copied before something is added.
    """

    def __init__(self, candles: Candles) -> None:
        self._first, self._step = candles.start, candles.step
        self._room: tuple[Floats, ...] = candles.columns
        self._size = len(candles)
        self.candles = candles

    def add(self, later: Candles) -> Candles:
        """Add candles that begin where these end, and return them all."""
        if later.start != self.candles.end or later.step != self._step:
            raise ValueError(f"candles must follow each other: {self.candles!r}, then {later!r}")
        size = self._size + len(later)
        if size > len(self._room[0]) or not self._room[0].flags.writeable:
            self._room = tuple(_roomier(column, self._size, 2 * size) for column in self._room)
        for column, added in zip(self._room, later.columns, strict=True):
            column[self._size : size] = added
        self._size = size
        opened, high, low, close, volume = (column[:size] for column in self._room)
        self.candles = candles_of((opened, high, low, close, volume), self._first, self._step)
        return self.candles


def _roomier(column: Floats, size: int, room: int) -> Floats:
    wider = np.empty(room)
    wider[:size] = column[:size]
    return wider


def resample(candles: Candles, step: int) -> Candles:
    """Build the complete candles of a higher timeframe.

    Parameters
    ----------
    candles : Candles
        1m candles, gap-free.
    step : int
        Length of the new candles in ms, a multiple of the old; buckets start at UTC multiples.

    Returns
    -------
    Candles
        open = first, high = max, low = min, close = last; volume is added one by one, oldest first.
        A bucket that is cut off at either end is left out. Does not depend on where the data start.
    """
    size = step // candles.step
    if size == 1:
        return candles
    first = ceil_to(candles.start, step)
    skip = min((first - candles.start) // candles.step, len(candles))
    count = (len(candles) - skip) // size
    stop = skip + count * size

    def buckets(column: Floats) -> Floats:
        return column[skip:stop].reshape(count, size)

    high, low, volume = (buckets(c) for c in (candles.high, candles.low, candles.volume))
    highest, lowest, total = high[:, 0].copy(), low[:, 0].copy(), volume[:, 0].copy()
    for column in range(1, size):
        np.maximum(highest, high[:, column], out=highest)
        np.minimum(lowest, low[:, column], out=lowest)
        total += volume[:, column]
    opened = buckets(candles.open)[:, 0].copy()
    closed = buckets(candles.close)[:, -1].copy()
    return candles_of((opened, highest, lowest, closed, total), first, step)
