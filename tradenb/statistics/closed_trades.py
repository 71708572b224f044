"""What the statistics read of closed trades, one by one or in columns; no numpy needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from tradenb.core.candles.arrays import Floats, Times


class ClosedTrade(Protocol):
    """What `figures` reads of a trade; times in ms UTC."""

    @property
    def pnl_percent(self) -> float:
        """Percent, net of costs."""

    @property
    def opened_at(self) -> int:
        """Close time of the candle that opened it."""

    @property
    def closed_at(self) -> int:
        """Close time of the candle that closed it."""


class TradeColumns(NamedTuple):
    """Closed trades as arrays: percent, and times in ms UTC; (n,) float64 and int64."""

    pnl_percent: Floats
    opened_at: Times
    closed_at: Times
