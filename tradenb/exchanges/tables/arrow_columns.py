"""Columns of pyarrow as arrays of numpy. pandas is never imported.

pyarrow's own `to_numpy` imports pandas (a second of CPU), so columns leave it by DLPack; only what
is not a plain number or time, or holds nulls, takes the slow way over Python objects.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from tradenb.exchanges.tables.column_detection import Raw

if TYPE_CHECKING:
    import pyarrow as pa


def array_of_chunks(chunks: Iterable[pa.Array]) -> Raw:
    """Return the chunks of a column as one array; a copy, since arrow frees its memory lazily."""
    return np.concatenate([array_of_chunk(chunk) for chunk in chunks] or [np.empty(0)])


def array_of_chunk(chunk: pa.Array) -> Raw:
    """Return one chunk: numbers and times as they are, all else as objects."""
    import pyarrow as pa

    kind = chunk.type
    if pa.types.is_timestamp(kind):
        return _whole_numbers(chunk.view(pa.int64())).view(f"datetime64[{kind.unit}]")
    if chunk.null_count == 0 and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return np.from_dlpack(chunk)
    return objects(chunk.to_pylist())


def _whole_numbers(chunk: pa.Array) -> Raw:
    if chunk.null_count == 0:
        return np.from_dlpack(chunk)
    missing = np.datetime64("NaT").view(np.int64)
    return np.array([missing if value is None else value for value in chunk.to_pylist()])


def objects(values: list[Any]) -> Raw:
    """Return values as an array of objects, whatever they are."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array
