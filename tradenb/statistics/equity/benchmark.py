"""The benchmark of a run: buying each symbol at its start and holding it, without costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Floats, Times
from tradenb.statistics.equity.curve import Curve

Held = tuple[Floats, float, "NDArray[np.intp] | None"]


@dataclass(frozen=True)
class Benchmark:
    """What holding would have been.

    Attributes
    ----------
    holds : mapping of str to (float, float)
        Return and largest drawdown of each symbol, percent.
    basket : Curve
        The mean of the holds; each begins at 1.
    daily : (n,) float64 array
        Daily returns of the basket, as fractions.
    """

    holds: Mapping[str, tuple[float, float]]
    basket: Curve
    daily: Floats

    @property
    def basket_return(self) -> float:
        """Return of the basket, percent."""
        return (self.basket.growth - 1) * 100

    @property
    def rows(self) -> dict[str, tuple[float, float]]:
        """Return and largest drawdown of each symbol and of the basket, percent."""
        return {**self.holds, "basket": (self.basket_return, self.basket.max_drawdown)}


def benchmark_of(
    symbols: Sequence[str], lines: Sequence[Held], *, at: Times, start: int, end: int
) -> Benchmark:
    """Hold each symbol and the basket of all.

    Parameters
    ----------
    lines : sequence of (close, base, newest)
        Of each symbol its closes, what they are measured by, and the row of the newest of them at
        each of `at`, -1 before the first; None: one at each.
    """
    rows = np.arange(len(at), dtype=np.int64)
    holds, total = {}, np.zeros(len(at))
    for symbol, (close, base, newest) in zip(symbols, lines, strict=True):
        hold = close / base
        if newest is not None:
            hold = np.where(newest < 0, 1.0, np.append(hold, 1.0)[newest])
        own = Curve(start, end, at, rows, hold)
        holds[symbol] = ((own.growth - 1) * 100, own.max_drawdown)
        total += hold
    basket = own if len(lines) == 1 else Curve(start, end, at, rows, total / len(lines))
    return Benchmark(holds, basket, np.zeros(0))
