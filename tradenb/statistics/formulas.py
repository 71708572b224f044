"""The formulas of the statistics, over columns; `figures` documents each.

Sums are added one by one, oldest first: numpy's own sum adds in pairs, by rules of its version.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Floats
from tradenb.errors import UsageError
from tradenb.statistics.closed_trades import ClosedTrade, TradeColumns

_NOT_AVAILABLE: Final = math.nan
_MINUTE: Final = 60_000
_YEAR: Final = 365 * 86_400_000
# Equal trades differ by 1e-14 once costs were taken off: a Sharpe above this measures rounding.
_LARGEST_SHARPE: Final = 1e7


def columns_of(trades: Sequence[ClosedTrade]) -> TradeColumns:
    """Read the columns of trades."""
    return TradeColumns(
        np.array([trade.pnl_percent for trade in trades], dtype=np.float64),
        np.array([trade.opened_at for trade in trades], dtype=np.int64),
        np.array([trade.closed_at for trade in trades], dtype=np.int64),
    )


def formulas(
    columns: TradeColumns, *, period: int, instances: int, min_trades: float
) -> dict[str, float]:
    """Compute the statistics that so many trades allow.

    Parameters
    ----------
    period : int
        Length of the run, ms.
    instances : int
        Strategies x symbols of the run.
    min_trades : float
        Below it there are no ratios and yearly figures.

    Raises
    ------
    UsageError
        When a pnl_percent is not finite or a trade closes before it opens.
    """
    _check(columns)
    returns, opened, closed = columns
    held = _total((closed - opened).astype(np.float64))
    with np.errstate(over="ignore", invalid="ignore"):
        equity = np.multiply.accumulate(np.concatenate(([1.0], 1 + returns / 100)))
        found = _path(returns, equity)
        if not len(returns):
            return found | {"exposure": 0.0}
        found |= _averages(returns)
        found["exposure"] = _ratio(held, float(period * instances))
        found["avg_minutes"] = held / _MINUTE / len(returns)
        if len(returns) >= min_trades:
            found |= _ratios(returns, found, equity=float(equity[-1]), years=period / _YEAR)
    return found


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


def _check(columns: TradeColumns) -> None:
    """Raise for the first impossible trade."""
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
        f"closed_at must not be before opened_at ({opened[index]} ms), "
        f"was {closed[index]} ms in trade {index}; are the columns swapped?"
    )
