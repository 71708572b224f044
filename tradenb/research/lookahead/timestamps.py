"""When each row of a table, an array, a list or a dict was known, if it says so.

Rows at one distance, gaps apart, are candles by their open time: known once the next one opens. All
others are known at their own time.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Candles
from tradenb.core.timeframe import TIMEFRAMES, ceil_to, timeframe_ms

Times = NDArray[np.int64]
# Milliseconds, seconds and nanoseconds of times between 2001 and 2286.
_UNITS: Final = ((1e12, 1e13, 1.0), (1e9, 1e10, 1e3), (1e18, 1e19, 1e-6))
_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d")
_FEWEST: Final = 50
# Values by hour, quarter of an hour, ... of the day are as long as some days of candles.
_PROFILES: Final = frozenset({96, 144, 288, 480, 1440})


def not_known(at: Times, after: int) -> NDArray[np.bool_]:
    """Tell which rows were not known at a moment, by their times (ms UTC)."""
    return np.asarray(at + step_of_rows(at) > after)


def step_of_rows(at: Times) -> int:
    """Return the distance of rows that have one, gaps apart, ms; 0 for all others."""
    gaps, counts = np.unique(np.diff(np.unique(at)), return_counts=True)
    if len(at) > 2 and 2 * counts.max(initial=0) > counts.sum():
        return int(gaps[counts.argmax()])
    return 0


def is_index(values: Any) -> bool:
    """Tell whether a column is one of rising times at one distance: where rows are, not what is.

    The times of candles are known beforehand; those of events are data.
    """
    import pandas as pd

    if len(values) < 3:
        return False
    first = values[0]
    if isinstance(first, bool | np.bool_) or not isinstance(
        first, int | float | np.number | np.datetime64 | datetime.datetime
    ):
        return False
    if isinstance(first, int | float) and not any(low <= first < high for low, high, _ in _UNITS):
        return False  # most sequences are small rows of numbers, and an index is slow to make
    try:
        labels = pd.Index(values)
        times = label_times(labels)
    except (ValueError, TypeError):
        return False
    return times is not None and bool((np.diff(times) > 0).all()) and step_of_rows(times) > 0


def table_times(table: Any) -> tuple[Times | None, Any]:
    """Return the times of a table's rows (ms UTC), None if it has none, and their column, if any.

    They are its index, a level of it, or the first column with times.
    """
    import pandas as pd

    index = table.index
    if isinstance(index, pd.MultiIndex):
        levels = [index.get_level_values(number) for number in range(index.nlevels)]
    else:
        levels = [] if isinstance(index, pd.RangeIndex) else [index]
    for level in levels:
        found = label_times(level)
        if found is not None:
            return found, None
    for name in table.columns if isinstance(table, pd.DataFrame) and len(table) else ():
        column = table[name]
        if column.ndim == 1 and column.dtype.kind in "MiufO":
            found = label_times(pd.Index(column))
            if found is not None:
                return found, name
    return None, None


def label_times(labels: Any) -> Times | None:
    """Return what the labels of rows (a pandas Index) are as times, ms UTC; None if they are none.

    They may be times, periods, whole numbers of ms, s or ns, dates, and ISO strings.
    """
    import pandas as pd

    if not len(labels):
        return None
    if isinstance(labels, pd.PeriodIndex):
        labels = labels.to_timestamp()
    if labels.dtype.kind in "iuf":
        return _scaled(labels.to_numpy())
    first = labels[0]
    if isinstance(first, str):
        if not _ISO.match(first):
            return None
    elif not isinstance(first, datetime.date | np.datetime64):
        return None
    try:
        times = pd.DatetimeIndex(pd.to_datetime(labels, utc=True, format="ISO8601"))
    except (ValueError, TypeError):
        return None
    return None if times.hasnans else times.as_unit("ms").asi8


def array_times(array: Any) -> Times | None:
    """Return the times (ms UTC) of rows that begin with one; None if they do not."""
    if array.dtype.names:
        first = array[array.dtype.names[0]]
    elif array.ndim == 2 and array.shape[1] > 1:
        first = array[:, 0]
    else:
        return None
    if first.ndim != 1 or len(first) < 2:
        return None
    if first.dtype.kind == "M":
        times: Times = first.astype("datetime64[ms]").astype(np.int64)
        return times
    return _scaled(first) if first.dtype.kind in "iuf" else None


def row_times(rows: Sequence[Any]) -> tuple[Times | None, Any]:
    """Return the times of rows (lists, tuples, dicts) and their place in a row."""
    import pandas as pd

    first = rows[0]
    names = list(first) if isinstance(first, dict) else range(min(1, len(first)))
    for name in names:
        try:
            found = label_times(pd.Index([row[name] for row in rows]))
        except (KeyError, IndexError, TypeError):
            continue
        if found is not None:
            return found, name
    return None, None


def rows_known(candles: Mapping[str, Candles], after: int) -> dict[int, int]:
    """Return for each length a column of candles may have, how many rows were known."""
    found: dict[int, int] = {}
    for own in candles.values():
        for timeframe in reversed(list(TIMEFRAMES)):
            step = timeframe_ms(timeframe)
            first = ceil_to(own.start, step)
            count = (own.end - first) // step
            if count >= _FEWEST and count not in _PROFILES:
                found[count] = max(0, min(count, (after - first) // step))
    return found


def _scaled(numbers: Any) -> Times | None:
    """Read numbers that never go down as ms, s or ns."""
    if not (np.diff(numbers) >= 0).all():
        return None
    for low, high, scale in _UNITS:
        if low <= numbers[0] and numbers[-1] < high:
            times: Times = (
                numbers.astype(np.int64) if scale == 1.0 else (numbers * scale).astype(np.int64)
            )
            return times
    return None
