"""What the statistics read of closed trades, and what they say of one; no numpy needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

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


class Excursion(NamedTuple):
    """What a trade went through; NaN where its candles are not known.

    Attributes
    ----------
    mae_percent, mfe_percent : float
        Worst and best price while it was held, percent of its average entry, without costs.
    r_multiple : float
        pnl_percent x invested, in units of the distance of its first stop from its first entry,
        percent of it.
    """

    mae_percent: float
    mfe_percent: float
    r_multiple: float


UNKNOWN: Final = Excursion(float("nan"), float("nan"), float("nan"))
