"""Tables in memory, whatever library they are of, as DataFrames of one market each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tradenb.core.symbol import canonical
from tradenb.errors import UsageError
from tradenb.exchanges.tables.column_detection import (
    NAMES,
    SYMBOL_NAMES,
    TIME_NAMES,
    plain_name,
)

if TYPE_CHECKING:
    from typing import TypeAlias

    import pandas as pd
    import polars
    import pyarrow

    Table: TypeAlias = "pd.DataFrame | polars.DataFrame | pyarrow.Table"


def frames_of(given: Any) -> dict[str | None, pd.DataFrame]:
    """Return the DataFrame of each market; None stands for any.

    Raises
    ------
    UsageError
        When it is not a table, or one symbol is there twice.
    """
    if not isinstance(given, Mapping):
        markets = _markets(_frame(given))
        return _canonical(markets.items()) if markets else {None: _frame(given)}
    return _canonical((symbol, _one(symbol, _frame(table))) for symbol, table in given.items())


def _canonical(pairs: Any) -> dict[str | None, pd.DataFrame]:
    found: dict[str | None, pd.DataFrame] = {}
    for symbol, frame in pairs:
        short = canonical(symbol)
        if short in found:
            raise UsageError(f"duplicate symbol {short!r} in frames; keep one of them")
        found[short] = frame
    return found


def _frame(value: Any) -> pd.DataFrame:
    """Return a table of pandas, polars or pyarrow as a DataFrame."""
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        return value
    library = type(value).__module__.partition(".")[0]
    if library == "polars" and hasattr(value, "to_arrow"):
        value = value.to_arrow()
    if library in ("polars", "pyarrow") and hasattr(value, "to_pandas"):
        found: pd.DataFrame = value.to_pandas()
        return found
    hint = "; call .collect() first" if library == "polars" and hasattr(value, "collect") else ""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    raise UsageError(
        "frames must be a DataFrame of pandas or polars, a table of pyarrow, or a dict of them, "
        f"was {kind}{hint}"
    )


def _one(symbol: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the market of a symbol, where a table names its markets in its labels."""
    markets = _markets(frame)
    if not markets:
        return frame
    if len(markets) == 1:
        return next(iter(markets.values()))
    known = {canonical(name): own for name, own in markets.items()}
    if canonical(symbol) not in known:
        names = ", ".join(known)
        raise UsageError(f"the frame of {symbol!r} holds {names}; name one of them")
    return known[canonical(symbol)]


def _markets(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the markets of a table with rows (symbol, time) or columns (price, symbol)."""
    if frame.columns.nlevels == 2:
        return _by_columns(frame)
    if frame.index.nlevels == 2:
        return _by_rows(frame)
    return {}


def _by_columns(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    for level in (0, 1):
        values = frame.columns.get_level_values(level)
        if {*NAMES[:4]} <= {plain_name(value) for value in values}:
            symbols = frame.columns.get_level_values(1 - level).unique()
            parts: dict[str, Any] = {
                str(symbol): frame.xs(symbol, axis=1, level=1 - level) for symbol in symbols
            }
            return {symbol: part.dropna(how="all") for symbol, part in parts.items()}
    raise UsageError("columns of two levels must be (price, symbol) or (symbol, price)")


def _by_rows(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    import pandas as pd

    names = [plain_name(name) for name in frame.index.names]
    levels = [frame.index.get_level_values(level) for level in (0, 1)]
    timed = [
        isinstance(values, pd.DatetimeIndex) or name in TIME_NAMES
        for values, name in zip(levels, names, strict=True)
    ]
    if sum(timed) != 1:
        known = ", ".join(SYMBOL_NAMES)
        raise UsageError(
            f"rows of two levels must be symbol and time; name the levels (time and one of {known})"
        )
    level = timed.index(False)
    return {
        str(symbol): part.droplevel(level)
        for symbol, part in frame.groupby(level=level, sort=False)
    }
