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

    Examples
    --------
    >>> import tempfile
    >>> import tradenb as tn
    >>> @tn.strategy("ticking", every="5m")
    ... def ticking(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=1.5), minutes=10)
    >>> market, home = tn.testing.random_walk(seed=7, days=1), tempfile.mkdtemp()
    >>> given = {"strategy": ticking, "exchange": market, "home": home}
    >>> run = tn.live.rehearse("BTCUSDT", end="2024-01-01T00:30", speed=None, **given)
    >>> run.wait(60)
    True
    >>> run.ticks()[["at", "action", "candles"]].tail(2)
                              at  action  candles
    28 2024-01-01 00:29:00+00:00  active        1
    29 2024-01-01 00:30:00+00:00  active        1
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
