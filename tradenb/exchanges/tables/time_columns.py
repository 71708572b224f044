"""Times as people write them, as ms since the epoch: numbers of four units, and texts."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from tradenb.core.timeframe import EARLIEST, LATEST
from tradenb.errors import CandleError
from tradenb.exchanges.tables.column_detection import Raw

_UNITS: Final = (("s", 1000, 1), ("ms", 1, 1), ("µs", 1, 1000), ("ns", 1, 1_000_000))
_REWRITTEN: Final = (
    (r"^(\d{4})\.(\d\d)\.(\d\d)", r"\1-\2-\3"),
    (r"^(\d\d)\.(\d\d)\.(\d{4})", r"\3-\2-\1"),  # with points days come first, everywhere
    (r"^(\d{4})(\d\d)(\d\d) ", r"\1-\2-\3 "),
    (r" (\d\d)(\d\d)(\d\d)$", r" \1:\2:\3"),
    (r" (\d:\d\d)", r" 0\1"),
    (r" GMT([+-]\d\d)(\d\d)$", r"\1:\2"),
    (r" (UTC|GMT)$", r"Z"),
)
_ZONE: Final = r"(Z|[+-]\d\d:?\d\d)$"


class Read(NamedTuple):
    """A column of times, and what it was taken for."""

    column: Raw
    note: str


def numbers_as_ms(column: Raw) -> Read:
    """Take whole numbers for s, ms, µs or ns, if all of them lie in the same one of these.

    From 1971 to 2200 the four do not overlap. What is left as it is will be refused with its row.
    """
    if not len(column) or not np.isfinite(column).all():
        return Read(column, "")
    first, last = float(column.min()), float(column.max())
    for name, up, down in _UNITS:
        if EARLIEST * down <= first * up and last * up < LATEST * down:
            return Read(_scaled(column, up, down), "" if name == "ms" else f"times in {name}")
    return Read(column, "")


def texts_as_ms(column: Raw, *, local: bool) -> Read:
    """Convert texts: ISO, 2024.03.01 00:00, 01.03.2024 00:00 and 20240301 000000.

    Parameters
    ----------
    local : bool
        Each must say its zone.

    Raises
    ------
    CandleError
        When some name a zone and others do not. Texts of other forms are returned as they are, and
        are refused with their row.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    compute: Any = pc
    if not all(isinstance(value, str) for value in column):
        return Read(column, "")
    texts: Any = pa.array(column.tolist(), pa.string())
    for pattern, wanted in _REWRITTEN:
        texts = compute.replace_substring_regex(texts, pattern=pattern, replacement=wanted)
    if not compute.all(compute.match_substring_regex(texts, pattern=r"\d")).as_py():
        return Read(column, "")
    zoned = compute.match_substring_regex(texts, pattern=r":.*" + _ZONE)
    count = compute.sum(zoned).as_py() or 0
    if count not in (0, len(column)) or (local and not count):
        raise CandleError(
            "some times name no zone; write all of them in UTC, such as 2024-03-01T00:00:00Z",
            code="grid",
        )
    try:
        times = texts.cast(pa.timestamp("us", tz="UTC" if count else None))
    except pa.ArrowInvalid:
        return Read(column, "")
    moments = np.array(times.cast(pa.int64()).to_numpy(zero_copy_only=False))
    return Read(_scaled(moments, 1, 1000), "")


def _scaled(column: Raw, up: int, down: int) -> Raw:
    whole = np.floor(column) == column
    if not whole.all() or (down > 1 and (column.astype(np.int64) % down).any()):
        return column.astype(np.float64) * up / down  # refused with its row: not whole ms
    return column.astype(np.int64) * up // down
