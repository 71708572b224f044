"""The formulas of closed trades, over columns; `figures` documents each.

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
# Equal trades differ by 1e-14 once costs were taken off: a Sharpe above this measures rounding.
LARGEST_SHARPE: Final = 1e7


def columns_of(trades: Sequence[ClosedTrade]) -> TradeColumns:
    """Read the columns of trades."""
    return TradeColumns(
        np.array([trade.pnl_percent for trade in trades], dtype=np.float64),
        np.array([trade.opened_at for trade in trades], dtype=np.int64),
        np.array([trade.closed_at for trade in trades], dtype=np.int64),
    )


def formulas(
    columns: TradeColumns, *, years: float, instances: int, min_trades: float
) -> dict[str, float]:
    """Compute the statistics that so many trades allow.

    Parameters
    ----------
    years : float
        Covered time of the run.
    instances : int
        Strategies x symbols of the run.
    min_trades : float
        Below it there are no ratios and yearly figures.
    """
    returns, opened, closed = columns
    with np.errstate(over="ignore", invalid="ignore"):
        found = _path(returns)
        if not len(returns):
            return found
        found |= _averages(returns)
        held = total((closed - opened).astype(np.float64))
        found["avg_minutes"] = held / _MINUTE / len(returns)
        if len(returns) >= min_trades:
            found |= _ratios(returns, found, years=years, instances=instances)
    return found


def _sums(values: Floats) -> Floats:
    """Return the sums from 0 on, added one by one; np.sum adds in pairs."""
    return np.add.accumulate(np.concatenate(([0.0], values)))


def total(values: Floats) -> float:
    """Add one by one, oldest first."""
    return float(_sums(values)[-1])


def ratio(above: float, below: float) -> float:
    """Divide; N/A by nothing."""
    return above / below if below else _NOT_AVAILABLE


def deviation(values: Floats, mean: float, divisor: int) -> float:
    """Return the standard deviation; N/A without a divisor."""
    if not divisor:
        return _NOT_AVAILABLE
    # The mean of equal numbers may differ from them in the last bit.
    if float(values.min()) == float(values.max()):
        return 0.0
    return math.sqrt(total((values - mean) * (values - mean)) / divisor)


def _path(returns: Floats) -> dict[str, float]:
    """Count, sums and streaks: these are 0 without trades."""
    sums = _sums(returns)
    wins, losses = returns > 0, returns < 0
    return {
        "count": float(len(returns)),
        "wins": float(np.count_nonzero(wins)),
        "losses": float(np.count_nonzero(losses)),
        "total_pnl": float(sums[-1]),
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
    mean = total(returns) / len(returns)
    best, worst = float(returns[returns.argmax()]), float(returns[returns.argmin()])
    return {
        "win_rate": len(wins) / len(returns) * 100,
        "avg_pnl": mean,
        "expectancy": mean,
        "avg_win": ratio(total(wins), len(wins)),
        "avg_loss": ratio(total(losses), len(losses)),
        "best": best,
        "worst": worst,
        "std": deviation(returns, mean, len(returns) - 1),
        "std_population": deviation(returns, mean, len(returns)),
    }


def _ratios(
    returns: Floats, found: dict[str, float], *, years: float, instances: int
) -> dict[str, float]:
    mean = found["avg_pnl"]
    falls = returns[returns < 0]
    wins, losses = total(returns[returns > 0]), total(falls)
    per_year = ratio(len(returns), years)
    sharpe = _sharpe(mean, found["std"])
    return {
        "sharpe": sharpe,
        # A year of one instance: the same candles under ten names change nothing.
        "sharpe_annual": sharpe * math.sqrt(per_year / instances),
        "sortino": ratio(mean, math.sqrt(total(falls * falls) / len(returns))),
        "profit_factor": ratio(wins, abs(losses)),
        "certainty_ratio": ratio(found["avg_win"], abs(found["avg_loss"])),
        "trades_per_year": per_year,
        "expected_yearly_return": mean * per_year,
    }


def _sharpe(mean: float, std: float) -> float:
    return _NOT_AVAILABLE if std * LARGEST_SHARPE <= abs(mean) else mean / std


def within(columns: TradeColumns, start: int, end: int) -> TradeColumns:
    """Take the trades that were closed after `start`, at the latest at `end`."""
    closed = columns.closed_at
    inside = (closed > start) & (closed <= end)
    if inside.all():
        return columns
    percent, opened, _ = columns
    return TradeColumns(percent[inside], opened[inside], closed[inside])


def check(columns: TradeColumns) -> None:
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
