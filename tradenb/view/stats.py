"""The statistics of closed trades: `figures` computes, `stats` and `heatmap` tabulate.

Everything is computed from pnl_percent, opened_at and closed_at of trades in order of closing; this
file knows no candles, rules or runs. Sums are added one by one, oldest first, so that the last bits
depend neither on the Python version nor on how the trades were gathered. N/A is NaN.
Every name is defined once more, with its unit, in docs/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from itertools import accumulate
from operator import add
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from tradenb.errors import UsageError

if TYPE_CHECKING:
    import pandas

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

HEATMAP_COLUMNS: Final = (
    "count", "win_rate", "total_pnl", "avg_pnl", "expectancy", "sharpe", "profit_factor",
    "max_drawdown", "avg_win", "avg_loss", "best", "worst", "longest_wins", "longest_losses",
)  # fmt: skip

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


class _Row(NamedTuple):
    pnl_percent: float
    opened_at: int
    closed_at: int
    label: str


def figures(
    trades: Sequence[ClosedTrade],
    *,
    start: int,
    end: int,
    instances: int = 1,
    min_trades: int = 10,
    min_days: float = 14,
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
    _check_trades(trades)
    period = end - end % _MINUTE - (start - start % _MINUTE)
    returns = [float(trade.pnl_percent) for trade in trades]
    held = _total(float(trade.closed_at - trade.opened_at) for trade in trades)
    equity, sums = _curves(returns)
    found = _path(returns, equity, sums)
    found["exposure"] = _ratio(held, float(period * instances)) if returns else 0.0
    if returns:
        found |= _averages(returns)
        found["avg_minutes"] = held / _MINUTE / len(returns)
        if len(returns) >= min_trades and period >= min_days * _DAY:
            found |= _ratios(returns, found, equity=equity[-1], years=period / _YEAR)
    return {name: found.get(name, _NOT_AVAILABLE) for name in UNITS}


def stats(
    trades: pandas.DataFrame | Sequence[ClosedTrade],
    *,
    start: object,
    end: object,
    instances: int = 1,
    min_trades: int = 10,
    min_days: float = 14,
) -> pandas.Series[float]:
    """Tabulate the statistics of trades, as `result.stats` does.

    Parameters
    ----------
    trades : DataFrame or sequence of trade objects
        `result.trades`, or a part of it; put in order of closing here.
    start, end : int ms, datetime, Timestamp or ISO string
        Bounds of the run; what has no time zone is UTC.
    instances, min_trades, min_days
        As in `figures`.

    Returns
    -------
    Series of float64
        The index is the names of `figures`; N/A is NaN.

    Raises
    ------
    UsageError
        As `figures`, and when a column is missing or a time cannot be read.
    """
    import pandas

    from tradenb.core.timeframe import to_ms

    bounds = {"start": to_ms(start, "start"), "end": to_ms(end, "end")}
    found = figures(
        _rows(trades), **bounds, instances=instances, min_trades=min_trades, min_days=min_days
    )
    return pandas.Series(found, dtype="float64", name="stats")


def heatmap(
    trades: pandas.DataFrame | Sequence[ClosedTrade],
    *,
    by: Literal["symbol", "strategy", "symbol:strategy"] = "symbol",
    start: object = None,
    end: object = None,
    min_trades: int = 10,
    min_days: float = 14,
) -> pandas.DataFrame:
    """Compare symbols, strategies or pairs of both, the best first.

    Parameters
    ----------
    trades : DataFrame or sequence of trade objects
        With symbol and strategy, as far as `by` names them.
    by : {"symbol", "strategy", "symbol:strategy"}
        What a row stands for.
    start, end : int ms, datetime, Timestamp or ISO string, optional
        Bounds of the run, for `min_days`; by default the first opening and the last close.
    min_trades, min_days
        As in `figures`, for each row by itself.

    Returns
    -------
    DataFrame
        Columns `HEATMAP_COLUMNS`; counts int64, else float64. Rows by sharpe, then total_pnl,
        both falling, N/A last. The last row is `all`: every trade together, in order of closing;
        it is no sum or mean of the rows above, and stands alone if there are no trades.

    Raises
    ------
    UsageError
        As `stats`, and when `by` is none of the three.
    """
    import pandas

    from tradenb.core.timeframe import to_ms

    if by not in ("symbol", "strategy", "symbol:strategy"):
        raise UsageError(f"by must be 'symbol', 'strategy' or 'symbol:strategy', was {by!r}")
    rows = _rows(trades, by.split(":"))
    first = (
        min((row.opened_at for row in rows), default=0) if start is None else to_ms(start, "start")
    )
    last = max((row.closed_at for row in rows), default=first) if end is None else to_ms(end, "end")
    groups: dict[str, list[_Row]] = {}
    for row in rows:
        groups.setdefault(row.label, []).append(row)
    bounds = {"start": first, "end": last}
    lines = [
        (label, figures(group, **bounds, min_trades=min_trades, min_days=min_days))
        for label, group in [*groups.items(), ("all", rows)]
    ]
    lines[:-1] = sorted(lines[:-1], key=_rank)
    frame = pandas.DataFrame(
        [[line[name] for name in HEATMAP_COLUMNS] for _, line in lines],
        index=pandas.Index([label for label, _ in lines], name=by, dtype="str"),
        columns=list(HEATMAP_COLUMNS),
    )
    return frame.astype(
        {name: "int64" if UNITS[name] == "count" else "float64" for name in HEATMAP_COLUMNS}
    )


def markdown(figures: Mapping[str, float] | pandas.Series[float]) -> str:
    """Write figures as a markdown table with units; N/A is written out.

    Examples
    --------
    >>> print(markdown({"win_rate": 44.382, "avg_minutes": 192.4}))
    | figure | value |
    |:--|--:|
    | win_rate | 44.38 % |
    | avg_minutes | 3 h 12 min |
    """
    lines = [
        f"| {name} | {' '.join(_cell(name, value)).rstrip()} |" for name, value in figures.items()
    ]
    return "\n".join(["| figure | value |", "|:--|--:|", *lines])


def text(figures: Mapping[str, float] | pandas.Series[float]) -> str:
    """Write figures as aligned plain text for a terminal; N/A is written out.

    Examples
    --------
    >>> print(text({"win_rate": 44.382, "count": 356.0}))
    win_rate  44.38 %
    count       356
    """
    cells = [(str(name), *_cell(name, value)) for name, value in figures.items()]
    names = max((len(name) for name, _, _ in cells), default=0)
    numbers = max((len(number) for _, number, _ in cells), default=0)
    return "\n".join(
        f"{name:<{names}}  {number:>{numbers}} {unit}".rstrip() for name, number, unit in cells
    )


def _total(values: Iterable[float]) -> float:
    return reduce(add, values, 0.0)  # sum() is compensated since Python 3.12


def _ratio(above: float, below: float) -> float:
    return above / below if below else _NOT_AVAILABLE


def _curves(returns: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return equity and plain sum after each trade, from 1 and from 0."""
    equity, sums = [1.0], [0.0]
    for change in returns:
        equity.append(equity[-1] * (1 + change / 100))
        sums.append(sums[-1] + change)
    return equity, sums


