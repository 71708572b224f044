"""Frames that users' functions get, and the columns that they make of them, checked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from tradenb.core.candles.arrays import NAMES, Candles, Floats
from tradenb.errors import SpecError, shown

if TYPE_CHECKING:
    import pandas as pd


def frame_of(candles: Candles) -> pd.DataFrame:
    """Return candles as a frame of their own: a UTC index of open times, five float64 columns."""
    import pandas as pd

    times = pd.DatetimeIndex(candles.time.astype("datetime64[ms]"), name="time")
    values = np.array(candles.columns).T  # a copy, column by column
    # Frames share what finds a column by its name; a view has a name of its own.
    names = _names().view()
    return pd.DataFrame(values, index=times.tz_localize("UTC"), columns=names, copy=False)


@cache
def _names() -> pd.Index:
    import pandas as pd

    return pd.Index(NAMES)


def table_of(result: object, frame: pd.DataFrame, what: str) -> dict[str, Any]:
    """Return the columns that a user's function made of a frame, by name, unconverted.

    Raises
    ------
    SpecError
        When it is not a table, or a column belongs to other rows.
    """
    import pandas as pd

    if isinstance(result, pd.DataFrame):
        result = {name: result[name] for name in result.columns}
    if not isinstance(result, Mapping):
        raise SpecError(
            f"{what} must return a dict of columns or a DataFrame, returned {type(result).__name__}"
        )
    for name, column in result.items():
        if not isinstance(name, str):
            raise SpecError(f"{what}: names must be strings, one was {name!r}")
        if isinstance(column, pd.Series) and not column.index.equals(frame.index):
            raise SpecError(
                f"{what}: {name!r} must have the rows of the frame it was given "
                f"({len(frame)} candles), had {len(column)} of its own; keep the index of the "
                "frame and its order, reindex(df.index) brings it back"
            )
    return dict(result)


def floats_of(column: object, rows: int, what: str) -> Floats:
    """Return one number a row, float64; what is missing is NaN.

    Raises
    ------
    SpecError
        When they are no numbers, or as many as there are rows.
    """
    import pandas as pd

    kind: Any = getattr(column, "dtype", None)
    if kind is not None and not _may_be_numbers(kind):
        raise SpecError(f"{what} must hold numbers, was {kind}")
    try:
        if isinstance(column, pd.Series):
            found = column.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            found = np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SpecError(f"{what} must hold numbers; {error}") from None
    if not found.ndim:
        raise SpecError(f"{what} must hold one number a candle ({rows}), was {shown(column)}")
    if found.shape != (rows,):
        raise SpecError(f"{what} must hold one number a candle ({rows}), had shape {found.shape}")
    return found


def _may_be_numbers(kind: Any) -> bool:
    """Tell whether a dtype holds real numbers or switches; what is in objects is seen later."""
    import pandas as pd

    types = pd.api.types
    real = types.is_any_real_numeric_dtype(kind) or types.is_bool_dtype(kind)
    return bool(real or types.is_object_dtype(kind))
