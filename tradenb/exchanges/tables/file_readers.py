"""Raw candles out of one file: Parquet, CSV or npy. pandas is never imported.

pyarrow's own `to_numpy` imports pandas (a second of CPU), so columns leave it by DLPack; only what
is not a plain number or time, or holds nulls, takes the slow way over Python objects.
"""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tradenb.core.candles.rows import Rows
from tradenb.errors import CandleError
from tradenb.exchanges.exchange_errors import located
from tradenb.exchanges.tables.column_detection import (
    NAMES,
    TIME_NAMES,
    Raw,
    find_columns,
    rows_from_array,
    rows_from_columns,
    rows_of_market,
)

if TYPE_CHECKING:
    import pyarrow as pa

_HEADER: Final = ",".join(("timestamp", *NAMES))


def read(path: Path, symbol: str) -> Rows:
    """Read the raw candles of a file with a suffix of `READERS`; a CandleError names the file.

    Of several markets in one table the rows of `symbol` are taken.
    """
    try:
        return READERS[path.suffix.lower()](path, symbol)
    except CandleError as error:
        raise located(error, path.name) from None
    except (OSError, ValueError, EOFError, NotImplementedError) as error:
        kind = path.suffix.lower().removeprefix(".")
        raise CandleError(
            f"{path.name} cannot be read as {kind}: {error}; write or download it again",
            code="columns",
        ) from error


def read_parquet(path: Path, symbol: str) -> Rows:
    """Read a Parquet file; an index of times that pandas wrote is found as well."""
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        schema = file.schema_arrow
        index = _index_of_times(schema)
        places = find_columns(schema.names, timed_index=index is not None)

        # One at a time: the memory that Parquet and arrow need is free before the next column.
        def column(name: str) -> Raw:
            return array_from_chunks(file.read(columns=[name]).column(name).chunks)

        if places.time is not None:
            times = column(schema.names[places.time])
        elif isinstance(index, range):
            times = np.arange(index.start, index.stop, index.step)
        else:
            times = column(str(index))
        rows = rows_from_columns(times, [column(schema.names[place]) for place in places.values])
        if places.symbol is None:
            return rows
        return rows_of_market(rows, column(schema.names[places.symbol]), symbol)


def read_csv(path: Path, symbol: str) -> Rows:
    """Read a CSV file whose first line names the columns."""
    import pyarrow as pa

    names = _header(path)
    places = find_columns(names)
    wanted = [names[place] for place in (places.time or 0, *places.values)]
    try:
        time, *values = _csv(path, names, wanted, text=False)
    except pa.ArrowInvalid:  # names no row; read as text, a bad value is found with its row
        time, *values = (_numbers(column) for column in _csv(path, names, wanted, text=True))
    rows = rows_from_columns(_numbers(time), values)
    if places.symbol is None:
        return rows
    name = names[places.symbol]
    return rows_of_market(rows, _csv(path, names, [name], text=True)[0], symbol)


def read_npy(path: Path, symbol: str) -> Rows:  # noqa: ARG001 - arrays name no market
    """Read an array [time, open, high, low, close, volume], memory-mapped and then copied."""
    if path.stat().st_size == 0:
        raise CandleError("the file is empty", code="empty")
    return rows_from_array(np.lib.format.open_memmap(path, mode="r"))


READERS: Final[dict[str, Callable[[Path, str], Rows]]] = {
    ".csv": read_csv,
    ".npy": read_npy,
    ".parquet": read_parquet,
}
"""How a file is read, by its suffix in lower case."""


def _index_of_times(schema: pa.Schema) -> str | range | None:
    """Return the index of a DataFrame if it holds times: its column, or the range it was."""
    import pyarrow as pa

    for index in (schema.pandas_metadata or {}).get("index_columns", ()):
        name = index["name"] if isinstance(index, dict) else index
        named = str(name).strip().lower() in TIME_NAMES
        if isinstance(index, dict):
            return range(index["start"], index["stop"], index["step"]) if named else None
        if named or pa.types.is_timestamp(schema.field(name).type):
            return str(name)
    return None


def array_from_chunks(chunks: Iterable[pa.Array]) -> Raw:
    """Return the chunks of a column as one array; a copy, since arrow frees its memory lazily."""
    return np.concatenate([_chunk(chunk) for chunk in chunks] or [np.empty(0)])


def _chunk(chunk: pa.Array) -> Raw:
    import pyarrow as pa

    kind = chunk.type
    if pa.types.is_timestamp(kind):
        return _whole_numbers(chunk.view(pa.int64())).view(f"datetime64[{kind.unit}]")
    if chunk.null_count == 0 and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return np.from_dlpack(chunk)
    return _objects(chunk.to_pylist())


def _whole_numbers(chunk: pa.Array) -> Raw:
    if chunk.null_count == 0:
        return np.from_dlpack(chunk)
    missing = np.datetime64("NaT").view(np.int64)
    return np.array([missing if value is None else value for value in chunk.to_pylist()])


def _objects(values: list[Any]) -> Raw:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = next(csv.reader(file), [])
    if not names:
        raise CandleError(
            f"the first line is empty; it must be a header such as {_HEADER}", code="empty"
        )
    known = {name.strip().lower() for name in names} & {*NAMES, *TIME_NAMES}
    if not known and any(not isinstance(_number(name), str) for name in names):
        raise CandleError(
            f"the header is missing: the first line must be {_HEADER}, was {','.join(names)}",
            code="columns",
        )
    return names


def _csv(path: Path, names: list[str], wanted: list[str], *, text: bool) -> list[Raw]:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    # Without types the first block of the file would decide, and whole prices become integers.
    types = dict.fromkeys(wanted, pa.string()) if text else dict.fromkeys(wanted[1:], pa.float64())
    reader = arrow_csv.open_csv(
        path,
        read_options=arrow_csv.ReadOptions(column_names=names, skip_rows=1),
        convert_options=arrow_csv.ConvertOptions(column_types=types, include_columns=wanted),
    )
    parts: list[list[Raw]] = [[] for _ in wanted]
    with reader:
        for batch in reader:
            for column, part in zip(batch.columns, parts, strict=True):
                part.append(np.array(_chunk(column)))
    return [np.concatenate(parts.pop(0) or [np.empty(0)]) for _ in wanted]


def _numbers(column: Raw) -> Raw:
    """Read the texts of a column as numbers, where they are numbers."""
    if column.dtype.kind != "O":
        return column
    return _objects([_number(value) if isinstance(value, str) else value for value in column])


def _number(text: str) -> int | float | str:
    """Read a number; `_` between digits is Python's, not a number in a file."""
    for number in (int, float):
        with contextlib.suppress(ValueError):
            return number(text.replace("_", " _"))
    return text
