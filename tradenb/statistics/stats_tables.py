"""The statistics as frames: `stats` for a set of trades, `heatmap` to compare several."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from tradenb.call_errors import explained
from tradenb.errors import UsageError, shown
from tradenb.statistics.closed_trades import ClosedTrade
from tradenb.statistics.figure_names import ALL_UNITS

if TYPE_CHECKING:
    import pandas

    from tradenb.core.timeframe import TimeLike


HEATMAP_COLUMNS: Final = (
    "count", "win_rate", "total_pnl", "avg_pnl", "expectancy", "sharpe", "profit_factor",
    "max_drawdown", "avg_win", "avg_loss", "best", "worst", "longest_wins", "longest_losses",
)  # fmt: skip


class _Row(NamedTuple):
    pnl_percent: float
    opened_at: int
    closed_at: int
    label: str


@explained("tn.stats")
def stats(
    trades: pandas.DataFrame | Sequence[ClosedTrade],
    *,
    start: TimeLike,
    end: TimeLike,
    instances: int = 1,
    equity: pandas.Series[float] | None = None,
    min_trades: int = 10,
    min_days: float = 14,
) -> pandas.Series[float]:
    """Tabulate the statistics of trades, as `result.stats` does.

    Without `equity` the curve has a value at each close only: what was open is not seen by
    drawdowns, all time counts as covered, and the figures of daily returns are N/A.

    Parameters
    ----------
    trades : DataFrame or sequence of trade objects
        `result.trades`, or a part of it; put in order of closing here. Those count that were closed
        after `start`, at the latest at `end`, with their time in position after `start`.
    start, end : int ms, datetime, Timestamp or ISO string
        Bounds of the run, or of a part of it; what has no time zone is UTC.
    equity : Series of float, optional
        `result.equity`, or a longer series of the kind: what everything was worth, by time.
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

    Examples
    --------
    >>> import tradenb as tn
    >>> @tn.strategy("counted", every="1h")
    ... def counted(ctx):
    ...     return tn.long(take_profit=tn.percent(1.5), stop_loss=tn.percent(1), minutes=240)
    >>> market = tn.testing.random_walk(seed=7, days=3)
    >>> result = tn.backtest.run("BTCUSDT", strategy=counted, exchange=market)
    >>> long_ones = result.trades[result.trades.closed_at - result.trades.opened_at >= "2h"]
    >>> found = tn.stats(long_ones, start=result.start, end=result.end, equity=result.equity)
    >>> int(found["count"]), f"{found['win_rate']:.1f}"
    (16, '31.2')
    """
    import pandas

    from tradenb.core.timeframe import to_ms
    from tradenb.statistics.equity.foreign_equity import marks_of_equity
    from tradenb.statistics.figures import figures

    first, last = to_ms(start, "start"), to_ms(end, "end")
    rows, marks = _rows(trades), None
    if equity is not None:
        marks = marks_of_equity(rows, equity, first, last, instances)
    found = figures(
        rows,
        start=first,
        end=last,
        instances=instances,
        marks=marks,
        min_trades=min_trades,
        min_days=min_days,
    )
    return pandas.Series(found, dtype="float64", name="stats")


def heatmap(
    trades: pandas.DataFrame | Sequence[ClosedTrade],
    *,
    by: Literal["symbol", "strategy", "symbol:strategy"] = "symbol",
    start: TimeLike | None = None,
    end: TimeLike | None = None,
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
        it is not the sum or mean of the rows above, and the only row if there are no trades.

    Raises
    ------
    UsageError
        As `stats`, and when `by` is none of the three.
    """
    from tradenb.core.timeframe import to_ms
    from tradenb.statistics.figures import figures

    group_name(by, "", "")
    rows = _rows(trades, by.split(":"))
    first = (
        min((row.opened_at for row in rows), default=0) if start is None else to_ms(start, "start")
    )
    last = max((row.closed_at for row in rows), default=first) if end is None else to_ms(end, "end")
    groups: dict[str, list[_Row]] = {}
    for row in rows:
        groups.setdefault(row.label, []).append(row)
    lines = {
        label: figures(group, start=first, end=last, min_trades=min_trades, min_days=min_days)
        for label, group in groups.items()
    }
    whole = figures(
        rows,
        start=first,
        end=last,
        instances=max(len(groups), 1),
        min_trades=min_trades,
        min_days=min_days,
    )
    return heatmap_frame(lines, whole, by)


# What each group made of the money of an account.
_MONEY: Final = ("net_profit", "fees_paid")


def heatmap_frame(
    lines: Mapping[str, dict[str, float]], whole: dict[str, float], by: str
) -> pandas.DataFrame:
    """Tabulate the figures of groups as `heatmap` does, and last those of all together."""
    import pandas

    ranked = [*sorted(lines.items(), key=_rank), ("all", whole)]
    columns = [*HEATMAP_COLUMNS, *(name for name in _MONEY if name in whole)]
    frame = pandas.DataFrame(
        [[line[name] for name in columns] for _, line in ranked],
        index=pandas.Index([label for label, _ in ranked], name=by, dtype="str"),
        columns=columns,
    )
    counts = {name for name in columns if ALL_UNITS[name] == "count" and frame[name].notna().all()}
    return frame.astype({name: "int64" if name in counts else "float64" for name in columns})


def group_name(by: str, symbol: str, strategy: str) -> str:
    """Return the name of the group that an instance belongs to.

    Raises
    ------
    UsageError
        When `by` is none of the three.
    """
    names = {"symbol": symbol, "strategy": strategy}
    names["symbol:strategy"] = f"{symbol}:{strategy}"
    if by not in names:
        raise UsageError(f"by must be 'symbol', 'strategy' or 'symbol:strategy', was {by!r}")
    return names[by]


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
            raise UsageError(
                f"trades must have the columns of result.trades; missing: {', '.join(missing)}"
            )
        values = zip(*(trades[name] for name in names), strict=True)
    else:
        values = _attributes(trades, names)
    rows = [
        _Row(
            _number(pnl),
            to_ms(opened, "opened_at"),
            to_ms(closed, "closed_at"),
            ":".join(map(str, labels)),
        )
        for pnl, opened, closed, *labels in values
    ]
    return sorted(rows, key=lambda row: row.closed_at)


def _attributes(trades: object, names: Sequence[str]) -> list[list[Any]]:
    try:
        return [[getattr(trade, name) for name in names] for trade in trades]  # type: ignore[attr-defined]
    except (AttributeError, TypeError) as error:
        message = f"trades must be result.trades or trades with {', '.join(names)}: {error}"
        raise UsageError(message) from None


def _number(pnl: object) -> float:
    try:
        return float(pnl)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise UsageError(f"pnl_percent must be a finite number, was {shown(pnl)}") from None
