"""Raw columns of any name and type, as `Rows`.

Every source that reads tables (DataFrame, Parquet, CSV, npy) finds and converts its columns here,
so the same table gives the same candles from everywhere. Only names and types are checked here;
prices and times are checked in `core.candles.intake`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from numbers import Real
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Floats, Rows, Times
from tradenb.core.candles.candle_length import when
from tradenb.core.rules import Rules
from tradenb.core.symbol import canonical
from tradenb.core.timeframe import to_ms
from tradenb.errors import CandleError, UsageError

NAMES: Final = ("open", "high", "low", "close", "volume")
NO_VOLUME: Final = "no volume: it is 0 in all candles"
TIME_NAMES: Final = (
    "timestamp", "unix", "unix_timestamp", "time", "datetime", "date", "open_time", "gmt_time",
    "local_time",
)  # fmt: skip
SYMBOL_NAMES: Final = ("symbol", "ticker", "pair", "asset")
_SHORT: Final = dict(zip("tohlcv", ("timestamp", *NAMES), strict=True))
_BLOCK: Final = 4096
_VOLUME_GOES: Final = "; rename yours to volume, or add it (0 where there is none)"
_TIMES_GO: Final = "; put the times into a column timestamp, in ms, or into the index as dates"
_YEAR_LAST: Final = re.compile(r"\s*\d{1,2}[./-]\d{1,2}[./-](\d{4}|\d{2})(?!\d)")
_NUMBER: Final = re.compile(r"\s*[-+]?\d[\d.,]*([eE][-+]?\d+)?\s*")

Raw = NDArray[Any]


class ColumnPlaces(NamedTuple):
    """Where the columns are.

    `time` is None if the index holds the times, `symbol` if no column names the markets, the last
    of `values` if there is no volume.
    """

    time: int | None
    values: tuple[int | None, ...]
    symbol: int | None = None


def find_columns(
    names: Sequence[object], *, timed_index: bool = False, needs_volume: bool = False
) -> ColumnPlaces:
    """Find the columns of candles; upper and lower case do not matter.

    If the index holds times, only a column named "timestamp" takes precedence. A table without
    volume is one unless a column looks like it.
    """
    lower = [plain_name(name) for name in names]
    wanted = TIME_NAMES[:1] if timed_index else TIME_NAMES
    time = next((name for name in wanted if name in lower), None)
    missing = [name for name in NAMES[:4] if name not in lower]
    if "volume" not in lower and (needs_volume or any("vol" in name for name in lower)):
        missing.append("volume")
    missing += [] if time or timed_index else ["timestamp"]
    if missing:
        found = ", ".join(repr(name) for name in names) or "none"
        cure = _VOLUME_GOES if "volume" in missing else ""
        cure += "" if time or timed_index else _TIMES_GO
        raise CandleError(
            f"columns are missing: {', '.join(missing)}; found: {found}{cure}", code="columns"
        )
    for name in (*NAMES, *([time] if time else [])):
        alike = [repr(given) for given, low in zip(names, lower, strict=True) if low == name]
        if len(alike) > 1:
            raise CandleError(
                f"column {name} is ambiguous: {' and '.join(alike)}; drop or rename one",
                code="columns",
            )
    symbol = next((name for name in SYMBOL_NAMES if name in lower), None)
    return ColumnPlaces(
        lower.index(time) if time else None,
        tuple(lower.index(name) if name in lower else None for name in NAMES),
        None if symbol is None else lower.index(symbol),
    )


def plain_name(name: object) -> str:
    """Write the name of a column without what people put around and between its words.

    Examples
    --------
    >>> [plain_name(name) for name in ("Open time", "<CLOSE>")]
    ['open_time', 'close']
    """
    return str(name).strip().strip("<>").lower().replace(" ", "_")


def rows_of_market(rows: Rows, markets: Raw, symbol: str) -> Rows:
    """Return the rows of one market of a table that names several.

    Parameters
    ----------
    markets : (n,) array
        What the column of symbols holds.
    symbol : str
        Canonical symbol asked for.
    """
    names = {str(name) for name in markets.tolist()}
    if len(names) < 2:
        return rows
    wanted = [name for name in names if name and canonical(name) == symbol]
    if not wanted:
        some = ", ".join(sorted(names)[:8])
        raise CandleError(
            f"the table holds {len(names)} markets ({some}), and none of them is {symbol}; ask for "
            "one of them",
            code="columns",
        )
    return rows.take(np.flatnonzero([str(name) in wanted for name in markets.tolist()]))


def check_volume(symbol: str, rules: Rules) -> None:
    """Refuse rules that go by the volume, for candles that have none."""
    if rules.price == "average" or rules.touch == "average_price":
        raise CandleError(
            f"{symbol}: the candles have no volume, which the average price needs; add a column "
            "volume, or use price='close' and touch='candle'",
            code="columns",
        )


def rows_from_columns(time: Raw, values: Sequence[Raw | None]) -> Rows:
    """Convert a column of times and the five others, in the order of `NAMES`; None is all 0."""
    times = _times(time)
    columns = [
        np.zeros(len(times)) if column is None else _floats(column, name, times)
        for column, name in zip(values, NAMES, strict=True)
    ]
    return Rows(times, *columns)


def rows_from_array(array: Raw) -> Rows:
    """Convert an (n, 6) array of numbers, or an (n,) array with named fields, always copying."""
    names = array.dtype.names
    if array.ndim == 1 and names is not None:
        places = find_columns([_SHORT.get(name, name) for name in names], needs_volume=True)
        fields = [np.ascontiguousarray(array[names[place or 0]]) for place in places.values]
        return rows_from_columns(array[names[places.time or 0]], fields)
    if array.ndim != 2 or array.shape[1] != 6 or array.dtype.kind not in "iuf":
        raise CandleError(
            "an array of candles must be of shape (n, 6), [t_ms, open, high, low, close, volume], "
            f"or have fields of these names; was {array.dtype} of shape {array.shape}",
            code="columns",
        )
    columns = [np.empty(len(array)) for _ in range(6)]
    for start in range(0, len(array), _BLOCK):  # in blocks that stay in the processor's cache
        block = array[start : start + _BLOCK]
        for place, column in enumerate(columns):
            column[start : start + _BLOCK] = block[:, place]
    return rows_from_columns(columns[0], columns[1:])


def _times(column: Raw) -> Times:
    match column.dtype.kind:
        case "i" | "u":
            return column.astype(np.int64, copy=False)
        case "M":
            return _exact_ms(column)
        case "f":
            return _whole_ms(column)
    times = np.empty(len(column), dtype=np.int64)
    for index, value in enumerate(column):
        times[index] = _time(index, value)
    return times


def _exact_ms(column: Raw) -> Times:
    times = column.astype("datetime64[ms]")
    cut = (times != column) & ~np.isnat(times)
    if cut.any():
        index = int(cut.argmax())
        raise _bad(index, "grid", f"time must be whole ms, was {column[index]}")
    return times.view(np.int64)


def _whole_ms(column: Raw) -> Times:
    whole = np.isfinite(column) & (np.floor(column) == column) & (np.abs(column) < 2.0**53)
    if not whole.all():
        index = int(whole.argmin())
        value = float(column[index])
        raise _bad(index, "grid", f"time must be whole ms since the epoch, was {value!r}")
    return column.astype(np.int64)


def _time(index: int, value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is int and abs(value) < 2**53:
        return value  # checked with all other whole numbers, in `core.candles.intake`
    try:
        return to_ms(value)
    except UsageError as error:
        cure = ""
        if isinstance(value, str) and _YEAR_LAST.match(value):
            cure = "; convert the column (pd.to_datetime, with dayfirst=True where the day "
            cure += "comes first)"
        raise _bad(index, "grid", f"{error}{cure}") from None


def _floats(column: Raw, name: str, times: Times) -> Floats:
    if column.dtype.kind in "iuf":
        return np.asarray(column, dtype=np.float64)
    numbers = np.empty(len(column))
    for index, value in enumerate(column):
        if type(value) is bool or not isinstance(value, Real | Decimal):
            words = f"{name} must be a number, was {value!r}; fix the cell or drop the row"
            if value is None or (isinstance(value, str) and not value.strip()):
                words = f"{name} is empty; drop the row"
            elif isinstance(value, str) and _NUMBER.fullmatch(value):
                cure = f"df[{name!r}].astype(float)"
                if "," in value:  # of thousands, or the decimal one
                    cure = "pd.read_csv takes thousands= and decimal="
                words = f"{name} must be a number, was {value!r}; "
                words += f"it is text: convert the column ({cure})"
            raise _bad(index, "not_finite", words, f" ({when(int(times[index]))})")
        numbers[index] = value
    return numbers


def _bad(index: int, code: str, words: str, at: str = "") -> CandleError:
    return CandleError(f"candle in row {index}{at}: {words}", code=code, index=index)
