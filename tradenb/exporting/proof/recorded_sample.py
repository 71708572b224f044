"""The candles over which a script is compared with the notebook, recorded and given again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Candles, Rows
from tradenb.core.candles.gaps import with_gaps
from tradenb.engine.ports import CandleRequest, CandleSource, Loaded, step_of
from tradenb.errors import unknown

FILE = "candles.npz"
_STEP = "length of a candle"  # no symbol has a space
_COLUMNS = ("time", "open", "high", "low", "close", "volume")


class RecordingSource:
    """A source that keeps what it answered last, by canonical symbol."""

    def __init__(self, source: CandleSource) -> None:
        self._source = source
        self.candles: dict[str, Candles] = {}

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._source.name

    def load(self, request: CandleRequest) -> Loaded:
        """Return what the source answers; see `engine.ports.CandleSource`."""
        found = self._source.load(request)
        self.candles[request.symbol] = found.candles
        return found

    @property
    def step(self) -> int:
        """Length of its candles, ms."""
        return step_of(self._source)

    def save(self, folder: Path) -> None:
        """Write the candles to a file."""
        columns = {
            symbol: np.stack([getattr(candles, name) for name in _COLUMNS])
            for symbol, candles in self.candles.items()
        }
        columns[_STEP] = np.array(self.step)
        np.savez(folder / FILE, allow_pickle=False, **columns)


class RecordedSource:
    """The source that a recording gives again."""

    def __init__(self, name: str, step: int, tables: Mapping[str, NDArray[np.float64]]) -> None:
        self.name = name
        self.step = step
        self._tables = tables

    @classmethod
    def read(cls, name: str, folder: Path) -> RecordedSource:
        """Read what `RecordingSource.save` wrote."""
        with np.load(folder / FILE) as columns:
            tables = {each: columns[each] for each in columns.files}
        return cls(name, int(tables.pop(_STEP)), tables)

    def load(self, request: CandleRequest) -> Loaded:
        """Return the candles of a symbol; see `engine.ports.CandleSource`."""
        if request.symbol not in self._tables:
            raise unknown("symbol", request.symbol, self._tables)
        time, *columns = (np.ascontiguousarray(row) for row in self._tables[request.symbol])
        rows = Rows(time.astype(np.int64), *columns)
        return Loaded(*with_gaps(rows, self.step, request.rules.gap_minutes))
