"""Trades cut into parts: months of the calendar, and groups such as exit reasons."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tradenb.core.timeframe import DAY

if TYPE_CHECKING:
    from tradenb.core.signal import Trade


class Group(NamedTuple):
    """The trades that have one thing in common."""

    name: str
    trades: int
    share_percent: float
    win_rate_percent: float
    mean_percent: float
    total_percent: float
    mean_minutes: float


def monthly_returns(trades: Sequence[Trade]) -> dict[int, list[float]]:
    """Compound the trades of each month, UTC, by the time of their close.

    Parameters
    ----------
    trades : sequence of Trade
        In order of closing.

    Returns
    -------
    dict of int to list of float
        For each year from the first to the last: twelve months and the year as a whole, percent;
        NaN where no trade was closed.
    """
    growth: dict[tuple[int, int], float] = {}
    day, keys = None, ((0, 0), (0, 0))
    for trade in trades:
        if trade.closed_at // DAY != day:
            day = trade.closed_at // DAY
            moment = dt.datetime.fromtimestamp(trade.closed_at / 1000, dt.UTC)
            keys = ((moment.year, moment.month), (moment.year, 13))
        for key in keys:
            growth[key] = growth.get(key, 1.0) * (1 + trade.pnl_percent / 100)
    years = sorted({year for year, _ in growth})
    if not years:
        return {}
    return {
        year: [(growth.get((year, month), math.nan) - 1) * 100 for month in range(1, 14)]
        for year in range(years[0], years[-1] + 1)
    }


def grouped(trades: Sequence[Trade], by: Callable[[Trade], str]) -> list[Group]:
    """Group trades; the largest group first, equal ones by name.

    Parameters
    ----------
    by : callable
        Gives the name of a trade's group.
    """
    groups: dict[str, list[Trade]] = {}
    for trade in trades:
        groups.setdefault(by(trade), []).append(trade)
    found = [_group(name, members, len(trades)) for name, members in groups.items()]
    return sorted(found, key=lambda group: (-group.trades, group.name))


def _group(name: str, members: Sequence[Trade], count: int) -> Group:
    size = len(members)
    total, wins, minutes = 0.0, 0, 0
    for trade in members:  # one by one, as `figures` adds
        total += trade.pnl_percent
        wins += trade.pnl_percent > 0
        minutes += trade.minutes_held
    return Group(
        name=name,
        trades=size,
        share_percent=size / count * 100,
        win_rate_percent=wins / size * 100,
        mean_percent=total / size,
        total_percent=total,
        mean_minutes=minutes / size,
    )
