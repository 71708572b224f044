"""The statistics of a run, as a plain dict.

Of closed trades: pnl_percent, opened_at and closed_at, in order of closing. Of the curve: what
`Marks` brings. Sums are added one by one, oldest first, so that the last bits depend neither on the
versions of Python and numpy nor on how the trades were gathered. N/A is NaN. Every name is defined
once more, with its unit, in docs/statistics.md; `figure_names.py` has them in code.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from tradenb.core.candles.arrays import Floats
from tradenb.errors import UsageError
from tradenb.statistics.closed_trades import ClosedTrade, TradeColumns
from tradenb.statistics.equity.curve import YEAR, Covered, Curve
from tradenb.statistics.equity.marks import Marks, marks_of_trades
from tradenb.statistics.equity.periods import whole_days
from tradenb.statistics.equity.run_prices import Benchmark
from tradenb.statistics.figure_names import UNITS
from tradenb.statistics.formulas import (
    LARGEST_SHARPE,
    check,
    columns_of,
    deviation,
    formulas,
    ratio,
    total,
    within,
)

MIN_TRADES: Final = 10
MIN_DAYS: Final = 14
_COUNTS: Final = frozenset({"count", "wins", "losses", "open"})
_OF_CANDLES: Final = frozenset({"benchmark_return", "benchmark_drawdown"})
# What is 0, and not N/A, where nothing was filled.
_NOTHING: Final = frozenset(
    {
        "total_pnl", "compounded_return", "max_drawdown", "max_drawdown_simple", "longest_wins",
        "longest_losses", "exposure", "open_pnl",
    }
)  # fmt: skip
_AFTER_RUIN: Final = frozenset({"expected_yearly_return", "sharpe_annual"})
_MINUTE: Final = 60_000
_DAY: Final = 86_400_000
_ROOT: Final = math.sqrt(365)


def figures(
    trades: Sequence[ClosedTrade] | TradeColumns,
    *,
    start: int,
    end: int,
    instances: int = 1,
    marks: Marks | None = None,
    failed: bool = False,
    min_trades: int = MIN_TRADES,
    min_days: float = MIN_DAYS,
) -> dict[str, float]:
    """Compute all statistics of a run.

    Parameters
    ----------
    trades : sequence of ClosedTrade, or TradeColumns
        In order of closing; pnl_percent in percent, net of costs. Only those with
        ``start < closed_at <= end`` count.
    start, end : int
        Bounds of the run, ms UTC, ``start <= end``; floored to the minute, as a run does.
    instances : int, default 1
        Strategies x symbols of the run, >= 1; `exposure` and `sharpe_annual` depend on it.
    marks : Marks, optional
        Curve and covered time of the run. Without it the curve has a value at each close, all time
        is covered, nothing is open, and what needs prices is N/A.
    failed : bool, default False
        Every ask of the run ended in an error: all but counts and the benchmark is N/A.
    min_trades, min_days : int, float
        Below either, ratios and yearly figures are N/A; those of the curve only below `min_days`.

    Returns
    -------
    dict of str to float
        All names of `figure_names.UNITS`, in that order, then with an account those of
        `MONEY_UNITS`; N/A is NaN.

    Raises
    ------
    UsageError
        When a bound is out of range, a pnl_percent is not finite or a trade closes before it opens.

    Notes
    -----
    sharpe is the ex-post ratio without a riskless rate, per trade (Sharpe, W. F., "The Sharpe
    Ratio", Journal of Portfolio Management 21(1), 1994); sharpe_annual scales it by the root of the
    trades per year and instance, which assumes that trades are independent. sortino divides by the
    downside deviation below 0 over all trades (Sortino, F. and van der Meer, R., "Downside Risk",
    Journal of Portfolio Management 17(4), 1991). sharpe_daily and sortino_daily are the same of
    daily returns, times the root of 365. calmar is annual return over largest drawdown (Young,
    T. W., "Calmar Ratio: A Smoother Tool", Futures, 1991), here over the whole run, not 36 months.
    alpha and beta are those of a regression on the daily returns of the basket (Jensen, M. C., "The
    Performance of Mutual Funds", Journal of Finance 23(2), 1968).

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> trade = SimpleNamespace(pnl_percent=1.5, opened_at=0, closed_at=3_600_000)
    >>> figures([trade], start=0, end=86_400_000)["avg_minutes"]
    60.0
    """
    _check_bounds(start, end, instances=instances, min_trades=min_trades, min_days=min_days)
    start, end = start - start % _MINUTE, end - end % _MINUTE
    columns = trades if isinstance(trades, TradeColumns) else columns_of(trades)
    check(columns)
    columns = within(columns, start, end)
    if marks is None:
        marks = marks_of_trades(columns, start=start, end=end, instances=instances)
    long_enough = marks.covered.length >= min_days * _DAY
    found = formulas(
        columns,
        years=marks.covered.length / (365 * _DAY),
        instances=instances,
        min_trades=min_trades if long_enough else math.inf,
    )
    if marks.curve.ruined_at is not None:
        found = {name: value for name, value in found.items() if name not in _AFTER_RUIN}
    found |= _of_curve(marks, long_enough=long_enough)
    kept = frozenset(UNITS)
    if failed:
        kept = _COUNTS | _OF_CANDLES
    elif not len(columns.pnl_percent) and not marks.open:
        kept = _COUNTS | _OF_CANDLES | _NOTHING
        found |= dict.fromkeys(_NOTHING, 0.0)
    known = {name: _finite(value) for name, value in found.items() if name in kept}
    money = {} if marks.money is None else marks.money.figures()
    if failed:
        money = dict.fromkeys(money, math.nan)
    return {name: known.get(name, math.nan) for name in UNITS} | money


def all_failed(asks: int, lost: int, failed: int) -> bool:
    """Tell whether every ask ended in an error; those with too little history tell nothing."""
    return failed > 0 and lost + failed == asks


def _finite(value: float) -> float:
    """Return a value; what overflowed is N/A."""
    return value if math.isfinite(value) else math.nan


def _of_curve(marks: Marks, *, long_enough: bool) -> dict[str, float]:
    curve, covered, benchmark = marks.curve, marks.covered, marks.benchmark
    found = {
        "compounded_return": (curve.growth - 1) * 100,
        "max_drawdown": curve.max_drawdown,
        "exposure": marks.exposure,
        "open": float(marks.open),
        "open_pnl": marks.open_pnl,
    }
    if benchmark is not None:
        found["benchmark_return"] = benchmark.basket_return
        found["benchmark_drawdown"] = benchmark.basket.max_drawdown
    if long_enough:
        found |= _yearly_figures(curve, covered)
        if marks.daily:
            found |= _daily_figures(curve, covered, benchmark)
    return found


def _yearly_figures(curve: Curve, covered: Covered) -> dict[str, float]:
    """Return the figures that are scaled to a year of covered time; nothing after ruin."""
    if curve.ruined_at is not None:
        return {}
    annual = _annual(curve.growth, covered.length / YEAR)
    return {"annual_return": annual, "calmar": ratio(annual, curve.max_drawdown)}


def _daily_figures(curve: Curve, covered: Covered, benchmark: Benchmark | None) -> dict[str, float]:
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


def _check_bounds(
    start: int, end: int, *, instances: int, min_trades: int, min_days: float
) -> None:
    if end < start:
        raise UsageError(f"end must not be before start ({start} ms), was {end} ms; swap them")
    if instances < 1:
        raise UsageError(f"instances must be strategies x symbols, at least 1, was {instances!r}")
    if not min_trades >= 0:
        raise UsageError(f"min_trades must be 0 or more, was {min_trades!r}")
    if not min_days >= 0:
        raise UsageError(f"min_days must be 0 or more, was {min_days!r}")
