"""Raw candles out of one file: Parquet, Feather, CSV, JSON, a workbook or npy."""

from __future__ import annotations

from collections.abc import Callable
from lzma import LZMAError
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zipfile import BadZipFile

import numpy as np

from tradenb.core.candles.arrays import Rows
from tradenb.errors import CandleError
from tradenb.exchanges.exchange_errors import located
from tradenb.exchanges.tables.arrow_columns import array_of_chunks
from tradenb.exchanges.tables.column_detection import (
    NO_VOLUME,
    TIME_NAMES,
    Raw,
    find_columns,
    plain_name,
    rows_from_array,
    rows_from_columns,
    rows_of_market,
)
from tradenb.exchanges.tables.file_content import content_of, suffix_of
from tradenb.exchanges.tables.sheet_files import json_content, workbook_content
from tradenb.exchanges.tables.text_table import Table, table_of_text

if TYPE_CHECKING:
    import pyarrow as pa


def can_read(path: Path) -> bool:
    """Tell whether the suffix of a file is one of `READERS`, packed or not."""
    return suffix_of(path) in READERS


def read(path: Path, symbol: str) -> Table:
    """Read the raw candles of a file with a suffix of `READERS`; a CandleError names the file.

    Of several markets in one table the rows of `symbol` are taken.
    """
    suffix = suffix_of(path)
    try:
        return READERS[suffix](path, symbol)
    except CandleError as error:
        raise located(error, path.name) from None
    except (OSError, ValueError, EOFError, NotImplementedError, LZMAError, BadZipFile) as error:
        raise CandleError(
            f"{path.name} cannot be read as {suffix.removeprefix('.')}: {error}; write or download "
            "it again",
            code="columns",
        ) from error


def read_parquet(path: Path, symbol: str) -> Table:
    """Read a Parquet file; an index of times that pandas wrote is found as well."""
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        # One at a time: the memory that Parquet and arrow need is free before the next column.
        def column(name: str) -> Raw:
            return array_of_chunks(file.read(columns=[name]).column(name).chunks)

        return _table(file.schema_arrow, column, symbol)


def read_feather(path: Path, symbol: str) -> Table:
    """Read a Feather file, as freqtrade writes them."""
    from pyarrow.feather import read_table

    found = read_table(path, memory_map=False)
    return _table(found.schema, lambda name: array_of_chunks(found.column(name).chunks), symbol)


def read_csv(path: Path, symbol: str) -> Table:
    """Read text in one of the forms of `table_forms`."""
    return table_of_text(content_of(path), symbol)


def read_json(path: Path, symbol: str) -> Table:
    """Read a list of rows or records."""
    return table_of_text(json_content(path), symbol)


def read_workbook(path: Path, symbol: str) -> Table:
    """Read the first sheet of a workbook."""
    return table_of_text(workbook_content(path), symbol)


def read_npy(path: Path, symbol: str) -> Table:  # noqa: ARG001 - arrays name no market
    """Read an array [time, open, high, low, close, volume], memory-mapped and then copied."""
    if path.stat().st_size == 0:
        raise CandleError("the file is empty", code="empty")
    return Table(rows_from_array(np.lib.format.open_memmap(path, mode="r")))


READERS: Final[dict[str, Callable[[Path, str], Table]]] = {
    ".csv": read_csv,
    ".feather": read_feather,
    ".json": read_json,
    ".npy": read_npy,
    ".parquet": read_parquet,
    ".tsv": read_csv,
    ".xlsx": read_workbook,
}
"""How a file is read, by its suffix in lower case."""


def _table(schema: pa.Schema, column: Callable[[str], Raw], symbol: str) -> Table:
    """Return the candles of a table of pyarrow."""
    index = _index_of_times(schema)
    places = find_columns(schema.names, timed_index=index is not None)
    if places.time is not None:
        times = column(schema.names[places.time])
    elif isinstance(index, range):
        times = np.arange(index.start, index.stop, index.step)
    else:
        times = column(str(index))
    values = [None if place is None else column(schema.names[place]) for place in places.values]
    rows: Rows = rows_from_columns(times, values)
    if places.symbol is not None:
        rows = rows_of_market(rows, column(schema.names[places.symbol]), symbol)
    return Table(rows, (NO_VOLUME,) if values[4] is None else ())


def _index_of_times(schema: pa.Schema) -> str | range | None:
    """Return the index of a DataFrame if it holds times: its column, or the range it was."""
    import pyarrow as pa

    for index in (schema.pandas_metadata or {}).get("index_columns", ()):
        name = index["name"] if isinstance(index, dict) else index
        named = plain_name(name) in TIME_NAMES
        if isinstance(index, dict):
            return range(index["start"], index["stop"], index["step"]) if named else None
        if named or pa.types.is_timestamp(schema.field(name).type):
            return str(name)
    return None
