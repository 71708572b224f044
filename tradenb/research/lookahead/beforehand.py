"""Which of the values that functions reach were made before the run, and what is known of them."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from tradenb.core.candles.arrays import NAMES, Candles
from tradenb.core.candles.resampling import resample
from tradenb.engine.inputs import is_arrow
from tradenb.engine.reach import package_of
from tradenb.research.lookahead.noise import Spoiler
from tradenb.research.lookahead.timestamps import (
    is_index,
    label_times,
    step_of_rows,
    table_times,
)

_MANY: Final = 100
_KNOWN: Final = frozenset({"builtins", "tradenb", "pandas", "numpy", "__main__", "pyarrow"})
_UNKNOWN: Final = "what its rows know cannot be followed"


def is_beforehand(value: Any, spoiler: Spoiler) -> bool:
    """Tell whether a value has rows of the run, some of them later than its first moment."""
    import pandas as pd

    if isinstance(value, pd.DataFrame | pd.Series | np.ndarray):
        if isinstance(value, np.ndarray) and (not value.ndim or is_index(value.ravel()[:1_000])):
            return False
        future = spoiler.future(value)
        if future is None and isinstance(value, np.ndarray) and value.ndim > 1:
            return spoiler.knows_size(value.size)
        return future is not None and bool(future.any())
    if is_arrow(value) and hasattr(value, "__len__"):
        return len(value) > _MANY
    if isinstance(value, dict | list | tuple | deque) and len(value) > _MANY:
        if not isinstance(value, dict) and is_index(list(value)):
            return False
        return spoiler.value(value) is not None
    return False


def is_candles(value: Any, candles: Mapping[str, Candles]) -> bool:
    """Tell whether a value holds candles of the run as they are: its rows know what theirs do."""
    import pandas as pd

    if isinstance(value, pd.DataFrame | pd.Series):
        times, dated = table_times(value)
        if times is None:
            return False
        frame = pd.DataFrame(value)
        columns = [frame[name].to_numpy() for name in frame.columns if name != dated]
        return any(are_candles(columns, times, own) for own in candles.values())
    if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind in "iuf":
        return any(
            value.size == len(column) and np.array_equal(value.ravel(), column)
            for own in candles.values()
            for column in (getattr(own, name) for name in NAMES)
        )
    if isinstance(value, list) and value and isinstance(value[0], int | float):
        return is_candles(np.asarray(value), candles)
    return False


def is_of_days(value: Any) -> bool:
    """Tell whether a table has dates for columns: minutes down, days across."""
    import pandas as pd

    if not isinstance(value, pd.DataFrame) or len(value.columns) < 3:
        return False
    if isinstance(value.columns, pd.RangeIndex | pd.MultiIndex):
        return False
    return label_times(value.columns) is not None


def are_candles(columns: list[Any], times: Any, own: Candles) -> bool:
    """Tell whether columns are prices or volumes of candles at some times."""
    step = step_of_rows(times) or own.step
    if step % own.step or not len(times):
        return False
    known = resample(own.shown, step)
    places = known.time.searchsorted(times)
    if places.max(initial=0) >= len(known) or not (known.time[places] == times).all():
        return False
    prices = [getattr(known, name)[places] for name in NAMES]
    return bool(columns) and all(
        any(_equal(column, price) for price in prices) for column in columns
    )


def _equal(column: Any, price: Any) -> bool:
    return column.dtype.kind in "iuf" and np.array_equal(column, price)


def is_fitted(value: Any) -> bool:
    """Tell whether it is an object of a library that may have been fitted: a spline, a model."""
    package = package_of(type(value))
    if package == "numpy":
        return isinstance(value, np.poly1d)
    foreign = package not in _KNOWN and package not in sys.stdlib_module_names
    path = getattr(sys.modules.get(type(value).__module__), "__file__", "") or ""
    return foreign and "-packages" in path and hasattr(value, "__dict__")


def unproved_words(kind: str, name: str) -> str:
    """Say that nothing is proved of a value."""
    return f"the {kind} {name!r} was made beforehand, and {_UNKNOWN}"


def words_of(name: str, value: Any, spoiler: Spoiler) -> str:
    """Say what becomes of a value that may hold a future; "" if there is nothing to say."""
    import pandas as pd

    future = spoiler.future(value)
    table = isinstance(value, pd.DataFrame | pd.Series)
    if table and future is not None and future.any():
        return (
            f"it uses the table {name!r}, which has rows of the future; they were replaced by "
            "noise as well"
        )
    kind = "table" if table else _kind(value)
    known = future if kind in ("table", "array") else kind and spoiler.value(value)
    size = value.size if kind == "array" else len(value) if kind else 0
    if kind == "array" and value.ndim > 1 and known is None and spoiler.knows_size(size):
        return f"it uses the array {name!r}; rows of the future were replaced by noise as well"
    if table and is_of_days(value):
        return f"it uses the table {name!r} with dates for columns; it was not replaced by noise"
    if kind and known is None and size > _MANY:
        rows = f"{len(value):,} rows" if size == len(value) or table else f"{value.shape}"
        return (
            f"it uses the {kind} {name!r} ({rows}), whose times are unknown; it was "
            "not replaced by noise"
        )
    return ""


def _kind(value: Any) -> str:
    """Name a value that may hold rows; a list of words or of objects does not."""
    if isinstance(value, np.ndarray):
        return "array" if value.ndim else ""
    if isinstance(value, list | tuple | deque) and value:
        rows = isinstance(value[0], int | float | list | tuple | dict)
        return type(value).__name__ if rows else ""
    return ""
