"""The statistics of closed trades, as a plain dict.

Everything is computed from pnl_percent, opened_at and closed_at of trades in order of closing; this
file knows no candles, rules or runs. Sums are added one by one, oldest first, so that the last bits
depend neither on the Python version nor on how the trades were gathered. N/A is NaN.
Every name is defined once more, with its unit, in docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import accumulate, groupby
from operator import add, le, mul, sub
from typing import Final, Protocol

from tradenb.errors import UsageError

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
_NOT_AVAILABLE: Final = math.nan
_MINUTE: Final = 60_000
_DAY: Final = 86_400_000
_YEAR: Final = 365 * _DAY
# Equal trades differ by 1e-14 once costs were taken off: a Sharpe above this measures rounding.
_LARGEST_SHARPE: Final = 1e7


class ClosedTrade(Protocol):
    """What `figures` reads of a trade; times in ms UTC."""

    @property
    def pnl_percent(self) -> float:
        """Percent, net of costs."""

    @property
    def opened_at(self) -> int:
        """Close time of the candle that opened it."""

    @property
    def closed_at(self) -> int:
        """Close time of the candle that closed it."""


def figures(
    trades: Sequence[ClosedTrade],
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
    trades : sequence of ClosedTrade
        In order of closing; pnl_percent in percent, net of costs.
    start, end : int
        Bounds of the run, ms UTC, ``start <= end``; floored to the minute, as a run does.
    instances : int, default 1
        Strategies x symbols of the run, >= 1; only `exposure` depends on it.
    min_trades, min_days : int, float
        Below either, ratios and yearly figures are N/A: they would be guesses.

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
    trades per year, which supposes that trades are independent. sortino divides by the downside
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
    _check_bounds(start, end, instances=instances, min_trades=min_trades, min_days=min_days)
    returns, held = _columns(trades)
    period = end - end % _MINUTE - (start - start % _MINUTE)
    equity, sums = _curves(returns)
    found = _path(returns, equity, sums)
    found["exposure"] = _ratio(held, float(period * instances)) if returns else 0.0
    if returns:
        found |= _averages(returns)
        found["avg_minutes"] = held / _MINUTE / len(returns)
        if len(returns) >= min_trades and period >= min_days * _DAY:
            found |= _ratios(returns, found, equity=equity[-1], years=period / _YEAR)
    return {name: found.get(name, _NOT_AVAILABLE) for name in UNITS}


def _total(values: Iterable[float]) -> float:
    return reduce(add, values, 0.0)  # sum() is compensated since Python 3.12


def _ratio(above: float, below: float) -> float:
    return above / below if below else _NOT_AVAILABLE


def _curves(returns: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return equity and plain sum after each trade, from 1 and from 0."""
    factors = [1 + change / 100 for change in returns]
    return [*accumulate(factors, mul, initial=1.0)], [*accumulate(returns, initial=0.0)]


def _relative_fall(curve: Sequence[float]) -> float:
    peaks: Iterable[float] = accumulate(curve, max)
    return max([(peak - value) / peak for peak, value in zip(peaks, curve, strict=True)])


def _plain_fall(curve: Sequence[float]) -> float:
    peaks: Iterable[float] = accumulate(curve, max)
    falls: Iterable[float] = map(sub, peaks, curve)
    return max(falls)


def _path(
    returns: Sequence[float], equity: Sequence[float], sums: Sequence[float]
) -> dict[str, float]:
    """Count, sums, drawdowns and streaks: these are 0 without trades."""
    return {
        "count": float(len(returns)),
        "wins": float(sum(change > 0 for change in returns)),
        "losses": float(sum(change < 0 for change in returns)),
        "total_pnl": sums[-1],
        "compounded_return": (equity[-1] - 1) * 100,
        "max_drawdown": _relative_fall(equity) * 100,
        "max_drawdown_simple": _plain_fall(sums),
        "longest_wins": float(_longest(change > 0 for change in returns)),
        "longest_losses": float(_longest(change < 0 for change in returns)),
    }


def _longest(flags: Iterable[bool]) -> int:
    return max((sum(1 for _ in row) for flag, row in groupby(flags) if flag), default=0)


