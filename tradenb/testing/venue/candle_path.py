"""The way a price takes through a candle, as far as its four prices say."""

from __future__ import annotations

from decimal import Decimal

Path = tuple[tuple[Decimal, float], ...]


def candle_path(open_: Decimal, high: Decimal, low: Decimal, close: Decimal) -> Path:
    """Return four prices and when each is reached, as a part of the candle.

    The extreme that is nearer to the open comes first; of two as near, the low.

    Examples
    --------
    >>> [int(price) for price, _ in candle_path(*map(Decimal, (100, 102, 90, 95)))]
    [100, 102, 90, 95]
    >>> [int(price) for price, _ in candle_path(*map(Decimal, (100, 120, 90, 95)))]
    [100, 90, 120, 95]
    """
    first, second = (high, low) if high - open_ < open_ - low else (low, high)
    return ((open_, 0.0), (first, 1 / 3), (second, 2 / 3), (close, 1.0))