def _relative_fall(curve: Sequence[float]) -> float:
    return max(
        (peak - value) / peak for peak, value in zip(accumulate(curve, max), curve, strict=True)
    )


def _plain_fall(curve: Sequence[float]) -> float:
    return max(peak - value for peak, value in zip(accumulate(curve, max), curve, strict=True))


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
    longest = current = 0
    for flag in flags:
        current = current + 1 if flag else 0
        longest = max(longest, current)
    return longest


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
    return math.sqrt(_total((change - mean) * (change - mean) for change in returns) / divisor)


def _ratios(
    returns: Sequence[float], found: dict[str, float], *, equity: float, years: float
) -> dict[str, float]:
    mean = found["avg_pnl"]
    wins = _total(change for change in returns if change > 0)
    losses = _total(change for change in returns if change < 0)
    squares = _total(min(change, 0.0) * min(change, 0.0) for change in returns)
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


def _rank(line: tuple[str, dict[str, float]]) -> tuple[bool, float, float, str]:
    label, found = line
    unknown = math.isnan(found["sharpe"])
    return unknown, 0.0 if unknown else -found["sharpe"], -found["total_pnl"], label


def _rows(trades: pandas.DataFrame | Sequence[ClosedTrade], by: Sequence[str] = ()) -> list[_Row]:
    """Read a frame or objects into rows in order of closing; equal times keep their order."""
    import pandas

    from tradenb.core.timeframe import to_ms

    names = ("pnl_percent", "opened_at", "closed_at", *by)
    values: Iterable[Sequence[Any]]
    if isinstance(trades, pandas.DataFrame):
        missing = [name for name in names if name not in trades.columns]
        if missing:
            raise UsageError(f"trades must have the columns of result.trades, lacks {missing}")
        values = zip(*(trades[name] for name in names), strict=True)
    else:
        values = ([getattr(trade, name) for name in names] for trade in trades)
    rows = [
        _Row(
            float(pnl),
            to_ms(opened, "opened_at"),
            to_ms(closed, "closed_at"),
            ":".join(map(str, labels)),
        )
        for pnl, opened, closed, *labels in values
    ]
    return sorted(rows, key=lambda row: row.closed_at)


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


def _check_trades(trades: Iterable[ClosedTrade]) -> None:
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


def _cell(name: object, value: float) -> tuple[str, str]:
    """Return the number and the unit as people read them."""
    unit = UNITS.get(str(name), "ratio")
    match unit:
        case _ if math.isnan(value):
            return "N/A", ""
        case "count":
            return f"{value:,.0f}", ""
        case "minutes":
            hours, minutes = divmod(round(value), 60)
            return (f"{hours} h {minutes} min" if hours else f"{minutes} min"), ""
        case "ratio" | "fraction":
            return _fixed(value, 3), ""
        case _:
            return _fixed(value, 2), unit


def _fixed(value: float, digits: int) -> str:
    if abs(value) >= 1e9:
        return f"{value:.3g}"
    return f"{round(value, digits) + 0.0:,.{digits}f}"  # + 0.0 makes -0.0 a 0
