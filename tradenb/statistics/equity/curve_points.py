"""A curve in few points, as the charts and the notebook cell draw it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Floats
from tradenb.statistics.equity.curve import Curve, curve_of_closes
from tradenb.statistics.formulas import columns_of

if TYPE_CHECKING:
    from tradenb.statistics.closed_trades import ClosedTrade
    from tradenb.statistics.equity.marks import Marks


class CurvePoints(NamedTuple):
    """Points of a curve, the first at the beginning of the run.

    Attributes
    ----------
    at : list of int
        ms UTC, ascending.
    gains, falls : list of float
        Return since the beginning, and distance to the peak so far (>= 0), percent.
    holds : list of float
        Return of the benchmark, percent; empty where none is known.
    stepped : bool
        There is a value at each close of a position only: between them it stands still.
    """

    at: list[int]
    gains: list[float]
    falls: list[float]
    holds: list[float] = []  # noqa: RUF012 - a field of a tuple
    stepped: bool = False


def fewer(points: CurvePoints, limit: int) -> CurvePoints:
    """Choose some of the points, the extremes among them."""
    lines = [line for line in (points.gains, points.falls, points.holds) if line]
    chosen = sorted({row for line in lines for row in thinned(line, limit // len(lines))})
    at, gains, falls, holds, stepped = points
    return CurvePoints(
        at=[at[row] for row in chosen],
        gains=[gains[row] for row in chosen],
        falls=[falls[row] for row in chosen],
        holds=[holds[row] for row in chosen] if holds else [],
        stepped=stepped,
    )


def points_of(marks: Marks, limit: int) -> CurvePoints:
    """Choose at most `limit` points that keep the extremes of curve, drawdown and benchmark."""
    basket = None if marks.benchmark is None else marks.benchmark.basket
    return _points(marks.curve, basket, limit, stepped=not marks.daily)


def points_of_closes(
    trades: Sequence[ClosedTrade], start: int, end: int, limit: int, unrealised: float | None = None
) -> CurvePoints:
    """Return the points of trades whose candles are not known.

    Parameters
    ----------
    trades : sequence of ClosedTrade
        In order of closing.
    start, end : int
        Bounds of the run, ms UTC.
    unrealised : float, optional
        pnl_percent of what is open at the end.
    """
    percent, _, closed_at = columns_of(trades)
    if unrealised is not None:
        percent, closed_at = np.append(percent, unrealised), np.append(closed_at, end)
    return _points(
        curve_of_closes(closed_at, percent, start=start, end=end), None, limit, stepped=True
    )


def _points(curve: Curve, basket: Curve | None, limit: int, *, stepped: bool) -> CurvePoints:
    values = curve.at_each_close()
    with np.errstate(over="ignore", invalid="ignore"):
        gains = (values / curve.first - 1) * 100
        peaks = np.maximum(np.maximum.accumulate(values), curve.first)
        falls = (peaks - values) / peaks * 100
        holds = None if basket is None else (basket.at_each_close() / basket.first - 1) * 100
    shown = [gains, falls] if holds is None else [gains, falls, holds]
    chosen = sorted({row for line in shown for row in thinned(line, limit // len(shown))})
    return CurvePoints(
        at=[curve.start, *curve.at[chosen].tolist()],
        gains=[0.0, *gains[chosen].tolist()],
        falls=[0.0, *falls[chosen].tolist()],
        holds=[] if holds is None else [0.0, *holds[chosen].tolist()],
        stepped=stepped,
    )


def thinned(values: Sequence[float] | Floats, limit: int) -> list[int]:
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
    line: NDArray[np.float64] = np.asarray(values)
    inner, stretches = count - 2, (limit - 2) // 2
    chosen = {0, count - 1}
    for stretch in range(stretches):
        first = 1 + inner * stretch // stretches
        part = line[first : 1 + inner * (stretch + 1) // stretches]
        chosen |= {first + int(part.argmin()), first + int(part.argmax())}
    return sorted(chosen)
