"""The falls of a curve: from the last close at a peak to the first that is there again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tradenb.core.timeframe import DAY
from tradenb.statistics.equity.curve import Covered, Curve

if TYPE_CHECKING:
    import pandas


class Drawdown(NamedTuple):
    """A fall of the curve.

    Attributes
    ----------
    start : int
        Last close at the peak, ms UTC; the start of the run, if it was never there again.
    trough : int
        First close of its lowest value.
    end : int or None
        First close at the peak or above; None while it is below.
    depth : float
        Percent of the peak.
    days : float
        Covered time from `start` to `end`, or to the end of the run.
    """

    start: int
    trough: int
    end: int | None
    depth: float
    days: float


def drawdowns_of(curve: Curve, covered: Covered) -> list[Drawdown]:
    """Return all falls of a curve, the deepest first, equal ones by their start."""
    values, rows, at = curve.values, curve.rows, curve.at
    edges = np.diff(np.concatenate(([False], values < curve.peaks, [False])).astype(np.int8))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    starts = [int(at[rows[place] - 1]) if rows[place] else curve.start for place in begins]
    stops = [int(at[rows[place]]) if place < len(rows) else None for place in ends]
    until = [curve.end if stop is None else stop for stop in stops]
    spans = np.array([starts, until], dtype=np.int64)
    days = covered.between(spans[0], spans[1]) / DAY
    found = []
    for place, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        lowest = begin + int(values[begin:end].argmin())
        depth = float(curve.drawdown[lowest])
        trough = int(at[rows[lowest]])
        found.append(Drawdown(starts[place], trough, stops[place], depth, float(days[place])))
    return sorted(found, key=lambda fall: (-fall.depth, fall.start))


def drawdown_frame(found: list[Drawdown]) -> pandas.DataFrame:
    """Tabulate falls; end is NaT while the curve is below.

    Examples
    --------
    >>> list(drawdown_frame([]).columns)
    ['start', 'trough', 'end', 'depth', 'days']
    """
    import pandas

    frame = pandas.DataFrame(found, columns=list(Drawdown._fields))
    for name in ("start", "trough", "end"):
        times = pandas.to_datetime(frame[name].astype("Int64"), unit="ms", utc=True)
        frame[name] = times.astype("datetime64[ms, UTC]")
    return frame.astype({"depth": "float64", "days": "float64"})
