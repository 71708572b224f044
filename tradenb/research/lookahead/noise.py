"""The future replaced by noise: candles, frames and arrays after a moment, wilder than any market.

There are two kinds of noise, far above and far below what is known. Whatever a strategy compares
the future with, one of them reverses the comparison. Or the candles end at the moment: how much
future follows must not be known either.
"""

from __future__ import annotations

import array
import copy
from collections import deque
from collections.abc import Mapping, Set
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Candles, Floats
from tradenb.core.candles.gaps import with_columns
from tradenb.core.timeframe import MINUTE
from tradenb.research.lookahead.timestamps import (
    array_times,
    is_index,
    label_times,
    not_known,
    row_times,
    rows_known,
    step_of_rows,
    table_times,
)

Noise = Literal["up", "down", "cut"]
NOISES: Final[tuple[Noise, Noise, Noise]] = ("up", "down", "cut")


def noisy_candles(candles: Candles, after: int, noise: Noise, seed: int) -> Candles:
    """Return candles in which everything that closes after a moment is noise.

    Parameters
    ----------
    candles : Candles
        Candles.
    after : int
        Close time of the last candle that stays, ms UTC.
    noise : {"up", "down", "cut"}
    """
    kept = max(0, min(len(candles), candles.index(after) + 1))
    count = len(candles) - kept
    if noise == "cut":
        return candles.rows(0, max(1, kept))
    if count == 0:
        return candles
    # Seeded by the moment: the same noise again when the line of a leak is looked for.
    random = np.random.default_rng([seed, after // MINUTE, noise == "up"])
    level = float(candles.close[max(0, kept - 1)]) * (1.6 if noise == "up" else 0.6)
    close = level * np.exp(np.cumsum(random.normal(0, 0.004, count)))
    opened = np.concatenate(([level], close[:-1]))
    beyond = np.abs(random.normal(0, 0.003, (2, count)))
    high = np.maximum(opened, close) * (1 + beyond[0])
    low = np.minimum(opened, close) * (1 - beyond[1])
    volume = random.exponential(1.0, count) * float(candles.volume.mean() or 1.0)
    # Volume as well: a strategy may decide by the volume of the future alone.
    volume *= 20 if noise == "up" else 0.05
    columns = (candles.open, candles.high, candles.low, candles.close, candles.volume)
    made = tuple(
        np.concatenate((column[:kept], tail))
        for column, tail in zip(columns, (opened, high, low, close, volume), strict=True)
    )
    return with_columns(candles, made)  # type: ignore[arg-type]


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
    at_once : set of int
        Ids of tables whose row t is known at t, whatever the distance of their rows.
    """

    def __init__(
        self,
        after: int,
        noise: Noise | None,
        candles: Mapping[str, Candles],
        at_once: Set[int] = frozenset(),
    ) -> None:
        self.after = after
        self.noise = noise
        self._at_once = at_once
        self._known = rows_known(candles, after)

    def value(self, value: Any) -> Any:
        """Return what holds rows, with noise for a future; None for all else.

        Tables, arrays, dicts by time, and sequences of numbers or rows.
        """
        import pandas as pd

        if self.noise == "cut":
            shorter = self._cut(value)
            if shorter is not None:
                return shorter
        if isinstance(value, pd.DataFrame | pd.Series):
            return self._table(value)
        if isinstance(value, np.ndarray) and value.ndim:
            if value.ndim == 1 and is_index(value):
                return value.copy()
            future = self.future(value)
            if future is None and value.ndim > 1 and value.size in self._known:
                spoiled = self._spoil(value.flatten(), self._rows(value.size))
                return spoiled.reshape(value.shape)
            return value.copy() if future is None else self._array(value, future)
        if isinstance(value, dict) and value:
            return self._by_time(value)
        held = getattr(value, "__dict__", {}).get("obj")
        if isinstance(held, pd.DataFrame | pd.Series):  # rolling, groupby, resample
            found = copy.copy(value)
            found.__dict__["obj"] = self._table(held)
            return found
        if isinstance(value, list | tuple | deque) and value:
            return self._sequence(value)
        if isinstance(value, array.array) and is_index(value):
            return copy.copy(value)
        if isinstance(value, array.array) and len(value) in self._known:
            spoiled = self._spoil(np.array(value), self._rows(len(value)))
            return array.array(value.typecode, spoiled.astype(value.typecode).tolist())
        return None

    def future(self, value: Any) -> NDArray[np.bool_] | None:
        """Tell which rows of a table or an array were not known; None if that is unknown."""
        import pandas as pd

        if isinstance(value, pd.DataFrame | pd.Series):
            times, _ = table_times(value)
        elif isinstance(value, np.ndarray) and value.ndim:
            times = array_times(value)
        else:
            return None
        if times is not None:
            return (
                times > self.after if id(value) in self._at_once else not_known(times, self.after)
            )
        return self._rows(len(value)) if len(value) in self._known else None

    def knows_size(self, count: int) -> bool:
        """Tell whether an array of so many values may be the candles of the run."""
        return count in self._known

    def later(self, value: Any) -> NDArray[np.bool_] | None:
        """Tell which rows are of times after the moment; None if their times are unknown."""
        import pandas as pd

        times: Any = None
        if isinstance(value, pd.DataFrame | pd.Series):
            times, _ = table_times(value)
        elif isinstance(value, np.ndarray) and value.ndim:
            times = array_times(value)
        elif isinstance(value, dict) and value:
            times = label_times(pd.Index(list(value), tupleize_cols=False))
        return None if times is None else np.asarray(times - step_of_rows(times) > self.after)

    def _cut(self, value: Any) -> Any:
        """Take away the rows that were not known of what is as regular as candles; None: is not."""
        import pandas as pd

        future: Any = None
        if isinstance(value, pd.DataFrame | pd.Series):
            times, _ = table_times(value)
            if times is None or step_of_rows(times):
                future = self.future(value)
        elif isinstance(value, np.ndarray) and value.ndim == 1 and is_index(value):
            times = label_times(pd.Index(value))
            future = None if times is None else not_known(times, self.after)
        elif isinstance(value, np.ndarray) and value.ndim:
            future = self.future(value)
        elif isinstance(value, list | tuple | deque) and len(value) in self._known:
            future = self._rows(len(value)) if isinstance(value[0], int | float) else None
            pairs = zip(value, future.tolist() if future is not None else (), strict=False)
            kept = [item for item, later in pairs if not later]
            if future is None:
                return None
            return deque(kept, value.maxlen) if isinstance(value, deque) else _as(value, kept)
        return None if future is None else value[~future].copy()

    def _rows(self, count: int) -> NDArray[np.bool_]:
        return np.arange(count) >= self._known[count]

    def _array(self, value: Any, future: NDArray[np.bool_]) -> Any:
        times = array_times(value)
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

    def _by_time(self, value: dict[Any, Any]) -> Any:
        import pandas as pd

        times = label_times(pd.Index(list(value), tupleize_cols=False))
        if times is None:
            return None
        found = copy.copy(value)
        for (key, item), later in zip(value.items(), not_known(times, self.after), strict=True):
            found[key] = self._wild(item) if later else _copy(item)
        return found

    def _sequence(self, value: Any) -> Any:
        first, place, times = value[0], None, None
        if isinstance(first, list | tuple | dict):
            times, place = row_times(value)
        elif not isinstance(first, int | float):
            return None
        elif is_index(value):
            return copy.copy(value)
        if times is None and len(value) not in self._known:
            return None
        future = self._rows(len(value)) if times is None else not_known(times, self.after)
        pairs = zip(value, future.tolist(), strict=True)
        made = [self._wild(item, place) if later else _copy(item) for item, later in pairs]
        return deque(made, value.maxlen) if isinstance(value, deque) else _as(value, made)

    def _wild(self, value: Any, place: Any = None) -> Any:
        """Return noise for a value of the future; the item at `place` is its time, and stays."""
        if self.noise in (None, "cut"):
            return _copy(value)
        if isinstance(value, bool | np.bool_):
            return self.noise == "up"
        if isinstance(value, int | float | np.number):
            # The added 1 moves a zero too.
            wild = abs(float(value))
            return wild * 1.6 + 1 if self.noise == "up" else -wild * 0.6 - 1
        if type(value) is dict:
            return {key: item if key == place else self._wild(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            items = enumerate(value)
            return _as(value, [item if at == place else self._wild(item) for at, item in items])
        if isinstance(value, np.ndarray) and value.ndim:
            return self._spoil(value.copy(), np.ones(len(value), dtype=bool))
        return value

    def _table(self, table: Any) -> Any:
        import pandas as pd

        future = self.future(table)
        table = table.copy()
        if self.noise in (None, "cut") or future is None or not future.any():
            return table
        if isinstance(table, pd.Series):
            return pd.Series(self._column(table, future), index=table.index, name=table.name)
        _, dated = table_times(table)
        columns = {
            place: table.iloc[:, place]
            if dated is not None and name == dated
            else self._column(table.iloc[:, place], future)
            for place, name in enumerate(table.columns)
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
            # Words have neither up nor down; in another order they are wrong at most times.
            values[future] = values[future][::-1]
        return values


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, list | dict | np.ndarray) else value


def _as(value: Any, made: list[Any]) -> Any:
    """Return items as the list, tuple or named tuple that they were in."""
    make = getattr(value, "_make", None)
    return make(made) if make else type(value)(made)
