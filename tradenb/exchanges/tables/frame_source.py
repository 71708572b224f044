"""Candles from DataFrames of a notebook.

pandas is imported only inside functions: a caller with a DataFrame has imported it. Columns are not
copied where their type fits; pandas' copy-on-write protects them from later changes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tradenb.call_errors import explained
from tradenb.core.candles.arrays import Rows
from tradenb.core.candles.intake import accept
from tradenb.core.money.market import Market, checked_markets
from tradenb.core.rules import Rules
from tradenb.core.symbol import canonical
from tradenb.core.timeframe import base_step
from tradenb.engine.ports import CandleRequest, Loaded
from tradenb.engine.specs.repr_card import ReprCard
from tradenb.errors import CandleError, UsageError, unknown
from tradenb.exchanges.exchange_errors import located
from tradenb.exchanges.memo import CandleMemo
from tradenb.exchanges.tables.column_detection import (
    NO_VOLUME,
    SYMBOL_NAMES,
    TIME_NAMES,
    Raw,
    check_volume,
    find_columns,
    plain_name,
    rows_from_columns,
    rows_of_market,
)
from tradenb.exchanges.tables.frame_kinds import frames_of

if TYPE_CHECKING:
    import pandas as pd

    from tradenb.exchanges.tables.frame_kinds import Table

log = logging.getLogger("tradenb")

_ANY = ""  # stands for every symbol; no canonical symbol is empty


class FrameExchange(ReprCard):
    """A source of candles in memory; made by `frame_exchange`.

    Attributes
    ----------
    step : int
        Length of the candles, ms.
    markets : mapping of str to Market
        Steps by symbol; "" stands for every symbol.
    is_single : bool
        Whether it has one market, whatever symbol it is asked for.
    """

    def __init__(
        self,
        frames: Mapping[str, pd.DataFrame],
        *,
        name: str,
        step: int,
        markets: Mapping[str, Market],
    ) -> None:
        # A shallow copy shares its data with the user's frame until one of the two is written to.
        self._frames = {symbol: frame.copy(deep=False) for symbol, frame in frames.items()}
        self._memo = CandleMemo()
        self._name = name
        self.step = step
        self.markets = markets
        self._without_volume = {
            symbol
            for symbol, frame in frames.items()
            if "volume" not in {plain_name(name) for name in frame}
        }
        columns = {str(name).strip().lower() for frame in frames.values() for name in frame}
        self.is_single = _ANY in frames and not columns & {*SYMBOL_NAMES}

    @property
    def name(self) -> str:
        """Name under which it is registered."""
        return self._name

    def __repr__(self) -> str:
        symbols = ", ".join(symbol or "any symbol" for symbol in self._frames)
        return f"frame_exchange({self._name!r}: {symbols})"

    def _card(self) -> tuple[str, list[tuple[str, str]]]:
        return f"frame_exchange {self._name}", [
            ("symbols", ", ".join(symbol or "any symbol" for symbol in self._frames))
        ]

    def load(self, request: CandleRequest) -> Loaded:
        """Return all candles of a symbol; see `engine.ports.CandleSource`."""
        key = _ANY if _ANY in self._frames else canonical(request.symbol)
        if key not in self._frames:
            raise unknown("symbol", key, self._frames, hint=f"(in {self!r})")
        rules = request.rules
        stamp = rules.price_anomaly_factor, rules.gap_minutes
        symbol = canonical(request.symbol)
        memo = key if self.is_single else symbol
        loaded = self._memo.get(memo, stamp, lambda: self._accepted(key, symbol, rules))
        if key in self._without_volume:
            check_volume(symbol, rules)
        if request.progress:
            request.progress(1, 1)
        return loaded

    def _accepted(self, key: str, symbol: str, rules: Rules) -> Loaded:
        factor, longest = rules.price_anomaly_factor, rules.gap_minutes
        try:
            rows = rows_from_frame(self._frames[key], symbol, needs_volume=False)
            if key in self._without_volume:
                log.warning("%s of %r: %s", symbol, self, NO_VOLUME)
            return Loaded(*accept(rows, factor=factor, step=self.step, gap_minutes=longest))
        except CandleError as error:
            if not key:
                raise
            raise located(error, key) from None


@explained("tn.frame_exchange")
def frame_exchange(
    frames: Table | Mapping[str, Table],
    *,
    timeframe: str = "1m",
    market: Market | Mapping[str, Market] | None = None,
    name: str = "frame",
) -> FrameExchange:
    """Take candles from a DataFrame, or from one for each symbol.

    Parameters
    ----------
    frames : DataFrame or dict of str to DataFrame
        Candles of one length, oldest first; a DataFrame of pandas or polars, or a table of pyarrow.
        One frame is one market, of any symbol, unless a column symbol (ticker, pair, asset), rows
        (symbol, time) or columns (price, symbol) name several. Columns open, high, low,
        close, volume, in upper or lower case; others are ignored, a missing volume is 0. The open
        times: a column `timestamp`, else a DatetimeIndex, else a column (or named index) time,
        datetime, date or open_time, else an index of texts or dates; int ms since the epoch,
        datetime or ISO string; without a time zone it is UTC.
        Later changes of the frame do not change the candles.
    timeframe : str, default "1m"
        How long the candles are, "1m" to "1d". A live run and a rehearsal need 1m.
    market : Market, or dict of str to Market, optional
        Steps of prices and sizes, of all symbols or by symbol; orders keep them.
    name : str, default "frame"
        Name of the exchange.

    Returns
    -------
    FrameExchange

    Raises
    ------
    UsageError
        When it is given something else, or two symbols that are the same without "/". Bad candles
        raise a CandleError when they are first used.

    Examples
    --------
    >>> import pandas as pd
    >>> times = pd.date_range("2024-01-01", periods=3, freq="min")
    >>> prices = pd.DataFrame({"open": 1, "high": 2, "low": 1, "close": 2, "volume": 5}, times)
    >>> frame_exchange({"BTC/USDT": prices})
    frame_exchange('frame': BTCUSDT)
    """
    step = base_step(timeframe)
    found = {symbol or _ANY: frame for symbol, frame in frames_of(frames).items()}
    if not found:
        raise UsageError("frames must hold at least one DataFrame, was an empty dict")
    return FrameExchange(found, name=name, step=step, markets=checked_markets(market))


def rows_from_frame(
    frame: pd.DataFrame, symbol: str | None = None, *, needs_volume: bool = True
) -> Rows:
    """Convert a DataFrame of candles; columns are views where their type allows it.

    Of several markets in one frame the rows of `symbol` are taken.
    """
    import pandas as pd

    index = frame.index
    timed = isinstance(index, pd.DatetimeIndex) or plain_name(index.name) in TIME_NAMES
    if not timed and not pd.api.types.is_numeric_dtype(index):  # texts or dates, nowhere else
        timed = not any(plain_name(name) in TIME_NAMES for name in frame.columns)
    places = find_columns(list(frame.columns), timed_index=timed, needs_volume=needs_volume)
    time = index.to_series() if places.time is None else frame.iloc[:, places.time]
    values = [None if place is None else _array(frame.iloc[:, place]) for place in places.values]
    rows = rows_from_columns(_array(time), values)
    if symbol is not None and places.symbol is not None:
        rows = rows_of_market(rows, _array(frame.iloc[:, places.symbol]), symbol)
    return Rows(*(_holding(column, frame) for column in rows))


def _array(series: pd.Series[Any]) -> Raw:
    """Return a column as numpy: numbers as they are, times in UTC, all else as objects."""
    dtype: Any = series.dtype
    if isinstance(dtype, np.dtype):
        return series.to_numpy()
    match dtype.kind:
        case "M":
            return series.to_numpy(dtype="datetime64[ns]")
        case "i" | "u" | "f" if series.hasnans:
            return series.to_numpy(dtype=np.float64, na_value=np.nan)
        case "i" | "u" | "f":
            return series.to_numpy(dtype=dtype.numpy_dtype)
    return series.astype(object).to_numpy()


class _Holding:
    """A column that keeps its frame alive: copy-on-write protects living frames alone."""

    def __init__(self, column: Raw, frame: pd.DataFrame) -> None:
        described = column.__array_interface__
        self.__array_interface__ = {**described, "data": (described["data"][0], True)}
        self._alive = (column, frame)


def _holding(column: Raw, frame: pd.DataFrame) -> Raw:
    return np.asarray(_Holding(column, frame))
