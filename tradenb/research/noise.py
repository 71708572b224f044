"""The future replaced by noise: candles, frames and arrays after a moment, wilder than any market.

There are two noises, far above and far below what is known. Whatever a strategy compares the future
with, one of them turns the comparison over. And the candles may be cut off at the moment: how much
of the future there is must not be known either.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles import Candles, Floats, candles_of
from tradenb.core.timeframe import MINUTE, TIMEFRAMES, ceil_to, timeframe_ms

Noise = Literal["up", "down", "cut"]
NOISES: Final[tuple[Noise, Noise, Noise]] = ("up", "down", "cut")
# Milliseconds, seconds and nanoseconds of times between 2001 and 2286.
_TIMES: Final = ((1e12, 1e13, 1.0), (1e9, 1e10, 1e3), (1e18, 1e19, 1e-6))


def noisy_candles(candles: Candles, after: int, noise: Noise, seed: int) -> Candles:
    """Return candles in which everything that closes after a moment is noise.

    Parameters
    ----------
    candles : Candles
        1m candles.
    after : int
        Close time of the last candle that stays, ms UTC.
    noise : {"up", "down", "cut"}
    seed : int
    """
    kept = max(0, min(len(candles), candles.index(after) + 1))
    count = len(candles) - kept
    if noise == "cut":
        return candles.rows(0, kept)
    if count == 0:
        return candles
    random = np.random.default_rng([seed, after // MINUTE, noise == "up"])
    level = float(candles.close[max(0, kept - 1)]) * (1.6 if noise == "up" else 0.6)
    close = level * np.exp(np.cumsum(random.normal(0, 0.004, count)))
    opened = np.concatenate(([level], close[:-1]))
    beyond = np.abs(random.normal(0, 0.003, (2, count)))
    high = np.maximum(opened, close) * (1 + beyond[0])
    low = np.minimum(opened, close) * (1 - beyond[1])
    volume = random.exponential(1.0, count) * float(candles.volume.mean() or 1.0)
    volume *= 20 if noise == "up" else 0.05
    columns = (candles.open, candles.high, candles.low, candles.close, candles.volume)
    made = tuple(
        np.concatenate((column[:kept], tail))
        for column, tail in zip(columns, (opened, high, low, close, volume), strict=True)
    )
    return candles_of(made, candles.start)  # type: ignore[arg-type]


class Spoiler:
    """Replaces the future in whatever a function closes over.

    Parameters
    ----------
    after : int
        The moment after which all is noise, ms UTC.
    noise : {"up", "down"} or None
        Else nothing is replaced, values are copied only.
    candles : dict of str to Candles
        Of the run, to recognise arrays as long as they are.
    """

    def __init__(self, after: int, noise: Noise | None, candles: Mapping[str, Candles]) -> None:
        self.after = after
        self.noise = noise
        self._known = _rows_known(candles, after)

    def value(self, value: Any) -> Any:
        """Return a table or an array with noise for a future; None if it is neither."""
        import pandas as pd

        if isinstance(value, pd.DataFrame | pd.Series):
            return self._table(value)
        if isinstance(value, np.ndarray) and value.ndim:
            future = self.future(value)
            return value.copy() if future is None else self._array(value, future)
        is_column = isinstance(value, list) and len(value) in self._known
        if is_column and all(isinstance(item, int | float) for item in value):
            return self._spoil(np.array(value), self._rows(len(value))).tolist()
        return None

    def future(self, value: Any) -> NDArray[np.bool_] | None:
        """Tell which rows of a table or an array were not known; None if that cannot be told."""
        import pandas as pd

        if isinstance(value, pd.DataFrame | pd.Series):
            found: NDArray[np.bool_] | None = future_rows(value, self.after)
            return found
        if not isinstance(value, np.ndarray) or not value.ndim:
            return None
        times = _times_of(value)
        if times is not None:
            return _not_known(times, self.after)
        return self._rows(len(value)) if len(value) in self._known else None

    def _rows(self, count: int) -> NDArray[np.bool_]:
        return np.arange(count) >= self._known[count]

    def _array(self, value: Any, future: NDArray[np.bool_]) -> Any:
        times = _times_of(value)
        if value.dtype.names:
            found = value.copy()
            for name in value.dtype.names:
                if times is None or not np.array_equal(value[name], value[value.dtype.names[0]]):
                    found[name] = self._spoil(value[name].copy(), future)
            return found
        found = self._spoil(value.copy(), future)
        if times is not None:
            found[:, 0] = value[:, 0]
        return found

    def _table(self, table: Any) -> Any:
        import pandas as pd

        table = table.copy()
        future = future_rows(table, self.after)
        if self.noise in (None, "cut") or future is None or not future.any():
            return table
        if isinstance(table, pd.Series):
            return pd.Series(self._column(table, future), index=table.index, name=table.name)
        columns = {
            place: self._column(table.iloc[:, place], future) for place in range(table.shape[1])
        }
        found = pd.DataFrame(columns, index=table.index)
        found.columns = table.columns
        return found

    def _column(self, column: Any, future: Any) -> Any:
        values = column.to_numpy(copy=True)
        return self._spoil(values, future)

    def _spoil(self, values: Any, future: Any) -> Any:
        up = self.noise == "up"
        if self.noise in (None, "cut"):
            return values
        if values.dtype.kind == "b":
            values[future] = up
        elif values.dtype.kind in "iuf":
            values = values.astype(np.float64, copy=False)
            wild: Floats = np.abs(values[future])
            values[future] = wild * 1.6 + 1 if up else -wild * 0.6 - 1
        elif values.dtype.kind == "O":
            values[future] = values[future][::-1]
        return values


def future_rows(table: Any, after: int) -> Any:
    """Tell which rows of a table were not known at a moment; None if its rows have no times.

    Rows at a fixed distance are candles by their open time: known once the next one opens.
    """
    import pandas as pd

    index = table.index
    if isinstance(table, pd.DataFrame) and not isinstance(index, pd.DatetimeIndex):
        named = [name for name in table.columns if str(name).lower() in ("timestamp", "time")]
        index = pd.Index(table[named[0]]) if named else index
        if named and index.dtype.kind in "iu":
            index = pd.to_datetime(index, unit="ms", utc=True)
    if not isinstance(index, pd.DatetimeIndex) or len(index) == 0:
        return None
    index = index.tz_localize("UTC") if index.tz is None else index
    return _not_known(index.as_unit("ms").asi8, after)


def _not_known(at: Any, after: int) -> NDArray[np.bool_]:
    gaps = np.unique(np.diff(at)) if len(at) > 2 else np.array([0])
    step = int(gaps[0]) if len(gaps) == 1 and gaps[0] > 0 else 0
    return np.asarray(at + step > after if step else at >= after)


def _times_of(array: Any) -> Any:
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
        return first.astype("datetime64[ms]").astype(np.int64)
    if first.dtype.kind not in "iuf" or not (np.diff(first) > 0).all():
        return None
    for low, high, scale in _TIMES:
        if low <= first[0] and first[-1] < high:
            return (first * scale).astype(np.int64)
    return None


def _rows_known(candles: Mapping[str, Candles], after: int) -> dict[int, int]:
    """Return for each length a column of candles may have, how many rows were known."""
    found: dict[int, int] = {}
    for own in candles.values():
        for timeframe in reversed(list(TIMEFRAMES)):
            step = timeframe_ms(timeframe)
            first = ceil_to(own.start, step)
            count = (own.end - first) // step
            if count > 2:
                found[count] = max(0, min(count, (after - first) // step))
    return found
