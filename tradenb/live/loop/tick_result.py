"""What one tick came to, as subscribers of the channel "ticks" get it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd


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


def tick_frame(ticks: Sequence[Tick]) -> pd.DataFrame:
    """Return ticks as a frame, one row each."""
    import pandas as pd

    frame = pd.DataFrame(ticks, columns=list(Tick._fields))
    for name in ("at", "wall"):
        times = pd.to_datetime(frame[name], unit="ms", utc=True)
        frame[name] = times.astype("datetime64[ms, UTC]")
    return frame
