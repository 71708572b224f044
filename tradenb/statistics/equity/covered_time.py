"""Covered time: when there were candles. Nights and weekends count, missing months do not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from tradenb.core.candles.arrays import Floats, Times
from tradenb.core.timeframe import DAY

HOLE: Final = 10 * DAY
YEAR: Final = 365 * DAY


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
