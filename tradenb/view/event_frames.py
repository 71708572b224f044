"""Events, trades and open positions as DataFrames whose dtypes never depend on the rows.

The column tables in `core/columns.py` say which columns there are and of which sort; here each sort
gets its dtype. Frames are built column by column: 200,000 events take a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tradenb.core.columns import (
    ASK_COLUMNS,
    COURSE_COLUMNS,
    EVENT_COLUMNS,
    FILL_COLUMNS,
    FILL_MONEY,
    OPEN_COLUMNS,
    REFUSAL_COLUMNS,
    SIGNAL_COLUMNS,
    TRADE_COLUMNS,
    TRADE_MONEY,
)
from tradenb.core.events import AskRow, Event
from tradenb.core.fills import Fill
from tradenb.core.lifecycle.state import Refusing
from tradenb.core.signal import Refused, Trade
from tradenb.statistics.closed_trades import UNKNOWN, Excursion
from tradenb.statistics.expectation import Place

if TYPE_CHECKING:
    import numpy as np
    import pandas
    from numpy.typing import NDArray

    from tradenb.engine.history.indicators import Coverage

_NO_SIGNAL: Final = Refused("", None)._replace(id=None)  # type: ignore[arg-type]
Coverages: TypeAlias = "Mapping[tuple[str, str], Sequence[Coverage]]"
"""In how much of a run each indicator had a value, by (strategy, symbol)."""
OpenRow: TypeAlias = tuple[str, str, str, str, float, float | None]
"""What is open at the end of a run: the values of `OPEN_COLUMNS`; no pnl_percent if scheduled."""


def event_frame(events: Sequence[Event]) -> pandas.DataFrame:
    """Tabulate events, a row each, in the order given.

    Returns
    -------
    DataFrame
        Columns `EVENT_COLUMNS`; the same dtypes with and without rows: int64, datetime64[ms, UTC],
        str, float64, Int64 (minutes, level), Float64 (size), bool. Missing values are NA.

    Examples
    --------
    >>> event_frame([]).dtypes["at"]
    datetime64[ms, UTC]
    """
    signals = [event.signal or _NO_SIGNAL for event in events]
    columns: dict[str, list[Any]] = {}
    for name in EVENT_COLUMNS:
        own = SIGNAL_COLUMNS.get(name)
        read, rows = (attrgetter(name), events) if own is None else (attrgetter(own), signals)
        columns[name] = list(map(read, rows))
    return _frame(EVENT_COLUMNS, columns)


def trade_frame(
    trades: Sequence[Trade],
    excursions: Sequence[Excursion] | None = None,
    *,
    money: bool = False,
) -> pandas.DataFrame:
    """Tabulate trades, a row each, in the order given.

    Parameters
    ----------
    excursions : sequence of Excursion, optional
        What each trade went through; NaN without.
    money : bool, default False
        With the columns of an account.

    Returns
    -------
    DataFrame
        Columns `TRADE_COLUMNS`, with an account also `TRADE_MONEY`; the same dtypes with and
        without rows, as in `event_frame`.

    Examples
    --------
    >>> trade_frame([]).dtypes["pnl_percent"]
    dtype('float64')
    """
    sorts = TRADE_COLUMNS | TRADE_MONEY if money else TRADE_COLUMNS
    went = [UNKNOWN] * len(trades) if excursions is None else excursions
    columns = {
        name: list(map(attrgetter(name), went if name in Excursion._fields else trades))
        for name in sorts
    }
    return _frame(sorts, columns)


def fill_frame(fills: Sequence[Fill], *, money: bool = False) -> pandas.DataFrame:
    """Make a frame of fills.

    Parameters
    ----------
    money : bool, default False
        With the columns of an account.

    Returns
    -------
    DataFrame
        Columns `FILL_COLUMNS`, with an account also `FILL_MONEY`; the same dtypes with and without
        rows, as in `event_frame`.

    Examples
    --------
    >>> fill_frame([]).dtypes["price"]
    dtype('float64')
    """
    sorts = FILL_COLUMNS | FILL_MONEY if money else FILL_COLUMNS
    columns = {name: list(map(attrgetter(name), fills)) for name in sorts}
    return _frame(sorts, columns)


def refusal_frame(rows: Sequence[tuple[str, str, Refusing]]) -> pandas.DataFrame:
    """Make a frame of refusals in a row.

    Returns
    -------
    DataFrame
        Columns `REFUSAL_COLUMNS`; the same dtypes with and without rows, as in `event_frame`.

    Examples
    --------
    >>> refusal_frame([]).dtypes["count"]
    dtype('int64')
    """
    return _row_frame(REFUSAL_COLUMNS, rows)


def ask_frame(rows: Sequence[tuple[str, str, AskRow]]) -> pandas.DataFrame:
    """Make a frame of asks in a row.

    Returns
    -------
    DataFrame
        Columns `ASK_COLUMNS`; the same dtypes with and without rows, as in `event_frame`.

    Examples
    --------
    >>> ask_frame([]).dtypes["count"]
    dtype('int64')
    """
    return _row_frame(ASK_COLUMNS, rows)


def course_frame(places: Sequence[Place]) -> pandas.DataFrame:
    """Tabulate where a run was beside its backtest, a row a trade.

    Returns
    -------
    DataFrame
        Columns `COURSE_COLUMNS`; the same dtypes with and without rows, as in `event_frame`.

    Examples
    --------
    >>> course_frame([]).dtypes["low"]
    dtype('float64')
    """
    columns = {name: list(map(attrgetter(name), places)) for name in COURSE_COLUMNS}
    return _frame(COURSE_COLUMNS, columns)


def _row_frame(
    sorts: dict[str, str], rows: Sequence[tuple[str, str, Refusing | AskRow]]
) -> pandas.DataFrame:
    columns: dict[str, list[Any]] = {
        "symbol": [symbol for symbol, _, _ in rows],
        "strategy": [strategy for _, strategy, _ in rows],
    }
    for name in [name for name in sorts if name not in columns]:
        columns[name] = [getattr(row, name) for _, _, row in rows]
    return _frame(sorts, columns)


def coverage_frame(coverage: Coverages) -> pandas.DataFrame:
    """Tabulate in how much of a run each indicator had a value.

    Returns
    -------
    DataFrame
        strategy, symbol, name, timeframe (str), candles, values (int64), first
        (datetime64[ms, UTC], NaT without a value).
    """
    import pandas as pd

    rows = [
        (strategy, symbol, *item)
        for (strategy, symbol), found in coverage.items()
        for item in found
    ]
    columns = ["strategy", "symbol", "name", "timeframe", "candles", "values", "first"]
    frame = pd.DataFrame(rows, columns=columns)
    times = pd.to_datetime(frame["first"].astype("Int64"), unit="ms", utc=True)
    frame["first"] = times.astype("datetime64[ms, UTC]")
    texts = dict.fromkeys(columns[:4], "str")
    return frame.astype({**texts, "candles": "int64", "values": "int64"})


def open_frame(rows: Sequence[OpenRow]) -> pandas.DataFrame:
    """Tabulate what was open or scheduled at the end of a run.

    Parameters
    ----------
    rows : sequence of tuple
        Values in the order of `OPEN_COLUMNS`; state is "open", "scheduled" or "entering",
        price the market price, pnl_percent unrealised, or None if it is not open.

    Returns
    -------
    DataFrame
        Columns `OPEN_COLUMNS`; the same dtypes with and without rows.

    Examples
    --------
    >>> open_frame([("BTCUSDT", "dip", "dip-1", "scheduled", 64_000.0, None)])["state"].item()
    'scheduled'
    """
    columns = {name: list(map(itemgetter(i), rows)) for i, name in enumerate(OPEN_COLUMNS)}
    return _frame(OPEN_COLUMNS, columns)


def _frame(sorts: Mapping[str, str], columns: Mapping[str, list[Any]]) -> pandas.DataFrame:
    import pandas

    made = {name: _MAKERS[sort](columns[name]) for name, sort in sorts.items()}
    return pandas.DataFrame(made, columns=list(sorts))


def _ints(values: list[int]) -> object:
    import numpy as np

    return np.array(values, dtype=np.int64)


def _bools(values: list[bool]) -> object:
    import numpy as np

    return np.array(values, dtype=np.bool_)


def _floats(values: list[float | None]) -> object:
    import numpy as np

    return np.array(values, dtype=np.float64)  # a None becomes NaN


def _times(values: list[int | None]) -> object:
    import numpy as np
    import pandas

    missing = np.iinfo(np.int64).min  # NaT
    ms = np.array([missing if value is None else value for value in values], dtype=np.int64)
    return pandas.DatetimeIndex(ms.view("datetime64[ms]")).tz_localize("UTC")


def _texts(values: list[str | None]) -> object:
    import pandas
    import pyarrow

    kind = pyarrow.large_string()
    try:
        made = pyarrow.array(values, kind)
    except UnicodeEncodeError:  # half a character, as in "\ud83d": Arrow stores UTF-8
        made = pyarrow.array(_encodable(values), kind)
    return pandas.array(made, dtype="str")  # of a list pandas would look at each text first


def _encodable(values: Iterable[str | None]) -> Iterable[str | None]:
    for text in values:
        yield None if text is None else text.encode("utf-8", "replace").decode("utf-8")


def _wholes(values: list[int | None]) -> object:
    import numpy as np
    import pandas

    found, absent = _present(values)
    return pandas.arrays.IntegerArray(found.astype(np.int64), absent)


def _decimals(values: list[float | None]) -> object:
    import pandas

    return pandas.arrays.FloatingArray(*_present(values))


def _present(values: Sequence[float | None]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the values, 0 for those that are missing, and which are."""
    import numpy as np

    found = np.array(values, dtype=np.float64)
    absent = np.isnan(found)
    found[absent] = 0.0
    return found, absent


_MAKERS: Final[dict[str, Callable[[list[Any]], object]]] = {
    "int": _ints,
    "time": _times,
    "text": _texts,
    "float": _floats,
    "whole": _wholes,
    "decimal": _decimals,
    "bool": _bools,
}
