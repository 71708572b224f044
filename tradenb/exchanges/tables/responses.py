"""What a user's function or ccxt may return, as `Rows`."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from tradenb.core.candles.arrays import Rows
from tradenb.errors import CandleError, SpecError
from tradenb.exchanges.tables.column_detection import Raw, rows_from_array, rows_from_columns

_ROW = "[t_ms, open, high, low, close, volume]"


def rows_from_response(response: Any) -> Rows:
    """Convert a list or tuple of rows, an (n, 6) array, or a DataFrame of 1m candles."""
    if isinstance(response, list | tuple):
        return _rows_of_list(response)
    if isinstance(response, np.ndarray):
        return rows_from_array(response)
    if type(response).__module__.startswith("pandas") and hasattr(response, "columns"):
        from tradenb.exchanges.tables.frame_source import rows_from_frame

        return rows_from_frame(response)
    if inspect.iscoroutine(response):
        response.close()
        raise SpecError("the function returned a coroutine; declare it with async def")
    raise CandleError(
        f"the response must be a list of rows {_ROW}, an (n, 6) array or a DataFrame, was "
        f"{_short(response)}",
        code="columns",
    )


def _rows_of_list(rows: Sequence[Any]) -> Rows:
    for index, row in enumerate(rows):
        if not isinstance(row, list | tuple | np.ndarray) or len(row) != 6:
            raise CandleError(
                f"row {index} of the response must be {_ROW}, was {_short(row)}",
                code="columns",
                index=index,
            )
    time, *values = (_column(rows, place) for place in range(6))
    return rows_from_columns(time, values)


def _column(rows: Sequence[Any], place: int) -> Raw:
    column = np.empty(len(rows), dtype=object)
    for index, row in enumerate(rows):
        column[index] = row[place]
    return column


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
