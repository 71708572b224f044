"""Candles as a DataFrame, as users' functions get them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradenb.core.candles.arrays import NAMES, Candles

if TYPE_CHECKING:
    import pandas as pd


def frame_of(candles: Candles) -> pd.DataFrame:
    """Return candles as a frame of their own: a UTC index of open times, five float64 columns."""
    import pandas as pd

    times = pd.DatetimeIndex(candles.time.astype("datetime64[ms]"), name="time")
    columns = {name: getattr(candles, name) for name in NAMES}
    return pd.DataFrame(columns, index=times.tz_localize("UTC"))
