"""The statistics of closed trades, as a plain dict.

Everything is computed from pnl_percent, opened_at and closed_at of trades in order of closing; this
file knows no candles, rules or runs. Sums are added one by one, oldest first, so that the last bits
depend neither on the versions of Python and numpy nor on how the trades were gathered. N/A is NaN.
Every name is defined once more, with its unit, in docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles import Floats, Times
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


class Columns(NamedTuple):
    """Closed trades as arrays: percent, and times in ms UTC; (n,) float64 and int64."""

    pnl_percent: Floats
    opened_at: Times
    closed_at: Times


def figures(
    trades: Sequence[ClosedTrade] | Columns,
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
    trades : sequence of ClosedTrade, or Columns
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
    columns = trades if isinstance(trades, Columns) else _columns(trades)
    _check_trades(columns)
    returns = columns.pnl_percent
    held = _total((columns.closed_at - columns.opened_at).astype(np.float64))
    period = end - end % _MINUTE - (start - start % _MINUTE)
    with np.errstate(over="ignore", invalid="ignore"):
        equity = np.multiply.accumulate(np.concatenate(([1.0], 1 + returns / 100)))
        found = _path(returns, equity)
        found["exposure"] = _ratio(held, float(period * instances)) if len(returns) else 0.0
        if len(returns):
            found |= _averages(returns)
            found["avg_minutes"] = held / _MINUTE / len(returns)
            if len(returns) >= min_trades and period >= min_days * _DAY:
                found |= _ratios(returns, found, equity=float(equity[-1]), years=period / _YEAR)
    return {name: found.get(name, _NOT_AVAILABLE) for name in UNITS}


def _sums(values: Floats) -> Floats:
    """Return the sums from 0 on, added one by one; np.sum adds in pairs."""
    return np.add.accumulate(np.concatenate(([0.0], values)))


def _total(values: Floats) -> float:
    return float(_sums(values)[-1])


def _ratio(above: float, below: float) -> float:
    return above / below if below else _NOT_AVAILABLE


def _path(returns: Floats, equity: Floats) -> dict[str, float]:
    """Count, sums, drawdowns and streaks: these are 0 without trades."""
    sums, peaks = _sums(returns), np.fmax.accumulate(equity)
    wins, losses = returns > 0, returns < 0
    return {
        "count": float(len(returns)),
        "wins": float(np.count_nonzero(wins)),
        "losses": float(np.count_nonzero(losses)),
        "total_pnl": float(sums[-1]),
        "compounded_return": (float(equity[-1]) - 1) * 100,
        "max_drawdown": float(np.fmax.reduce((peaks - equity) / peaks)) * 100,
        "max_drawdown_simple": float(np.fmax.reduce(np.fmax.accumulate(sums) - sums)),
        "longest_wins": _longest(wins),
        "longest_losses": _longest(losses),
    }


def _longest(flags: NDArray[np.bool_]) -> float:
    """Return the length of the longest row of flags that are set."""
    ends = np.concatenate(([-1], np.flatnonzero(~flags), [len(flags)]))
    return float(np.diff(ends).max() - 1)


def _averages(returns: Floats) -> dict[str, float]:
    wins, losses = returns[returns > 0], returns[returns < 0]
    mean = _total(returns) / len(returns)
    best, worst = float(returns[returns.argmax()]), float(returns[returns.argmin()])
    # The mean of equal numbers may differ from them in the last bit.
    squares = 0.0 if best == worst else _total((returns - mean) * (returns - mean))
    return {
        "win_rate": len(wins) / len(returns) * 100,
        "avg_pnl": mean,
        "expectancy": mean,
        "avg_win": _ratio(_total(wins), len(wins)),
        "avg_loss": _ratio(_total(losses), len(losses)),
        "best": best,
        "worst": worst,
        "std": math.sqrt(squares / (len(returns) - 1)) if len(returns) > 1 else _NOT_AVAILABLE,
        "std_population": math.sqrt(squares / len(returns)),
    }


def _ratios(
    returns: Floats, found: dict[str, float], *, equity: float, years: float
) -> dict[str, float]:
    mean = found["avg_pnl"]
    falls = returns[returns < 0]
    wins, losses = _total(returns[returns > 0]), _total(falls)
    squares = _total(falls * falls)
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


def _columns(trades: Sequence[ClosedTrade]) -> Columns:
    return Columns(
        np.array([trade.pnl_percent for trade in trades], dtype=np.float64),
        np.array([trade.opened_at for trade in trades], dtype=np.int64),
        np.array([trade.closed_at for trade in trades], dtype=np.int64),
    )


def _check_trades(columns: Columns) -> None:
    """Name the first trade that cannot be, if there is one."""
    returns, opened, closed = columns
    broken = ~np.isfinite(returns) | (closed < opened)
    if not broken.any():
        return
    index = int(broken.argmax())
    if not math.isfinite(returns[index]):
        raise UsageError(
            f"pnl_percent must be finite, was {float(returns[index])!r} in trade {index}; drop it"
        )
    raise UsageError(
        f"closed_at must not lie before opened_at ({opened[index]} ms), "
        f"was {closed[index]} ms in trade {index}; are the columns swapped?"
    )
