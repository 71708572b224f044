"""The statistics of closed trades, as a plain dict.

Everything is computed from pnl_percent, opened_at and closed_at of trades in order of closing; this
file knows no candles, rules or runs. Sums are added one by one, oldest first, so that the last bits
depend neither on the versions of Python and numpy nor on how the trades were gathered. N/A is NaN.
Every name is defined once more, with its unit, in docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from tradenb.errors import UsageError
from tradenb.statistics.closed_trades import ClosedTrade, TradeColumns

UNITS: Final[dict[str, str]] = {
    "count": "count", "wins": "count", "losses": "count", "win_rate": "%",
    "total_pnl": "pp", "avg_pnl": "%", "expectancy": "%",
    "avg_win": "%", "avg_loss": "%", "best": "%", "worst": "%",
    "std": "%", "std_population": "%",
    "sharpe": "ratio", "sharpe_annual": "ratio", "sortino": "ratio",
    "profit_factor": "ratio", "certainty_ratio": "ratio",
    "compounded_return": "%", "annual_return": "%",
    "trades_per_year": "per year", "expected_yearly_return": "pp",
    "max_drawdown": "%", "max_drawdown_simple": "pp", "calmar": "ratio",
    "longest_wins": "count", "longest_losses": "count",
    "avg_minutes": "minutes", "exposure": "fraction",
}  # fmt: skip
"""Names of all figures, in the order of `result.stats`, with their units (pp: percent points)."""

NEEDS_MORE: Final = frozenset(
    {
        "sharpe", "sharpe_annual", "sortino", "profit_factor", "certainty_ratio", "trades_per_year",
        "expected_yearly_return", "annual_return", "calmar",
    }
)  # fmt: skip
"""Figures that are N/A below `MIN_TRADES` trades or `MIN_DAYS` days: they would be guesses."""
MIN_TRADES: Final = 10
MIN_DAYS: Final = 14
_MINUTE: Final = 60_000
_DAY: Final = 86_400_000


def figures(
    trades: Sequence[ClosedTrade] | TradeColumns,
    *,
    start: int,
    end: int,
    instances: int = 1,
    min_trades: int = MIN_TRADES,
    min_days: float = MIN_DAYS,
) -> dict[str, float]:
    """Compute all statistics of closed trades.

    Parameters
    ----------
    trades : sequence of ClosedTrade, or TradeColumns
        In order of closing; pnl_percent in percent, net of costs.
    start, end : int
        Bounds of the run, ms UTC, ``start <= end``; floored to the minute, as a run does.
    instances : int, default 1
        Strategies x symbols of the run, >= 1; only `exposure` depends on it.
    min_trades, min_days : int, float
        Below either, ratios and yearly figures are N/A.

    Returns
    -------
    dict of str to float
        All names of `UNITS`, in that order; N/A is NaN.

    Raises
    ------
    UsageError
        When a bound is out of range, a pnl_percent is not finite or a trade closes before it opens.

    Notes
    -----
    sharpe is the ex-post ratio without a riskless rate, per trade (Sharpe, W. F., "The Sharpe
    Ratio", Journal of Portfolio Management 21(1), 1994); sharpe_annual scales it by the root of the
    trades per year, which assumes that trades are independent. sortino divides by the downside
    deviation below 0 over all trades (Sortino, F. and van der Meer, R., "Downside Risk", Journal of
    Portfolio Management 17(4), 1991). calmar is annual return over largest drawdown (Young, T. W.,
    "Calmar Ratio: A Smoother Tool", Futures, 1991), here over the whole run, not 36 months.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> trade = SimpleNamespace(pnl_percent=1.5, opened_at=0, closed_at=3_600_000)
    >>> figures([trade], start=0, end=86_400_000)["avg_minutes"]
    60.0
    """
    from tradenb.statistics.formulas import columns_of, formulas

    _check_bounds(start, end, instances=instances, min_trades=min_trades, min_days=min_days)
    period = end - end % _MINUTE - (start - start % _MINUTE)
    found = formulas(
        trades if isinstance(trades, TradeColumns) else columns_of(trades),
        period=period,
        instances=instances,
        min_trades=min_trades if period >= min_days * _DAY else math.inf,
    )
    return {name: found.get(name, math.nan) for name in UNITS}


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
