"""Candles made by hand: a few rows, a flat line, a small wild market.

A row is (open, high, low, close, volume); row 0 opens at T0, and `minute(n)` is the close time of
row n - 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Barrier
from typing import Any

import numpy as np

from tradenb.core.candles.arrays import Candles, candles_of

T0 = 1_704_067_200_000  # 2024-01-01 00:00 UTC
MINUTE = 60_000
DAY = 86_400_000
NAMES = ("open", "high", "low", "close", "volume")

Row = tuple[float, float, float, float, float]


def minute(count: int) -> int:
    """The moment so many minutes after T0."""
    return T0 + count * MINUTE


def flat(count: int, price: float = 100.0, volume: float = 1.0) -> list[Row]:
    """Rows in which nothing moves."""
    return [(price, price, price, price, volume)] * count


def through(*closes: float, volume: float = 1.0) -> list[Row]:
    """Rows that go from close to close without wicks; the first opens at its close."""
    opens = (closes[0], *closes)
    return [
        (before, max(before, close), min(before, close), close, volume)
        for before, close in zip(opens, closes, strict=False)
    ]


def market(seed: int, count: int) -> list[Row]:
    """A wild walk in steps of a quarter around 100, with gaps, wicks and minutes without trades."""
    random = Random(seed)
    rows, close = [], 100.0
    for _ in range(count):
        start = close + 0.25 * random.choice((0, 0, 0, -2, 3))
        close = min(max(start + 0.25 * random.randrange(-4, 5), 90.0), 110.0)
        high = max(start, close) + 0.25 * random.choice((0, 0, 1, 3))
        low = min(start, close) - 0.25 * random.choice((0, 0, 1, 3))
        rows.append((start, high, low, close, random.choice((0.0, 0.0, 0.7, 1.0, 3.3))))
    return rows


def candles(rows: Sequence[Row], first: int = T0) -> Candles:
    """The rows as the core has them."""
    columns = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    return candles_of(tuple(columns), first)


def frame(rows: Sequence[Row], first: int = T0) -> Any:
    """The rows as a user has them."""
    import pandas as pd

    made = pd.DataFrame(rows, columns=list(NAMES), dtype="float64")
    made.insert(0, "timestamp", [first + place * MINUTE for place in range(len(rows))])
    return made


def exchange(rows: Sequence[Row] | Mapping[str, Sequence[Row]], first: int = T0) -> Any:
    """An exchange that has the rows, for any symbol or for each."""
    import tradenb as tn

    if isinstance(rows, Mapping):
        return tn.frame_exchange({symbol: frame(own, first) for symbol, own in rows.items()})
    return tn.frame_exchange(frame(rows, first))


def from_threads(ask: Callable[[], Any]) -> list[Any]:
    """What four threads get that ask at once."""
    barrier = Barrier(4)

    def answer(_: int) -> Any:
        barrier.wait()
        return ask()

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(answer, range(4)))
