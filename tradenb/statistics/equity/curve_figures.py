"""The figures of a curve: return, drawdown, and what its daily returns say."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tradenb.core.candles.arrays import Floats
from tradenb.statistics.equity.covered_time import YEAR, Covered
from tradenb.statistics.equity.curve import Curve
from tradenb.statistics.equity.periods import whole_days
from tradenb.statistics.equity.run_prices import Benchmark
from tradenb.statistics.formulas import LARGEST_SHARPE, deviation, ratio, total

_ROOT: Final = math.sqrt(365)


def curve_figures(curve: Curve) -> dict[str, float]:
    """Return what a curve of any length says."""
    return {
        "compounded_return": (curve.growth - 1) * 100,
        "max_drawdown": curve.max_drawdown,
    }


def yearly_figures(curve: Curve, covered: Covered) -> dict[str, float]:
    """Return the figures that are scaled to a year of covered time; nothing after ruin."""
    if curve.ruined_at is not None:
        return {}
    annual = _annual(curve.growth, covered.length / YEAR)
    return {"annual_return": annual, "calmar": ratio(annual, curve.max_drawdown)}


def daily_figures(curve: Curve, covered: Covered, benchmark: Benchmark | None) -> dict[str, float]:
    """Return the figures of daily returns; nothing after ruin, no alpha without a benchmark."""
    if curve.ruined_at is not None:
        return {}
    own = whole_days(curve, covered).returns
    if not len(own):
        return {}
    mean = total(own) / len(own)
    falls = np.minimum(own, 0.0)
    found = {
        "sharpe_daily": _scaled(mean, deviation(own, mean, len(own) - 1)),
        "sortino_daily": _scaled(mean, math.sqrt(total(falls * falls) / len(own))),
    }
    if benchmark is None:
        return found
    return found | _against(own, mean, benchmark.daily)


def benchmark_figures(benchmark: Benchmark) -> dict[str, float]:
    """Return the figures of the basket."""
    return {
        "benchmark_return": benchmark.basket_return,
        "benchmark_drawdown": benchmark.basket.max_drawdown,
    }


def _against(own: Floats, mean: float, basket: Floats) -> dict[str, float]:
    """Compare daily returns with those of the basket; nothing if it never moves."""
    if not basket.any():
        return {}
    level = total(basket) / len(basket)
    away = basket - level
    spread = total(away * away)
    if not spread:
        return {}
    beta = total(away * (own - mean)) / spread
    return {"beta": beta, "alpha": (mean - beta * level) * 365 * 100}


def _scaled(mean: float, spread: float) -> float:
    if not spread or spread * LARGEST_SHARPE <= abs(mean):
        return math.nan
    return mean / spread * _ROOT


def _annual(growth: float, years: float) -> float:
    if growth < 0 or not years:
        return math.nan
    try:
        return (math.pow(growth, 1 / years) - 1) * 100
    except OverflowError:  # a good hour, compounded over a year
        return math.nan
