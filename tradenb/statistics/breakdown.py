"""Trades in groups that have something in common, such as exit reasons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

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
