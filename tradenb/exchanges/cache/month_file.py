"""The file of one month: candles, the spans that were fetched, and a checksum over both.

A minute in a fetched span that has no candle is a known gap, and is not fetched again. The checksum
covers all that is read back, so damaged bytes are noticed. pandas is not imported: columns enter
and leave pyarrow as plain buffers.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from tradenb.core.candles.arrays import Rows
from tradenb.exchanges.cache.spans import Span, Spans, clip, union
from tradenb.exchanges.paging import concatenated, merged
from tradenb.exchanges.tables.arrow_columns import array_of_chunks

if TYPE_CHECKING:
    import pyarrow as pa

_ABOUT: Final = b"tradenb"
_VERSION: Final = 1


class DamagedFile(ValueError):
    """A file does not hold what was written to it."""


class KnownCandles(NamedTuple):
    """What is known of one symbol in one month, or in any other time.

    Attributes
    ----------
    rows : Rows
        Candles, each time once, oldest first.
    spans : tuple of (int, int)
        What was fetched, ms UTC; a minute in them without a candle is a gap.
    """

    rows: Rows
    spans: Spans

    def plus(self, other: KnownCandles) -> KnownCandles:
        """Return both together; of a candle that both have, this one's stays."""
        return KnownCandles(merged(self.rows, other.rows), union((*self.spans, *other.spans)))

    def between(self, start: int, end: int) -> KnownCandles:
        """Return what is known of [start, end); the columns are views."""
        first, last = np.searchsorted(self.rows.time, (start, end))
        return KnownCandles(self.rows.part(int(first), int(last)), clip(self.spans, start, end))


NO_CANDLES: Final = KnownCandles(concatenated([]), ())


def concatenated_months(parts: Sequence[KnownCandles]) -> KnownCandles:
    """Return several as one; each is later than the one before."""
    rows = concatenated([part.rows for part in parts])
    return KnownCandles(rows, union(span for part in parts for span in part.spans))


def encode(month: KnownCandles) -> bytes:
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
    # Prices rarely repeat: a dictionary of them costs time and saves nothing.
    parquet.write_table(table, sink, use_dictionary=False, compression="zstd")
    return bytes(sink.getvalue().to_pybytes())


def decode(path: Path, span: Span) -> KnownCandles:
    """Read the file of a month that must be `span`; a DamagedFile is not what `encode` made."""
    data = path.read_bytes()
    try:
        month, crc = _decoded(data)
    except Exception as error:  # noqa: BLE001 - a library raises anything for damaged bytes
        raise DamagedFile(f"{type(error).__name__}: {error}") from None
    if crc != _checksum(month):
        raise DamagedFile("wrong checksum")
    times = month.rows.time
    if len(times) and not (span[0] <= times[0] and times[-1] < span[1]):
        raise DamagedFile("candles of another month")
    return month


def _decoded(data: bytes) -> tuple[KnownCandles, int]:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    with ParquetFile(pa.BufferReader(data)) as file:
        table = file.read(use_threads=False)
    about = json.loads(table.schema.metadata[_ABOUT])
    if about["v"] != _VERSION:
        raise DamagedFile(f"unknown version {about['v']!r:.20}")
    columns = [
        array_of_chunks(table.column(name).chunks) for name in ("timestamp", *Rows._fields[1:])
    ]
    spans = union((int(start), int(end)) for start, end in about["spans"])
    return KnownCandles(Rows(*columns), spans), int(about["crc"])


def _type_of(column: Any) -> pa.DataType:
    import pyarrow as pa

    return pa.int64() if column.dtype == np.int64 else pa.float64()


def _checksum(month: KnownCandles) -> int:
    crc = zlib.crc32(json.dumps(month.spans).encode())
    for column in month.rows:
        crc = zlib.crc32(np.ascontiguousarray(column).tobytes(), crc)
    return crc
