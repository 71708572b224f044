"""Columns of events from the lines of a journal, read many at once.

The reader of pyarrow makes no object of a line and none of the columns that are not wanted. What it
does not take, or what lacks a value, is a ValueError, never a wrong value: the caller then reads
the same lines with the parser.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from tradenb.core.columns import EVENT_COLUMNS

if TYPE_CHECKING:
    import numpy as np

_NULLABLE: Final = frozenset({"size", "note", "take_profit"})


def line_columns(lines: list[bytes], wanted: tuple[str, ...]) -> list[list[Any]]:
    """Return the wanted columns of lines, each as long as there are lines.

    Raises
    ------
    ValueError
        When a line is not an object of JSON, or a value is of another type or missing.
    """
    if not lines:
        return [[] for _ in wanted]
    import pyarrow
    from pyarrow import json

    text = b"\n".join(lines)
    types = {
        "text": pyarrow.string(),
        "float": pyarrow.float64(),
        "bool": pyarrow.bool_(),
    }
    schema = [(name, types.get(EVENT_COLUMNS[name], pyarrow.int64())) for name in wanted]
    table = json.read_json(
        pyarrow.BufferReader(text),
        read_options=json.ReadOptions(use_threads=False, block_size=len(text) + 1),
        parse_options=json.ParseOptions(
            explicit_schema=pyarrow.schema(schema),
            unexpected_field_behavior="ignore",
        ),
    )
    if table.num_rows != len(lines):
        raise ValueError("a line is not one object")
    return [_values(name, table[name]) for name in wanted]


def _values(name: str, column: Any) -> list[Any]:
    """Return the values of a column.

    From its memory: pyarrow's own ways to a list take ten times as long, or import pandas.
    """
    if column.null_count and name not in _NULLABLE:
        raise ValueError(f"{name} is missing")
    if column.null_count == len(column):
        return [None] * len(column)
    values = _plain_values(EVENT_COLUMNS[name], column.combine_chunks())
    if not column.null_count:
        return values
    there = column.is_valid().to_pylist()
    return [value if valid else None for value, valid in zip(values, there, strict=True)]


def _plain_values(sort: str, array: Any) -> list[Any]:
    """Return the values of an array, something in place of those that are missing."""
    import numpy as np

    match sort:
        case "text":
            return _texts(array)
        case "bool":
            bits = np.unpackbits(np.frombuffer(array.buffers()[1], np.uint8), bitorder="little")
            return list(bits[array.offset : array.offset + len(array)].astype(bool).tolist())
        case "float":
            return _numbers(array, np.float64)
    return _numbers(array, np.int64)


def _numbers(array: Any, kind: type[np.number[Any]]) -> list[Any]:
    import numpy as np

    size = np.dtype(kind).itemsize
    found = np.frombuffer(array.buffers()[1], kind, len(array), size * array.offset)
    return list(found.tolist())


def _texts(array: Any) -> list[str]:
    """Return texts; equal ones are one object."""
    import numpy as np

    _, ends, data = array.buffers()
    places = np.frombuffer(ends, np.int32, len(array) + 1, 4 * array.offset).tolist()
    text = bytes(data or b"")
    first = text[places[0] : places[1]]
    if text[places[0] : places[-1]] == first * len(array):
        return [first.decode()] * len(array)
    known: dict[str, str] = {}
    decoded = text.decode()
    if len(decoded) == len(text):
        texts = [decoded[begin:end] for begin, end in pairwise(places)]
    else:
        texts = [text[begin:end].decode() for begin, end in pairwise(places)]
    return [known.setdefault(each, each) for each in texts]
