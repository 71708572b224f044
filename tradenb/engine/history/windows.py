"""Candles as of a moment: windows on closed candles that refuse the future, and that grow."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex, cast

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Candles, Columns, Filled, Times, candles_of
from tradenb.core.candles.resampling import resample
from tradenb.core.timeframe import iso, timeframe_ms, timeframe_name
from tradenb.engine.history.frames import frame_of
from tradenb.errors import LookaheadError, NotEnoughCandles, UsageError

if TYPE_CHECKING:
    import pandas as pd

Arrays = tuple[NDArray[Any], ...]


class _Frame(NamedTuple):
    """All candles of one timeframe, taken apart for speed."""

    columns: Columns
    first: int
    step: int
    size: int
    times: Times | None


class History:
    """The candles of one symbol, in every timeframe that was asked for.

    Parameters
    ----------
    candles : Candles
        Those that are given. In a backtest all of them are here; `window` shows what had closed. A
        live run adds them as they close, and `candles` are all of them.
    """

    def __init__(self, symbol: str, candles: Candles) -> None:
        self.symbol = symbol
        self.candles = candles
        self._growing: dict[str, GrowingCandles] = {}
        self._built: dict[str, Candles] = {}
        self._frames: dict[str, _Frame] = {}
        self._shown: dict[int, tuple[int, int, pd.DataFrame]] = {}

    def add(self, later: Candles) -> None:
        """Add candles that come after these; built timeframes grow with them."""
        self.candles = self._grow("", self.candles, later)
        shown = self.candles.shown
        for timeframe, known in self._built.items():
            new = shown.between(known.end, shown.end)
            if len(new):
                ended = resample(new, timeframe_ms(timeframe), goes_on=True)
                self._built[timeframe] = self._grow(timeframe, known, ended)
        self._frames = {timeframe: self._taken_apart(timeframe) for timeframe in self._frames}

    def renew(self, candles: Candles) -> None:
        """Replace all candles; higher timeframes are built again from them."""
        self.candles = candles
        self._growing, self._built, self._frames, self._shown = {}, {}, {}, {}

    def known_until(self, now: int) -> int:
        """Return the close of the last given candle up to now, ms UTC.

        What reads another symbol sees up to here: in a live run nobody knows yet that a minute
        behind it will be missing.
        """
        candles = self.candles
        return candles.ends_at(min(candles.index(now), len(candles) - 1))

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
        columns, first, step, size, times = frame
        if times is None:
            closed = (now - first) // step
        elif now <= self.candles.end:
            closed = int(times.searchsorted(now - step, "right"))
        else:
            closed = size + 1
        if type(count) is int and 0 < count <= closed <= size:
            return Candles(columns, first, step, closed - count, closed, times)
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

    def _grow(self, timeframe: str, known: Candles, later: Candles) -> Candles:
        """Add candles to those of a timeframe; "" are the given ones."""
        if timeframe not in self._growing:
            self._growing[timeframe] = GrowingCandles(known)
        return self._growing[timeframe].add(later)

    def _build(self, timeframe: str) -> _Frame:
        step, base = timeframe_ms(timeframe), self.candles.step
        if step % base:
            raise UsageError(
                f"timeframe {timeframe!r} must be a multiple of the candles of {self.symbol}, "
                f"which are {timeframe_name(base)} long"
            )
        if step > base and timeframe not in self._built:
            self._built[timeframe] = resample(self.candles.shown, step)
        frame = self._frames[timeframe] = self._taken_apart(timeframe)
        return frame

    def _taken_apart(self, timeframe: str) -> _Frame:
        candles = self._built.get(timeframe, self.candles.shown)
        times = None if candles.regular else candles.time
        return _Frame(candles.columns, candles.start, candles.step, len(candles), times)

    def _short(
        self, frame: _Frame, timeframe: str, count: int, now: int, *, allow_fewer: bool
    ) -> Candles:
        count = _at_least_one(count)
        if now > self.candles.end:
            raise LookaheadError(
                f"{self.symbol} has candles up to {iso(self.candles.end)}, asked for {iso(now)}"
            )
        if frame.times is None:
            closed = (now - frame.first) // frame.step
        else:
            closed = int(frame.times.searchsorted(now - frame.step, "right"))
        closed = max(0, min(closed, frame.size))
        if closed >= count or allow_fewer:
            first = max(0, closed - count)
            return Candles(frame.columns, frame.first, frame.step, first, closed, frame.times)
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


class Histories:
    """The histories of all symbols that a run may look at.

    Parameters
    ----------
    load : callable
        Gives the candles of a symbol that is not here yet, or a history that others share.
    """

    def __init__(self, load: Callable[[str], Candles | History]) -> None:
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
        if found is not None:
            return found
        loaded = self._load(symbol)
        return self.put(loaded) if isinstance(loaded, History) else self.add(symbol, loaded)


class GrowingCandles:
    """Candles that more are added to, at a cost that does not depend on how many there are.

    Windows made before stay as they are: only room behind them is written to.

    Parameters
    ----------
    candles : Candles
        The first ones; they are not copied before something is added.
    """

    def __init__(self, candles: Candles) -> None:
        self.candles = candles
        self._columns = _Room(candles.columns)
        self._times = None if candles.regular else _Room((candles.time,))
        self._shown: GrowingCandles | None = None
        self._places: _Room | None = None
        if candles.filled is not None:
            self._show()

    def add(self, later: Candles) -> Candles:
        """Add candles that come after these, and return them all."""
        known = self.candles
        if later.start < known.end or later.step != known.step:
            raise ValueError(f"candles must follow each other: {known!r}, then {later!r}")
        if not len(later):
            return known
        if self._times is None and not (later.regular and later.start == known.end):
            self._times = _Room((known.time,))
        if self._shown is None and later.shown is not later:
            self._show()
        times = None if self._times is None else self._times.add((later.time,))[0]
        filled = None
        if self._shown is not None and self._places is not None:
            shown, begin = later.shown, len(self._shown.candles)
            places = begin + shown.indices(later.time + later.step)
            filled = Filled(self._shown.add(shown), self._places.add((places,))[0])
        opened, high, low, close, volume = self._columns.add(later.columns)
        columns: Columns = (opened, high, low, close, volume)
        self.candles = candles_of(columns, known.start, known.step, times, filled)
        return self.candles

    def _show(self) -> None:
        """Keep what windows show apart from the candles that are given."""
        shown = self.candles.shown
        places: Times = shown.indices(self.candles.time + self.candles.step)
        self._shown, self._places = GrowingCandles(shown), _Room((places,))


class _Room:
    """Arrays of one length that grow."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._size = len(arrays[0])

    def add(self, later: Arrays) -> Arrays:
        """Add rows, and return all."""
        size = self._size + len(later[0])
        if size > len(self._arrays[0]) or not self._arrays[0].flags.writeable:
            self._arrays = tuple(_roomier(each, self._size, 2 * size) for each in self._arrays)
        for array, added in zip(self._arrays, later, strict=True):
            array[self._size : size] = added
        self._size = size
        return tuple(array[:size] for array in self._arrays)


def _roomier(array: NDArray[Any], size: int, room: int) -> NDArray[Any]:
    wider = np.empty(room, dtype=array.dtype)
    wider[:size] = array[:size]
    return wider
