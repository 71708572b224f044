"""What one tick came to, as subscribers of the channel "ticks" get it."""

from __future__ import annotations

from typing import NamedTuple


class Tick(NamedTuple):
    """The result of one pass of the loop for one run.

    Attributes
    ----------
    at : int
        Newest close time that was fed, ms UTC.
    wall : int
        When the tick ended, ms UTC.
    symbol, strategy : str
    action : str
        idle, scheduled, active, opened, closed or cancelled.
    price : float
        Market price at `at`.
    signal_id : str or None
    duration_ms : float
    candles : int
        Candles that this tick fed.
    """

    at: int
    wall: int
    symbol: str
    strategy: str
    action: str
    price: float
    signal_id: str | None
    duration_ms: float
    candles: int
