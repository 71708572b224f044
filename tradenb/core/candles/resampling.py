"""Higher timeframes, built from the candles of the base step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Candles, Floats, candles_of, spaced
from tradenb.core.timeframe import DAY, WEEK, ceil_to, floor_to


def resample(candles: Candles, step: int, *, goes_on: bool = False) -> Candles:
    """Build the candles of a higher timeframe.

    Parameters
    ----------
    candles : Candles
        What windows show: given candles, and flat ones where single minutes are missing.
    step : int
        Length of the new candles in ms, a multiple of the old; buckets start at UTC multiples.
    goes_on : bool, default False
        More candles came before these: the first bucket counts although its beginning is missing.

    Returns
    -------
    Candles
        open = first, high = max, low = min, close = last; volume is added one by one, oldest first.
        A bucket is made of the candles that it has, and left out if it has none. The first bucket
        counts only if its beginning is there, the last one only if it has ended.
    """
    size = step // candles.step
    if size == 1:
        return candles
    if candles.regular and not goes_on:
        return _whole(candles, step, size)
    return _of_what_there_is(candles, step, goes_on=goes_on)


def _whole(candles: Candles, step: int, size: int) -> Candles:
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


def _of_what_there_is(candles: Candles, step: int, *, goes_on: bool) -> Candles:
    time = candles.time
    origin = floor_to(WEEK + DAY, step) % step
    begins = time - (time - origin) % step
    ended = int(np.searchsorted(begins, candles.end - step, "right"))
    starts = np.flatnonzero(np.diff(begins[:ended], prepend=-1))
    if len(starts) and not goes_on and begins[0] != time[0]:
        starts = starts[1:]
    if not len(starts):
        empty = np.zeros(0)
        first = ceil_to(candles.start, step)
        return candles_of((empty, empty, empty, empty, empty), first, step)
    ends = np.append(starts[1:], ended)
    opens: NDArray[np.int64] = begins[starts]
    columns = (
        candles.open[starts],
        np.maximum.reduceat(candles.high[:ended], starts),
        np.minimum.reduceat(candles.low[:ended], starts),
        candles.close[ends - 1],
        _added_up(candles.volume, starts, ends),
    )
    return candles_of(columns, int(opens[0]), step, spaced(opens, step))


def _added_up(volume: Floats, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Floats:
    """Add the volumes of each bucket one by one, oldest first."""
    total, sizes = volume[starts], ends - starts
    for place in range(1, int(sizes.max())):
        more = sizes > place
        total[more] += volume[starts[more] + place]
    return total
