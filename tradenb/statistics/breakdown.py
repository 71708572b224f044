"""Trades in groups that have something in common, such as exit reasons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tradenb.core.candles.arrays import Floats, Times
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
    import numpy as np

    places: dict[str, list[int]] = {}
    for place, trade in enumerate(trades):
        places.setdefault(by(trade), []).append(place)
    gains = np.array([trade.pnl_percent for trade in trades], dtype=np.float64)
    held = np.array([trade.minutes_held for trade in trades], dtype=np.int64)
    found = [
        _group(name, gains[own], held[own], len(trades))
        for name, own in ((name, np.array(own)) for name, own in places.items())
    ]
    return sorted(found, key=lambda group: (-group.trades, group.name))


def _group(name: str, gains: Floats, minutes: Times, count: int) -> Group:
    import numpy as np

    size = len(gains)
    total = 0.0 + float(np.add.accumulate(gains)[-1])  # one by one, as `figures` adds
    return Group(
        name=name,
        trades=size,
        share_percent=size / count * 100,
        win_rate_percent=int(np.count_nonzero(gains > 0)) / size * 100,
        mean_percent=total / size,
        total_percent=total,
        mean_minutes=int(minutes.sum()) / size,
    )
