"""The file of one month: candles, the time that was asked for, and a checksum over both.

A minute that was asked for and has no candle is a gap that is known, and is not asked for again.
The checksum covers all that is read back, so bytes that rot are noticed. pandas is not imported:
columns enter and leave pyarrow as plain buffers.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tradenb.core.candles.raw_rows import Rows
from tradenb.exchanges.cache.spans import Span, Spans, joined, within
from tradenb.exchanges.paging import joined as rows_in_order
from tradenb.exchanges.tables.file_readers import array_of

if TYPE_CHECKING:
    import pyarrow as pa

_ABOUT: Final = b"tradenb"
_VERSION: Final = 1


class Damaged(ValueError):
    """A file is not what was written."""


class Month(NamedTuple):
    """What is known of one symbol in one month, or in any other span.

    Attributes
    ----------
    rows : Rows
        Candles, each time once, oldest first.
    spans : tuple of (int, int)
        What was asked for, ms UTC.
    """

    rows: Rows
    spans: Spans

    def plus(self, other: Month) -> Month:
        """Return what both know; a candle that both have is the one of the first."""
        new = np.flatnonzero(~np.isin(other.rows.time, self.rows.time))
        rows = rows_in_order([self.rows, other.rows.take(new)])
        if len(new):
            rows = rows.take(np.argsort(rows.time, kind="stable"))
        return Month(rows, joined((*self.spans, *other.spans)))

    def between(self, start: int, end: int) -> Month:
        """Return what is known of [start, end); the columns are views."""
        first, last = np.searchsorted(self.rows.time, (start, end))
        return Month(self.rows.part(int(first), int(last)), within(self.spans, start, end))


NOTHING: Final = Month(rows_in_order([]), ())


def in_order(parts: Sequence[Month]) -> Month:
    """Return several as one, each later than the one before it."""
    rows = rows_in_order([part.rows for part in parts])
    return Month(rows, joined(span for part in parts for span in part.spans))


def encode(month: Month) -> bytes:
    """Return the bytes of a month's file."""
    import pyarrow as pa
    from pyarrow import parquet

    about = {"v": _VERSION, "spans": month.spans, "crc": _checksum(month)}
    columns = [
        pa.Array.from_buffers(_type_of(column), len(column), [None, pa.py_buffer(column)])
        for column in map(np.ascontiguousarray, month.rows)
    ]
    names = ("timestamp", *Rows._fields[1:])
    table = pa.table(columns, names=names, metadata={_ABOUT: json.dumps(about).encode()})
    sink = pa.BufferOutputStream()
    # Prices repeat little: a dictionary of them costs time and saves nothing.
    parquet.write_table(table, sink, use_dictionary=False, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def decode(path: Path, span: Span) -> Month:
    """Read the file of a month.

    Parameters
    ----------
    path : Path
    span : (int, int)
        The month that it has to lie in, ms UTC.

    Raises
    ------
    Damaged
        When it is not what `encode` made.
    OSError
        When it cannot be read.
    """
    data = path.read_bytes()
    try:
        month, crc = _decoded(data)
    except Exception as error:  # noqa: BLE001 - whatever a library makes of rotten bytes
        raise Damaged(f"{type(error).__name__}: {error}") from None
    if crc != _checksum(month):
        raise Damaged("its checksum is wrong")
    times = month.rows.time
    if len(times) and not (span[0] <= times[0] and times[-1] < span[1]):
        raise Damaged("it holds another month")
    return month


def _decoded(data: bytes) -> tuple[Month, int]:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    with ParquetFile(pa.BufferReader(data)) as file:
        table = file.read(use_threads=False)
    about = json.loads(table.schema.metadata[_ABOUT])
    if about["v"] != _VERSION:
        raise Damaged(f"it is of version {about['v']!r:.20}")
    columns = [array_of(table.column(name).chunks) for name in ("timestamp", *Rows._fields[1:])]
    spans = joined((int(start), int(end)) for start, end in about["spans"])
    return Month(Rows(*columns), spans), int(about["crc"])


def _type_of(column: Any) -> pa.DataType:
    import pyarrow as pa

    return pa.int64() if column.dtype == np.int64 else pa.float64()


def _checksum(month: Month) -> int:
    crc = zlib.crc32(json.dumps(month.spans).encode())
    for column in month.rows:
        crc = zlib.crc32(np.ascontiguousarray(column).tobytes(), crc)
    return crc
