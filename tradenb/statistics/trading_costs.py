"""What slippage and fees took from the trades of a run; `core.fills` says what they were."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import fsum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradenb.core.fills import Filled
    from tradenb.core.signal import Position, Trade


def costs_of(trades: Sequence[Trade], fills: Callable[[], Iterable[Filled]]) -> float:
    """Return how much larger the sum of all results were without slippage and fees, pp.

    Parameters
    ----------
    fills : callable
        Returns the fills of the run; they are looked at where a position had several.
    """
    if any(trade.entries > 1 or trade.exits > 1 for trade in trades):
        parts: dict[tuple[str, str, str], list[float]] = {}
        costs: list[float] = []
        for each in fills():
            if each.before is None or each.percent is None:
                continue
            moved = _moved(each.signal.position, each.signal.entry, each.event.price or 0.0)
            left = each.before.cost if each.event.fraction is None else each.event.fraction
            own = parts.setdefault((each.event.symbol, each.event.strategy, each.signal.id), [])
            own.append(left * (moved - each.percent))
            if each.after is None:
                costs.append(fsum(own) / each.before.invested)
        return fsum(costs)
    return fsum(
        _moved(trade.position, trade.entry, trade.exit) - trade.pnl_percent for trade in trades
    )


def _moved(position: Position, entry: float, price: float) -> float:
    """Return what a position earned at a price before costs, percent."""
    return (price - entry if position == "long" else entry - price) / entry * 100
