"""`Curve`: what a run was worth at each close; `Covered`: the time in which there were candles.

Between the candles in which something is open the value stands still, so a curve keeps only the
rows at which it may change. Nights and weekends are covered time, missing months are not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from tradenb.core.candles.arrays import Floats, Times
from tradenb.core.timeframe import DAY

if TYPE_CHECKING:
    import pandas

HOLE: Final = 10 * DAY
YEAR: Final = 365 * DAY
_AT_ONCE: Final = 16_384
FIRST: Final = "first"
"""Among the attrs of the Series of a curve: the value that it began at."""


@dataclass(frozen=True)
class Curve:
    """A value at each given close of a run.

    Attributes
    ----------
    start, end : int
        Bounds of the run, ms UTC.
    at : (n,) int64 array
        The given closes, ms UTC, ascending.
    rows : (m,) int64 array
        Rows of `at` at which the value may differ from the one before, ascending.
    values : (m,) float64 array
        The value from each of these rows on.
    first : float
        The value before the first close: 1, or the cash of an account.
    ruined_at : int or None
        The first close at which nothing was left; from there on the value is 0.
    """

    start: int
    end: int
    at: Times
    rows: Times
    values: Floats
    first: float = 1.0
    ruined_at: int | None = None

    @property
    def last(self) -> float:
        """The value at the end."""
        return float(self.values[-1]) if len(self.values) else self.first

    @property
    def growth(self) -> float:
        """How often the first value is in the last; 1 is no change."""
        return self.last / self.first

    def value_at(self, moments: Times) -> Floats:
        """Return the value at the last close that is not after each moment."""
        closes = np.searchsorted(self.at, moments, "right")
        # Of `closes` closes the newest is row closes - 1; the value there was set at or before it.
        places = np.searchsorted(self.rows, closes)
        if not len(self.values):
            return np.full(len(moments), self.first)
        found: Floats = np.where(places > 0, self.values[places - 1], self.first)
        return found

    def at_each_close(self) -> Floats:
        """Return the value at each given close, (n,) float64."""
        bounds = np.concatenate(([0], self.rows, [len(self.at)]))
        return np.repeat(np.append(self.first, self.values), np.diff(bounds))

    @cached_property
    def peaks(self) -> Floats:
        """The highest value so far, from the first one on, at each of `rows`."""
        return peaks_of(self.values, self.first)

    @cached_property
    def drawdown(self) -> Floats:
        """How far the value lies below its peak so far, percent, >= 0, at each of `rows`."""
        with np.errstate(invalid="ignore", over="ignore"):
            found: Floats = self.peaks - self.values
            found /= self.peaks
            found *= 100
        return found

    @cached_property
    def max_drawdown(self) -> float:
        """The largest of `drawdown`; 0 where nothing ever fell."""
        largest, peak = 0.0, self.first
        # Some rows at a time: most of them bring no new peak, or fall less than others did.
        for begin in range(0, len(self.values), _AT_ONCE):
            values = self.values[begin : begin + _AT_ONCE]
            top, bottom = float(values.max()), float(values.min())
            if top <= peak:
                largest = max(largest, (peak - bottom) / peak)
            elif not top - bottom <= largest * peak:
                peaks = peaks_of(values, peak)
                with np.errstate(invalid="ignore", over="ignore"):
                    largest = float(np.fmax.reduce((peaks - values) / peaks, initial=largest))
            peak = max(peak, top)
        return largest * 100

    def series(self) -> pandas.Series[float]:
        """Return the value at each given close; the index "at" is datetime64[ms, UTC]."""
        import pandas

        index = pandas.DatetimeIndex(self.at.view("datetime64[ms]"), name="at").tz_localize("UTC")
        found = pandas.Series(self.at_each_close(), index=index, name="equity", dtype="float64")
        found.attrs[FIRST] = self.first
        return found


def peaks_of(values: Floats, first: float) -> Floats:
    """Return the highest value so far at each row, from the first one on."""
    found: Floats = np.maximum.accumulate(values)
    return np.maximum(found, first, out=found)


def curve_of_closes(closed_at: Times, percent: Floats, *, start: int, end: int) -> Curve:
    """Compound closed trades; where no prices are known there is a value at each close only.

    Parameters
    ----------
    closed_at, percent : (n,) arrays
        In order of closing; several may close at once.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        factors = 1 + percent / 100
        grown = np.multiply.accumulate(factors)
    last = np.flatnonzero(np.diff(closed_at, append=np.iinfo(np.int64).max))
    values, ruined_at = grown[last], None
    if (factors <= 0).any():
        broken = int((factors <= 0).argmax())
        ruined_at = int(closed_at[broken])
        values[np.searchsorted(closed_at[last], ruined_at) :] = 0.0
    rows = np.arange(len(last), dtype=np.int64)
    return Curve(start, end, closed_at[last], rows, values, 1.0, ruined_at)


class Covered:
    """Stretches of time in which there were candles, without holes of more than ten days.

    Parameters
    ----------
    begins, ends : (n,) int64 arrays
        Bounds of the stretches, ms UTC, ascending; they do not touch each other.
    """

    def __init__(self, begins: Times, ends: Times) -> None:
        self.begins, self.ends = begins, ends
        lengths = np.cumsum(ends - begins)
        # Covered time grows from each beginning to each end, and stands still in between.
        self._at = np.stack([begins, ends], axis=1).ravel()
        self._so_far = np.stack([lengths - (ends - begins), lengths], axis=1).ravel()
        self.length = int(lengths[-1]) if len(lengths) else 0

    def before(self, moments: Times) -> Floats:
        """Return how much of the time before each moment is covered, ms."""
        if not self.length:
            return np.zeros(len(moments))
        found: Floats = np.interp(moments, self._at, self._so_far)
        return found

    def between(self, begins: Times, ends: Times) -> Floats:
        """Return how much of each span is covered, ms."""
        found: Floats = self.before(ends) - self.before(begins)
        return found


def covered_by(close_times: Times, step: int) -> Covered:
    """Return the time that candles cover.

    Parameters
    ----------
    close_times : (n,) int64 array
        Of the given candles, ms UTC, ascending.
    step : int
        Length of a candle, ms.
    """
    if not len(close_times):
        return Covered(close_times, close_times)
    after = np.flatnonzero(np.diff(close_times) - step > HOLE)
    begins = np.concatenate((close_times[:1], close_times[after + 1])) - step
    return Covered(begins, np.concatenate((close_times[after], close_times[-1:])))


def whole(start: int, end: int) -> Covered:
    """Return a span that is covered as a whole, of which no candles are known."""
    some = end > start
    return Covered(
        np.array([start] if some else [], dtype=np.int64),
        np.array([end] if some else [], dtype=np.int64),
    )


def union(several: Iterable[Covered]) -> Covered:
    """Return the time that is covered by one of them at least."""
    spans = sorted(
        (int(begin), int(end))
        for each in several
        for begin, end in zip(each.begins, each.ends, strict=True)
    )
    joined: list[list[int]] = []
    for begin, end in spans:
        if joined and begin <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([begin, end])
    bounds = np.array(joined, dtype=np.int64).reshape(-1, 2)
    return Covered(bounds[:, 0], bounds[:, 1])
