"""The candles over which a script is compared with the notebook, recorded and given again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Candles, candles_of
from tradenb.core.candles.intake import Intake
from tradenb.engine.ports import CandleRequest, CandleSource, Loaded
from tradenb.errors import unknown

FILE = "candles.npz"
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

    def save(self, folder: Path) -> None:
        """Write the candles to a file."""
        columns = {
            symbol: np.stack([getattr(candles, name) for name in _COLUMNS])
            for symbol, candles in self.candles.items()
        }
        np.savez(folder / FILE, allow_pickle=False, **columns)


class RecordedSource:
    """The source that a recording gives again."""

    def __init__(self, name: str, candles: Mapping[str, Candles]) -> None:
        self.name = name
        self._candles = candles

    @classmethod
    def read(cls, name: str, folder: Path) -> RecordedSource:
        """Read what `RecordingSource.save` wrote."""
        with np.load(folder / FILE) as columns:
            return cls(name, {symbol: _candles(columns[symbol]) for symbol in columns.files})

    def load(self, request: CandleRequest) -> Loaded:
        """Return the candles of a symbol; see `engine.ports.CandleSource`."""
        if request.symbol not in self._candles:
            raise unknown("symbol", request.symbol, self._candles)
        candles = self._candles[request.symbol]
        return Loaded(candles, Intake(rows=len(candles.time)))


def _candles(table: NDArray[np.float64]) -> Candles:
    time, *prices = (np.ascontiguousarray(column) for column in table)
    return candles_of(tuple(prices), int(time[0]))  # type: ignore[arg-type]
