"""The candles as a run saw them, which may depend on when it looked, and as they are today."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import NAMES, Candles
from tradenb.core.candles.arrays import Rows as RawRows
from tradenb.core.candles.gaps import with_gaps
from tradenb.core.timeframe import MINUTE
from tradenb.errors import UsageError
from tradenb.research.parity.evidence import Evidence
from tradenb.research.parity.recorded_lines import Rows


class View(NamedTuple):
    """The candles as a run saw them from a moment (close time, ms UTC) on."""

    since: int
    candles: Candles


def views_of(found: Evidence, fresh: Candles) -> tuple[list[View], Candles]:
    """Return the candles as they were seen, from each start on, and as they are now.

    Where one side does not have a minute it is taken from the other; a note says how many.
    """
    inside = (found.seen[:, 0] >= found.history_start) & (found.seen[:, 0] < found.end)
    seen = found.seen[inside]
    times, as_of = seen[:, 0].astype(np.int64), seen[:, 6].astype(np.int64)
    rows, values = (times - found.history_start) // MINUTE, seen[:, 1:6]
    base = np.full(((found.end - found.history_start) // MINUTE, len(NAMES)), np.nan)
    on_time = (as_of <= found.start) | (as_of == times)
    base[rows[on_time]] = values[on_time]
    unknown = _holes(base)
    for begin, end in found.gone:
        first, last = ((at - found.history_start) // MINUTE for at in (begin, end))
        unknown[max(0, first) : max(0, last)] = False
    late = ~on_time & unknown[rows]  # seen by a later start only
    base[rows[late]] = values[late]
    now = _complete(found, base, unknown, fresh)
    views = [View(found.start, _candles(base, found))]
    for since in np.unique(as_of[~on_time]).tolist():
        anew = ~on_time & (as_of == since)
        if (base[rows[anew]] != values[anew]).any():
            base = base.copy()
            base[rows[anew]] = values[anew]
            views.append(View(since, _candles(base, found)))
    return views, _candles(now, found)


def _complete(found: Evidence, base: Rows, unknown: NDArray[np.bool_], fresh: Candles) -> Rows:
    """Fill the candles seen and those of now from each other; return those of now."""
    now = np.full_like(base, np.nan)
    fresh = fresh.between(found.history_start, found.end)
    places = (fresh.time - found.history_start) // MINUTE
    now[places] = np.stack([getattr(fresh, name) for name in NAMES], axis=1)
    unknown &= ~_holes(now)  # where neither side has a candle there was none
    gone = _holes(now) & ~_holes(base)
    base[unknown], now[gone] = now[unknown], base[gone]
    if unknown.any():
        count = f"{np.count_nonzero(unknown):,} of the minutes that the run saw"
        found.notes.append(f"{count} are not on disk; today's candles are used for them")
    if gone.any():
        count = f"{np.count_nonzero(gone):,} of the minutes that the run saw"
        found.notes.append(f"{found.exchange} no longer has {count}")
    if _holes(now).all():
        raise UsageError(f"{found.id}: its candles are neither on disk nor at the exchange")
    return now


def _holes(rows: Rows) -> NDArray[np.bool_]:
    return np.asarray(np.isnan(rows[:, 0]))


def _candles(rows: Rows, found: Evidence) -> Candles:
    """Return the minutes that have a candle."""
    there = np.flatnonzero(~_holes(rows))
    columns = (np.ascontiguousarray(column) for column in rows[there].T)
    raw = RawRows(found.history_start + there * MINUTE, *columns)
    return with_gaps(raw, MINUTE, found.rules.gap_minutes)[0]
