"""Excursions: the worst and the best price while a position was held, and its result in risks.

mae_percent (<= 0) and mfe_percent (>= 0) are without costs, in percent of the average entry of the
moment. Low and high of each candle after the one that opened it count. Of the candle that ended it
counts what came before: by a stop its open and the fill; by a target also its adverse extreme,
which may have come first; at its open the open; at its close all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Candles, Times
from tradenb.core.fills import Filled
from tradenb.core.signal import Trade
from tradenb.statistics.closed_trades import UNKNOWN, Excursion

End = Literal["stop", "target", "open", "close"]
STOPS: Final = frozenset({"stop_loss", "breakeven", "trailing_stop"})
_DUE: Final = frozenset({"time_expired", "flattened"})


class Path(NamedTuple):
    """The way of one position from its opening to its end, for `excursions`.

    Attributes
    ----------
    entries : tuple of (int, float)
        Closes of the candles of its entries (ms UTC), with the average entry from then on.
    realised : float
        Sum of cost x percent over all that was closed.
    """

    symbol: str
    long: bool
    entries: tuple[tuple[int, float], ...]
    closed_at: int
    exit: float
    end: End
    first_stop: float
    realised: float


def paths_of(filled: Iterable[Filled]) -> dict[tuple[str, str, str], list[Path]]:
    """Return the ways of closed positions, by (symbol, strategy, signal_id), in their order."""
    found: dict[tuple[str, str, str], list[Path]] = {}
    entries: dict[tuple[str, str, str], list[tuple[int, float]]] = {}
    for fill in filled:
        event, signal = fill.event, fill.signal
        key = (event.symbol, event.strategy, signal.id)
        if fill.kind == "entry":
            entries[key] = [(event.at, signal.entry)]
        elif fill.kind == "add":
            entries[key].append((event.at, signal.entry))
        elif fill.kind == "exit" and fill.before is not None:
            before, percent = fill.before, event.pnl_percent or 0.0
            path = Path(
                symbol=event.symbol,
                long=signal.position == "long",
                entries=tuple(entries.pop(key)),
                closed_at=event.at,
                exit=event.price or 0.0,
                end=end_of(event.exit_reason, at_market=fill.moved),
                first_stop=before.first_stop,
                realised=percent * before.invested,
            )
            found.setdefault(key, []).append(path)
    return found


def excursions_of(
    candles: Mapping[str, Candles], filled: Iterable[Filled], trades: Sequence[Trade]
) -> list[Excursion]:
    """Measure what trades went through, whose fills are known."""
    waiting = {key: iter(paths) for key, paths in paths_of(filled).items()}
    keys = [(trade.symbol, trade.strategy, trade.signal_id) for trade in trades]
    found = [next(waiting[key], None) if key in waiting else None for key in keys]
    measured = iter(excursions(candles, [path for path in found if path is not None]))
    return [UNKNOWN if path is None else next(measured) for path in found]


def end_of(reason: str | None, *, at_market: bool) -> End:
    """Say what ended a position on its last candle, as far as the reason tells."""
    if at_market:
        return "close"
    if reason in STOPS:
        return "stop"
    if reason == "take_profit":
        return "target"
    return "open" if reason in _DUE else "close"


def excursions(candles: Mapping[str, Candles], paths: Iterable[Path]) -> list[Excursion]:
    """Measure what positions went through; their candles are those of their symbols."""
    columns = {symbol: _Columns(own) for symbol, own in candles.items()}
    return [
        columns[path.symbol].excursion(path) if path.symbol in columns else UNKNOWN
        for path in paths
    ]


class _Columns:
    """The candles of one symbol."""

    def __init__(self, candles: Candles) -> None:
        self.closes: Times = candles.time + candles.step
        self.step = candles.step
        self.open, self.high, self.low = candles.open, candles.high, candles.low
        self.close = candles.close

    def excursion(self, path: Path) -> Excursion:
        first_entry = path.entries[0][1]
        risk = abs(first_entry - path.first_stop) / first_entry * 100
        multiple = path.realised / risk if risk else float("nan")
        last = self._row(path.closed_at)
        begins = [self._row(at) for at, _ in path.entries]
        if last is None or any(row is None for row in begins):
            return Excursion(float("nan"), float("nan"), multiple)
        rows = [row for row in begins if row is not None]
        worst = best = 0.0
        for place, (_, entry) in enumerate(path.entries):
            stop = rows[place + 1] + 1 if place + 1 < len(rows) else last
            low, high = self._range(rows[place] + 1, min(stop, last), entry)
            if place + 1 == len(rows):
                low, high = _wider((low, high), self._at_end(path, last, entry, rows[0]))
            worst, best = min(worst, low), max(best, high)
        if path.long:
            return Excursion(worst, best, multiple)
        return Excursion(0.0 - best, 0.0 - worst, multiple)

    def _row(self, at: int) -> int | None:
        row = int(np.searchsorted(self.closes, at))
        return row if row < len(self.closes) and self.closes[row] == at else None

    def _range(self, start: int, stop: int, entry: float) -> tuple[float, float]:
        """Return lowest and highest price of rows in percent of an entry; 0 without rows."""
        if start >= stop:
            return 0.0, 0.0
        low, high = float(self.low[start:stop].min()), float(self.high[start:stop].max())
        return (low - entry) / entry * 100, (high - entry) / entry * 100

    def _at_end(self, path: Path, row: int, entry: float, opened: int) -> tuple[float, float]:
        """Return lowest and highest price of the candle that ended a position, in percent."""
        begin, low, high = float(self.open[row]), float(self.low[row]), float(self.high[row])
        if opened == row:
            seen = [path.exit]
        elif path.end == "stop":
            seen = [begin, path.exit]
        elif path.end == "target":
            seen = [begin, low if path.long else high, path.exit]
        elif path.end == "open" and self._reopened(row) and path.exit == begin:
            seen = [begin]
        else:
            seen = [low, high]
        found: NDArray[np.float64] = (np.array(seen) - entry) / entry * 100
        return float(found.min()), float(found.max())

    def _reopened(self, row: int) -> bool:
        """Tell whether candles are missing before a row."""
        return row > 0 and bool(self.closes[row] - self.closes[row - 1] > self.step)


def _wider(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return min(one[0], other[0]), max(one[1], other[1])
