"""Candles that more are added to."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Candles, Columns, Filled, Times, candles_of

Arrays = tuple[NDArray[Any], ...]


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