def _averages(returns: Sequence[float]) -> dict[str, float]:
    wins = [change for change in returns if change > 0]
    losses = [change for change in returns if change < 0]
    mean = _total(returns) / len(returns)
    return {
        "win_rate": len(wins) / len(returns) * 100,
        "avg_pnl": mean,
        "expectancy": mean,
        "avg_win": _ratio(_total(wins), len(wins)),
        "avg_loss": _ratio(_total(losses), len(losses)),
        "best": max(returns),
        "worst": min(returns),
        "std": _deviation(returns, mean, len(returns) - 1),
        "std_population": _deviation(returns, mean, len(returns)),
    }


def _deviation(returns: Sequence[float], mean: float, divisor: int) -> float:
    if divisor < 1:
        return _NOT_AVAILABLE
    # The mean of equal numbers may differ from them in the last bit.
    if min(returns) == max(returns):
        return 0.0
    return math.sqrt(_total([(change - mean) * (change - mean) for change in returns]) / divisor)


def _ratios(
    returns: Sequence[float], found: dict[str, float], *, equity: float, years: float
) -> dict[str, float]:
    mean = found["avg_pnl"]
    falls = [change for change in returns if change < 0]
    wins, losses = _total([change for change in returns if change > 0]), _total(falls)
    squares = _total([change * change for change in falls])
    per_year = _ratio(len(returns), years)
    sharpe = _sharpe(mean, found["std"])
    annual = _annual_return(equity, years)
    return {
        "sharpe": sharpe,
        "sharpe_annual": sharpe * math.sqrt(per_year),
        "sortino": _ratio(mean, math.sqrt(squares / len(returns))),
        "profit_factor": _ratio(wins, abs(losses)),
        "certainty_ratio": _ratio(found["avg_win"], abs(found["avg_loss"])),
        "trades_per_year": per_year,
        "expected_yearly_return": mean * per_year,
        "annual_return": annual,
        "calmar": _ratio(annual, found["max_drawdown"]),
    }


def _sharpe(mean: float, std: float) -> float:
    return _NOT_AVAILABLE if std * _LARGEST_SHARPE <= abs(mean) else mean / std


def _annual_return(equity: float, years: float) -> float:
    if equity < 0 or years == 0:
        return _NOT_AVAILABLE
    try:
        return (math.pow(equity, 1 / years) - 1) * 100
    except OverflowError:  # a good hour, compounded over a year
        return _NOT_AVAILABLE


def _check_bounds(
    start: int, end: int, *, instances: int, min_trades: int, min_days: float
) -> None:
    if end < start:
        raise UsageError(f"end must not lie before start ({start} ms), was {end} ms; swap them")
    if instances < 1:
        raise UsageError(f"instances must be strategies x symbols, at least 1, was {instances!r}")
    if not min_trades >= 0:
        raise UsageError(f"min_trades must be 0 or more, was {min_trades!r}")
    if not min_days >= 0:
        raise UsageError(f"min_days must be 0 or more, was {min_days!r}")


def _columns(trades: Sequence[ClosedTrade]) -> tuple[list[float], float]:
    """Return the results of the trades, and how long they were held in all, ms."""
    returns = [trade.pnl_percent for trade in trades]
    opened = [trade.opened_at for trade in trades]
    closed = [trade.closed_at for trade in trades]
    if not all(map(math.isfinite, returns)) or not all(map(le, opened, closed)):
        _refuse(trades)
    return [*map(float, returns)], _total(map(float, map(sub, closed, opened)))


def _refuse(trades: Sequence[ClosedTrade]) -> None:
    """Name the first trade that cannot be."""
    for index, trade in enumerate(trades):
        if not math.isfinite(trade.pnl_percent):
            raise UsageError(
                f"pnl_percent must be finite, was {trade.pnl_percent!r} in trade {index}; drop it"
            )
        if trade.closed_at < trade.opened_at:
            raise UsageError(
                f"closed_at must not lie before opened_at ({trade.opened_at} ms), "
                f"was {trade.closed_at} ms in trade {index}; are the columns swapped?"
            )
