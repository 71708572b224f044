"""Candles as of a moment: windows on closed candles that refuse the future."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, SupportsIndex, cast

from tradenb.core.candles.arrays import Candles, Columns, GrowingCandles, resample
from tradenb.core.timeframe import iso, timeframe_ms
from tradenb.engine.history.frames import frame_of
from tradenb.errors import LookaheadError, NotEnoughCandles, UsageError

if TYPE_CHECKING:
    import pandas as pd


class _Frame(NamedTuple):
    """All candles of one timeframe, taken apart for speed."""

    columns: Columns
    first: int
    step: int
    size: int


class History:
    """The candles of one symbol, in every timeframe that was asked for.

    Parameters
    ----------
    candles : Candles
        1m candles, gap-free. In a backtest all of them are here; `window` shows what had closed.
        A live run adds them as they close.
    """

    def __init__(self, symbol: str, candles: Candles) -> None:
        self.symbol = symbol
        self._grown = {"1m": GrowingCandles(candles)}
        self._frames: dict[str, _Frame] = {}
        self._shown: dict[int, tuple[int, int, pd.DataFrame]] = {}
        self._traded: tuple[int, int] = (0, 0)

    @property
    def candles(self) -> Candles:
        """All 1m candles that are here."""
        return self._grown["1m"].candles

    def add(self, later: Candles) -> None:
        """Add 1m candles that begin where these end; built timeframes grow with them."""
        self._grown["1m"].add(later)
        for timeframe, grown in self._grown.items():
            if timeframe != "1m":
                new = self.candles.between(grown.candles.end, self.candles.end)
                grown.add(resample(new, grown.candles.step))
        self._frames = {timeframe: _taken_apart(g.candles) for timeframe, g in self._grown.items()}

    def renew(self, candles: Candles) -> None:
        """Replace all candles; higher timeframes are built again from them."""
        self._grown = {"1m": GrowingCandles(candles)}
        self._frames, self._shown, self._traded = {}, {}, (0, 0)

    def known_until(self, now: int) -> int:
        """Return the close of the last candle up to now in which there was a trade, ms UTC.

        A minute without trades is there at once in a backtest and perhaps never in a live run. What
        reads another symbol sees up to here, so that both see the same.
        """
        candles = self.candles
        row = last = min(candles.index(now), len(candles) - 1)
        seen_row, seen_last = self._traded
        opened, high, low, close, volume = candles.columns
        while last > 0 and volume[last] == 0 and opened[last] == high[last] == low[last]:
            if close[last] != opened[last] or close[last - 1] != close[last]:
                break
            last -= 1
            if last == seen_row:
                last = seen_last
                break
        self._traded = row, last
        return candles.start + (last + 1) * candles.step

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
        if type(count) is int and 0 < count <= closed <= frame.size:
            return Candles(frame.columns, frame.first, frame.step, closed - count, closed)
        return self._short(frame, timeframe, count, now, allow_fewer=allow_fewer)

    def frame(self, candles: Candles) -> pd.DataFrame:
        """Return candles of this history as a frame; the last of each timeframe is made once.

        Changes to the frame do not change what later calls return.
        """
        start, end, shown = self._shown.get(candles.step, (0, 0, None))
        if shown is None or (start, end) != (candles.start, candles.end):
            shown = frame_of(candles)
            self._shown[candles.step] = candles.start, candles.end, shown
        return shown.copy(deep=False)

    def _build(self, timeframe: str) -> _Frame:
        step = timeframe_ms(timeframe)
        if timeframe not in self._grown:
            self._grown[timeframe] = GrowingCandles(resample(self.candles, step))
        frame = self._frames[timeframe] = _taken_apart(self._grown[timeframe].candles)
        return frame

    def _short(
        self, frame: _Frame, timeframe: str, count: int, now: int, *, allow_fewer: bool
    ) -> Candles:
        count = _at_least_one(count)
        if now > self.candles.end:
            raise LookaheadError(
                f"{self.symbol} has candles up to {iso(self.candles.end)}, asked for {iso(now)}"
            )
        closed = max(0, min((now - frame.first) // frame.step, frame.size))
        if closed >= count or allow_fewer:
            first = max(0, closed - count)
            return Candles(frame.columns, frame.first, frame.step, first, closed)
        raise NotEnoughCandles(
            f"not enough closed candles of {timeframe} for {self.symbol} at {iso(now)}: asked for "
            f"{count}, had {closed}; ask for fewer, pass allow_fewer=True, or start the data "
            "earlier"
        )


def _at_least_one(count: object) -> int:
    try:
        whole = 0 if isinstance(count, bool) else operator.index(cast(SupportsIndex, count))
    except TypeError:
        whole = 0
    if whole < 1:
        raise UsageError(f"n must be a whole number of at least 1, was {count!r}")
    return whole


def _taken_apart(candles: Candles) -> _Frame:
    return _Frame(candles.columns, candles.start, candles.step, len(candles))


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
        """Add a symbol's candles."""
        return self.put(History(symbol, candles))

    def put(self, history: History) -> History:
        """Add a history that the caller keeps up to date."""
        self._by_symbol[history.symbol] = history
        return history

    def of(self, symbol: str) -> History:
        """Return a symbol's history; its candles are loaded if need be."""
        found = self._by_symbol.get(symbol)
        return found if found is not None else self.add(symbol, self._load(symbol))
