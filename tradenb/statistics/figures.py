"""The statistics of a run, as a plain dict.

Of closed trades: pnl_percent, opened_at and closed_at, in order of closing. Of the curve: what
`Marks` brings. Sums are added one by one, oldest first, so that the last bits depend neither on the
versions of Python and numpy nor on how the trades were gathered. N/A is NaN. Every name is defined
once more, with its unit, in docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tradenb.errors import UsageError
from tradenb.statistics.closed_trades import ClosedTrade, TradeColumns

if TYPE_CHECKING:
    from tradenb.statistics.equity.marks import Marks

UNITS: Final[dict[str, str]] = {
    "count": "count", "wins": "count", "losses": "count", "win_rate": "%",
    "total_pnl": "pp", "avg_pnl": "%", "expectancy": "%",
    "avg_win": "%", "avg_loss": "%", "best": "%", "worst": "%",
    "std": "%", "std_population": "%",
    "sharpe": "ratio", "sharpe_annual": "ratio", "sortino": "ratio",
    "profit_factor": "ratio", "certainty_ratio": "ratio",
    "trades_per_year": "per year", "expected_yearly_return": "pp",
    "max_drawdown_simple": "pp", "longest_wins": "count", "longest_losses": "count",
    "avg_minutes": "minutes",
    "compounded_return": "%", "annual_return": "%", "max_drawdown": "%", "calmar": "ratio",
    "sharpe_daily": "ratio", "sortino_daily": "ratio",
    "benchmark_return": "%", "benchmark_drawdown": "%", "alpha": "%", "beta": "ratio",
    "exposure": "fraction", "open": "count", "open_pnl": "pp",
}  # fmt: skip
"""Names of all figures, in the order of `result.stats`, with their units (pp: percent points)."""
MONEY_UNITS: Final[dict[str, str]] = {
    "final_equity": "money", "net_profit": "money", "max_drawdown_value": "money",
    "fees_paid": "money", "funding_paid": "money", "turnover": "money",
    "exposure_money": "fraction", "leverage_max": "ratio",
}  # fmt: skip
"""Names of the figures that a run with an account has behind the others, with their units."""
ALL_UNITS: Final = UNITS | MONEY_UNITS

OF_TRADES: Final = frozenset(
    {
        "sharpe", "sharpe_annual", "sortino", "profit_factor", "certainty_ratio", "trades_per_year",
        "expected_yearly_return",
    }
)  # fmt: skip
"""Figures that are N/A below `MIN_TRADES` trades or `MIN_DAYS` days: they would be guesses."""
OF_DAYS: Final = frozenset(
    {"annual_return", "calmar", "sharpe_daily", "sortino_daily", "alpha", "beta"}
)
"""Figures that are N/A below `MIN_DAYS` days of covered time, and after ruin."""
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
        All names of `UNITS`, in that order, then with an account those of `MONEY_UNITS`; N/A is
        NaN.

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
    from tradenb.statistics.equity.marks import marks_of_trades
    from tradenb.statistics.formulas import check, columns_of, formulas, within

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
    from tradenb.statistics.equity.curve_figures import (
        benchmark_figures,
        curve_figures,
        daily_figures,
        yearly_figures,
    )

    curve, covered, benchmark = marks.curve, marks.covered, marks.benchmark
    found = curve_figures(curve)
    found |= {
        "exposure": marks.exposure,
        "open": float(marks.open),
        "open_pnl": marks.open_pnl,
    }
    if benchmark is not None:
        found |= benchmark_figures(benchmark)
    if long_enough:
        found |= yearly_figures(curve, covered)
        if marks.daily:
            found |= daily_figures(curve, covered, benchmark)
    return found


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
