"""Candles as of a moment: windows on closed candles that refuse the future."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from tradenb.core.candles import Candles, Columns, resample
from tradenb.core.timeframe import iso, timeframe_ms
from tradenb.errors import LookaheadError, NotEnoughCandles, UsageError


class _Frame(NamedTuple):
    """All candles of one timeframe, taken apart for speed."""

    columns: Columns
    first: int
    step: int
    size: int


class History:
    """The candles of one symbol, in every timeframe that somebody asked for.

    Parameters
    ----------
    symbol : str
    candles : Candles
        1m candles, gap-free. In a backtest all of them are here; `window` shows what had closed.
    """

    def __init__(self, symbol: str, candles: Candles) -> None:
        self.symbol = symbol
        self.candles = candles
        self._frames: dict[str, _Frame] = {}

    def window(self, timeframe: str, count: int, now: int, *, allow_fewer: bool = False) -> Candles:
        """Return the last `count` candles of a timeframe that had closed at `now`.

        Raises
        ------
        NotEnoughCandles
            When fewer exist, unless `allow_fewer`.
        UnknownName
            When there is no such timeframe.
        """
        frame = self._frames.get(timeframe) or self._build(timeframe)
        closed = (now - frame.first) // frame.step
        if 0 < count <= closed <= frame.size:
            return Candles(frame.columns, frame.first, frame.step, closed - count, closed)
        return self._short(frame, timeframe, count, now, allow_fewer=allow_fewer)

    def _build(self, timeframe: str) -> _Frame:
        built = resample(self.candles, timeframe_ms(timeframe))
        columns = (built.open, built.high, built.low, built.close, built.volume)
        frame = self._frames[timeframe] = _Frame(columns, built.start, built.step, len(built))
        return frame

    def _short(
        self, frame: _Frame, timeframe: str, count: int, now: int, *, allow_fewer: bool
    ) -> Candles:
        if isinstance(count, bool) or count < 1:
            raise UsageError(f"n must be a whole number of at least 1, was {count!r}")
        if now > self.candles.end:
            raise LookaheadError(
                f"{self.symbol} has candles up to {iso(self.candles.end)}, asked for {iso(now)}"
            )
        closed = max(0, min((now - frame.first) // frame.step, frame.size))
        if closed >= count or allow_fewer:
            first = max(0, closed - count)
            return Candles(frame.columns, frame.first, frame.step, first, closed)
        raise NotEnoughCandles(
            f"{count} closed candles of {timeframe} asked for {self.symbol} at {iso(now)}, "
            f"there are {closed}; ask for fewer, pass allow_fewer=True, or begin the data earlier"
        )


class Histories:
    """The histories of all symbols that a run may look at.

    Parameters
    ----------
    load : callable
        Gives the candles of a symbol that is not here yet.
    """

    def __init__(self, load: Callable[[str], Candles]) -> None:
        self._load = load
        self._by_symbol: dict[str, History] = {}

    def add(self, symbol: str, candles: Candles) -> History:
        """Put a symbol's candles in."""
        history = self._by_symbol[symbol] = History(symbol, candles)
        return history

    def of(self, symbol: str) -> History:
        """Return a symbol's history; its candles are loaded if need be."""
        found = self._by_symbol.get(symbol)
        return found if found is not None else self.add(symbol, self._load(symbol))
