"""The equity curve of closed trades, and how to draw a long one with few points.

Equity is compounded: it starts at 1 and is multiplied by (1 + pnl_percent/100) at each close, each
trade with the whole of it. Between closes it is flat: the value of open positions is not included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

    from tradenb.core.signal import Trade


def equity_curve(trades: Sequence[Trade]) -> tuple[list[int], list[float], list[float]]:
    """Compound trades, one point for each close.

    Parameters
    ----------
    trades : sequence of Trade
        In order of closing.

    Returns
    -------
    times : list of int
        closed_at of each trade, ms UTC; several trades may share one.
    equity : list of float
        After each trade; 1 is where it started.
    drawdown : list of float
        How far equity lies below its peak so far (at least 1, the start), percent, >= 0.

    Examples
    --------
    >>> equity_curve([])
    ([], [], [])
    """
    equity: list[float] = []
    drawdown: list[float] = []
    current = peak = 1.0
    for trade in trades:
        current *= 1 + trade.pnl_percent / 100
        peak = max(peak, current)
        equity.append(current)
        drawdown.append((peak - current) / peak * 100)
    return [trade.closed_at for trade in trades], equity, drawdown


def equity_series(trades: Sequence[Trade], start: int) -> pandas.Series[float]:
    """Return the equity curve as a Series.

    Parameters
    ----------
    trades : sequence of Trade
        In order of closing.
    start : int
        Beginning of the run, ms UTC; there the curve is 1.0.

    Returns
    -------
    Series of float64
        Named "equity"; the index "at" is datetime64[ms, UTC] and may repeat a moment.

    Examples
    --------
    >>> equity_series([], 1_704_067_200_000).tolist()
    [1.0]
    """
    import numpy as np
    import pandas

    times, equity, _ = equity_curve(trades)
    at = np.array([start, *times], dtype=np.int64).view("datetime64[ms]")
    index = pandas.DatetimeIndex(at, name="at").tz_localize("UTC")
    return pandas.Series([1.0, *equity], index=index, name="equity", dtype="float64")


def thinned(values: Sequence[float], limit: int) -> list[int]:
    """Choose at most `limit` points that keep the shape of a curve.

    Parameters
    ----------
    limit : int
        Most points wanted, >= 4.

    Returns
    -------
    list of int
        Ascending indices: the first, the last, and of every stretch between them the lowest and the
        highest; so both extremes of the whole are among them. All indices if they fit.

    Examples
    --------
    >>> thinned([0.0, 1.0, 9.0, 1.0, 2.0, -5.0, 1.0, 0.0], 6)
    [0, 1, 2, 4, 5, 7]
    """
    count = len(values)
    if count <= limit:
        return list(range(count))
    inner, stretches = count - 2, (limit - 2) // 2
    chosen = {0, count - 1}
    for stretch in range(stretches):
        rows = range(1 + inner * stretch // stretches, 1 + inner * (stretch + 1) // stretches)
        chosen.add(min(rows, key=values.__getitem__))
        chosen.add(max(rows, key=values.__getitem__))
    return sorted(chosen)
