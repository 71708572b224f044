"""What an `ExchangeServer` is made of: candles of every symbol, and the time there."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np

from tradenb.clock import SystemClock
from tradenb.core.candles.arrays import Rows
from tradenb.core.rules import Rules
from tradenb.core.timeframe import MINUTE, TimeLike, floor_to, iso, to_ms
from tradenb.engine.ports import CandleRequest, CandleSource
from tradenb.errors import UsageError, shown


class Clock(Protocol):
    """Anything that gives the time."""

    def now(self) -> int:
        """Return the time, ms UTC."""


class ServerClock:
    """The time on the exchange: it is stepped, or it runs.

    Parameters
    ----------
    start : int, str, datetime or Timestamp
        The first moment.
    speed : float, default 0
        Seconds in one second: 0 stands still, 1 is real, 60 makes a minute of a second.

    Examples
    --------
    >>> clock = ServerClock("2024-01-01")
    >>> clock.step(minutes=90)
    >>> clock.now() - ServerClock("2024-01-01").now()
    5400000
    """

    def __init__(self, start: TimeLike, *, speed: float = 0.0) -> None:
        self._start = to_ms(start, "start")
        self._speed = speed
        self._began = time.monotonic()

    def __repr__(self) -> str:
        runs = f"speed {self._speed:g}" if self._speed else "stepped"
        return f"<ServerClock at {iso(self.now())}, {runs}>"

    def now(self) -> int:
        """Return the time, ms UTC."""
        return self._start + int((time.monotonic() - self._began) * 1000 * self._speed)

    def step(self, minutes: float = 1) -> None:
        """Let time pass at once."""
        self._start += round(minutes * MINUTE)


def moved_to_now(given: Iterable[tuple[str, Rows]], now: TimeLike) -> list[tuple[str, Rows]]:
    """Return candles as if a moment of theirs were now, moved by whole minutes."""
    moment = to_ms(now, "now")
    by = floor_to(SystemClock().now() - moment)
    found = [(symbol, rows._replace(time=rows.time + by)) for symbol, rows in given]
    if all(rows.time[-1] - by < moment for _, rows in found):
        raise UsageError(f"there are no candles after now={now!r}; choose an earlier moment")
    return found


def rows_of_all(candles: Any, symbols: list[str]) -> Iterable[tuple[str, Rows]]:
    """Return the rows of every symbol, as they are given: gaps stay gaps."""
    if isinstance(candles, CandleSource):
        for symbol in symbols:
            loaded = candles.load(CandleRequest(symbol=symbol, rules=Rules())).candles
            columns = (loaded.open, loaded.high, loaded.low, loaded.close, loaded.volume)
            yield symbol, Rows(loaded.time, *columns)
        return
    from tradenb.exchanges.tables.frame_source import rows_from_frame

    frames = candles if isinstance(candles, Mapping) else dict.fromkeys(symbols, candles)
    if not all(hasattr(frame, "columns") for frame in frames.values()):
        raise UsageError(
            "candles must be a DataFrame, a dict of them or an exchange with recorded candles, was "
            f"{shown(candles)}"
        )
    if not frames:
        raise UsageError("candles must have at least one symbol, was an empty dict")
    for symbol, frame in frames.items():
        rows = rows_from_frame(frame)
        last = np.append(np.diff(rows.time) != 0, True)[: len(rows.time)]
        yield symbol, rows.take(np.flatnonzero(last))
