"""`RunPrices`: the given candles of a run, as its curve reads them, and its benchmark.

The benchmark is buying each symbol at the start and holding it, without costs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Candles, Floats, Times
from tradenb.core.prices import market_prices
from tradenb.core.rules import Rules
from tradenb.statistics.equity.curve import Covered, Curve, covered_by, union
from tradenb.statistics.equity.periods import whole_days

Rows = NDArray[np.intp]


class PriceLine(NamedTuple):
    """The given candles of one symbol in a run, a row each.

    Attributes
    ----------
    at : (n,) int64 array
        Close times, ms UTC.
    market : (n,) float64 array
        What positions are worth is measured by it.
    close : (n,) float64 array
    base : float
        What a hold is measured by: the last close at or before the start of the run, else the open
        of its first candle.
    step : int
        Length of a candle, ms.
    """

    at: Times
    market: Floats
    close: Floats
    base: float
    step: int


@dataclass(frozen=True)
class Benchmark:
    """What holding would have been.

    Attributes
    ----------
    holds : mapping of str to (float, float)
        Return and largest drawdown of each symbol, percent.
    basket : Curve
        The mean of the holds; each begins at 1.
    covered : Covered
        Time that one symbol at least covers.
    """

    holds: Mapping[str, tuple[float, float]]
    basket: Curve
    covered: Covered

    @cached_property
    def daily(self) -> Floats:
        """Daily returns of the basket, as fractions."""
        return whole_days(self.basket, self.covered).returns

    @property
    def basket_return(self) -> float:
        """Return of the basket, percent."""
        return (self.basket.growth - 1) * 100

    @property
    def rows(self) -> dict[str, tuple[float, float]]:
        """Return and largest drawdown of each symbol and of the basket, percent."""
        return {**self.holds, "basket": (self.basket_return, self.basket.max_drawdown)}


class RunPrices:
    """The prices of a run by symbol, and what follows from them alone.

    Parameters
    ----------
    candles : mapping of str to Candles
        By symbol, in the order of the run; with history before the start, if there is any.
    start, end : int
        Bounds of the run, ms UTC.
    """

    def __init__(
        self, candles: Mapping[str, Candles], *, start: int, end: int, rules: Rules
    ) -> None:
        self.start, self.end, self.rules = start, end, rules
        self.lines = {symbol: _line(own, start, end, rules) for symbol, own in candles.items()}

    def only(self, symbols: Collection[str]) -> RunPrices:
        """Return those of some symbols."""
        found = copy(self)
        made = ("at", "rows", "covered_by", "covered", "benchmark", "newest")
        found.__dict__ = {name: own for name, own in self.__dict__.items() if name not in made}
        found.lines = {symbol: own for symbol, own in self.lines.items() if symbol in symbols}
        return found

    @cached_property
    def at(self) -> Times:
        """Given closes of any symbol, ms UTC, ascending."""
        first, *others = (line.at for line in self.lines.values())
        if all(np.array_equal(first, other) for other in others):
            return first
        return np.unique(np.concatenate([first, *others]))

    @cached_property
    def rows(self) -> Rows:
        """0, 1, 2, ... one for each of `at`."""
        return np.arange(len(self.at))

    @cached_property
    def covered_by(self) -> dict[str, Covered]:
        """Covered time of each symbol."""
        return {symbol: covered_by(line.at, line.step) for symbol, line in self.lines.items()}

    @cached_property
    def covered(self) -> Covered:
        """Time that one symbol at least covers."""
        return union(self.covered_by.values())

    @cached_property
    def benchmark(self) -> Benchmark:
        """What buying and holding each symbol, and all of them, would have been."""
        return benchmark_of(self)

    @cached_property
    def newest(self) -> dict[str, Rows | None]:
        """The row of each symbol's newest candle at each of `at`; -1 before its first.

        None: it has a candle at each.
        """
        return {
            symbol: None
            if len(line.at) == len(self.at)
            else np.searchsorted(line.at, self.at, "right") - 1
            for symbol, line in self.lines.items()
        }


def benchmark_of(prices: RunPrices) -> Benchmark:
    """Hold each symbol and the basket of all."""
    start, end, at, rows = prices.start, prices.end, prices.at, prices.rows
    holds, total, count = {}, np.zeros(len(at)), len(prices.lines)
    for symbol, line in prices.lines.items():
        hold, newest = line.close / line.base, prices.newest[symbol]
        if newest is not None:
            hold = np.where(newest < 0, 1.0, np.append(hold, 1.0)[newest])
        own = Curve(start, end, at, rows, hold)
        holds[symbol] = ((own.growth - 1) * 100, own.max_drawdown)
        total += hold
    basket = own if count == 1 else Curve(start, end, at, rows, total / count)
    return Benchmark(holds, basket, prices.covered)


def _line(candles: Candles, start: int, end: int, rules: Rules) -> PriceLine:
    close_times = candles.time + candles.step
    first = int(np.searchsorted(close_times, start, "right"))
    stop = int(np.searchsorted(close_times, end, "right"))
    base = candles.close_at(first - 1) if first else float(candles.open[0])
    return PriceLine(
        at=close_times[first:stop],
        market=market_prices(candles, first, stop, rules),
        close=candles.close[first:stop],
        base=base,
        step=candles.step,
    )
