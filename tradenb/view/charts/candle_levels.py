"""Candles in two levels of detail: all of them coarse, and those around trades as they are.

A chart of a year of minutes must stay small. The page shows the level that fits what is looked at,
and makes coarser ones of the coarse level by itself (`chart_levels.js`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Candles, Floats, Times
from tradenb.core.timeframe import DAY, TIMEFRAMES
from tradenb.view.charts.packed_columns import Packed, decimals_of, packed, whole_of

ROWS: Final = 280_000
"""Candles that a page holds, of all symbols: about 2.5 MB."""
FEWEST_ROWS: Final = 600
_COARSE: Final = 0.4  # of the rows at most
_AROUND: Final = (60, 48, 36, 24, 18, 12, 9, 6, 5, 4, 3, 2, 1, 0)  # coarse candles to each side
_VOLUME_DIGITS: Final = 4
_STEPS: Final = (*TIMEFRAMES.values(), *(DAY * days for days in (2, 5, 10, 50, 100)))


class Level(NamedTuple):
    """Candles of one length: open times, ms UTC, and the five columns."""

    step: int
    time: Times
    columns: tuple[Floats, Floats, Floats, Floats, Floats]

    @property
    def closes_at(self) -> Times:
        """Close times, ms UTC."""
        return self.time + self.step


class Levels(NamedTuple):
    """The coarse level and, where that is not all there is, the candles around trades."""

    whole: Level
    detail: Level | None


def levels_of(
    candles: Candles, moments: Sequence[int], rows: int = ROWS, *, everything: bool = False
) -> Levels:
    """Choose candles for a chart.

    Parameters
    ----------
    moments : sequence of int
        When trades began and ended, ms UTC; the minutes around them are kept.
    rows : int
        How many candles both levels may have together, about.
    everything : bool, default False
        Keep all candles as they are, however many there are.
    """
    if len(candles) <= rows:
        return Levels(Level(candles.step, candles.time, candles.columns), None)
    whole = bucketed(candles, _coarse_step(candles, int(rows * _COARSE)))
    if everything:
        return Levels(whole, Level(candles.step, candles.time, candles.columns))
    left = rows - len(whole.time)
    chosen = _rows_around(candles, whole.step, [*moments, candles.end], left)
    columns = candles.columns
    detail = tuple(column[chosen] for column in columns)
    return Levels(whole, Level(candles.step, candles.time[chosen], detail))  # type: ignore[arg-type]


def bucketed(candles: Candles, step: int) -> Level:
    """Resample candles, the ones of a bucket that is not whole included."""
    begins = candles.time // step * step
    starts = np.flatnonzero(np.diff(begins, prepend=-1))
    ends = np.append(starts[1:], len(begins))
    columns = (
        candles.open[starts],
        np.maximum.reduceat(candles.high, starts),
        np.minimum.reduceat(candles.low, starts),
        candles.close[ends - 1],
        np.add.reduceat(candles.volume, starts),
    )
    return Level(step, begins[starts], columns)


def packed_level(level: Level, decimals: int) -> Packed:
    """Pack the candles of a level; prices to so many decimals.

    Kept are the jump from the close before, the body, and both wicks: all of them small.
    """
    opened, high, low, close = (whole_of(column, decimals) for column in level.columns[:4])
    before = np.concatenate((np.zeros(min(1, len(close)), dtype=np.int64), close[:-1]))
    volume = level.columns[4]
    traded = volume[volume > 0]
    fine = decimals_of(traded)
    if len(traded):
        fine = min(fine, _VOLUME_DIGITS - 1 - int(np.floor(np.log10(np.median(traded)))))
    columns: Mapping[str, NDArray[np.int64]] = {
        "jump": opened - before,
        "body": close - opened,
        "above": high - np.maximum(opened, close),
        "below": np.minimum(opened, close) - low,
    }
    return {
        "step": level.step,
        "time": packed(level.time // 1000),
        "decimals": decimals,
        **{name: packed(column, running=False) for name, column in columns.items()},
        "volume": packed(whole_of(volume, fine), decimals=fine, running=False),
    }


def _coarse_step(candles: Candles, rows: int) -> int:
    """Return the shortest timeframe that has at most so many candles."""
    length = candles.end - candles.start
    fitting = (
        step
        for step in _STEPS
        if step > candles.step and step % candles.step == 0 and length // step < max(rows, 1)
    )
    return next(fitting, _STEPS[-1])


def _rows_around(
    candles: Candles, step: int, moments: Sequence[int], rows: int
) -> NDArray[np.intp]:
    """Return the candles of the coarse ones around moments, as wide as fits."""
    first = candles.start // step
    buckets = candles.time // step - first
    count = int(buckets[-1]) + 1
    places = np.clip((np.array(moments, dtype=np.int64) - 1) // step - first, 0, count - 1)
    chosen = np.zeros(0, dtype=np.intp)
    for around in _AROUND:
        edges = np.zeros(count + 1, dtype=np.int64)
        np.add.at(edges, np.maximum(places - around, 0), 1)
        np.add.at(edges, np.minimum(places + around + 1, count), -1)
        covered = np.cumsum(edges[:-1]) > 0
        chosen = np.flatnonzero(covered[buckets])
        if len(chosen) <= rows:
            return chosen
    # Too many trades for even that: the newest, whole coarse candles only.
    begin = len(chosen) - rows
    while begin < len(chosen) and buckets[chosen[begin]] == buckets[chosen[begin - 1]]:
        begin += 1
    return chosen[begin:]
