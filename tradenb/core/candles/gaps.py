"""Candles between which others are missing: thin or closed time, and what windows show."""

from __future__ import annotations

import numpy as np

from tradenb.core.candles.arrays import (
    Candles,
    Columns,
    Filled,
    Intake,
    Rows,
    Times,
    candles_of,
    spaced,
)
from tradenb.core.timeframe import MINUTE


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
