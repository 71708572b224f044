"""Where the candles of the demo come from; plain values, so that a child process finds them too."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tradenb.core.timeframe import DAY, floor_to
from tradenb.errors import ExchangeError

if TYPE_CHECKING:
    from tradenb.engine.ports import CandleSource

SYMBOL = "BTCUSDT"


class Origin(NamedTuple):
    """The candles of the demo; JSON-plain.

    Attributes
    ----------
    data : str or None
        Parquet, CSV or npy file (or pattern).
    exchange : str or None
        A real exchange; without file and exchange the candles are a seeded random walk.
    days : int
        Length of what is not a file.
    start, end : int or None
        The period, ms UTC; None: all.
    note : str
        What the user should know of the choice.
    """

    data: str | None
    exchange: str | None
    days: int
    start: int | None = None
    end: int | None = None
    note: str = ""

    def source(self) -> tuple[CandleSource, tuple[str, ...]]:
        """Return the candles and their symbols."""
        if self.exchange is not None:
            from tradenb.exchanges.ccxt.ccxt_factory import ccxt_exchange

            return ccxt_exchange(self.exchange), (SYMBOL,)
        if self.data is not None:
            from tradenb.exchanges.tables.file_source import file_exchange

            files = file_exchange(self.data)
            return files, files.symbols
        from tradenb.exchanges.random_walk import random_walk

        return random_walk(seed=7, days=self.days), (SYMBOL,)


def origin_of(data: str | None, exchange: str | None, days: int) -> Origin:
    """Choose the candles; an exchange that cannot be reached is replaced by the random walk."""
    if exchange is None or data is not None:
        return Origin(data, None, days)
    from tradenb.exchanges.ccxt.ccxt_factory import ccxt_exchange

    try:
        now = ccxt_exchange(exchange).server_now(SYMBOL)
    except ExchangeError as error:
        note = f"{exchange} cannot be reached, so this is a random walk ({error})"
        return Origin(None, None, days, note=note)
    end = floor_to(now, DAY)
    return Origin(None, exchange, days, end - days * DAY, end)
