"""Work W for other tools: the candles of a file, where the strategy would enter, one report.

Runs in the environment of each tool, so it knows numpy and nothing of tradenb. The strategy is that
of `benchmarks/work.py`: at each close of 5m, while nothing is open, long if the mean of the last 10
closes of 5m is above that of the last 50; target and stop 1 %, a day at most, fees 0.1 % a side.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

FIVE, FAST, SLOW = 5, 10, 50
DAY = 1_440
FEE = 0.001
Column = np.ndarray[Any, Any]


class Candles(NamedTuple):
    """A year of 1m candles; time is the open time, ms UTC."""

    time: Column
    open: Column
    high: Column
    low: Column
    close: Column
    volume: Column


def candles_of(path: str) -> Candles:
    """Read the file that all tools read."""
    table = np.load(path)
    return Candles(*(np.ascontiguousarray(table[:, place]) for place in range(6)))


def enters(close: Column) -> Column:
    """Say of each 1m candle whether the strategy would enter at its close."""
    last = close[FIVE - 1 :: FIVE]
    sums = np.concatenate(([0.0], np.cumsum(last)))
    slow = (sums[SLOW:] - sums[:-SLOW]) / SLOW
    fast = (sums[FAST:] - sums[:-FAST])[SLOW - FAST :] / FAST
    found = np.zeros(len(close), dtype=bool)
    found[FIVE * SLOW - 1 :: FIVE] = fast > slow
    return found


def report(version: str, run: Callable[[Candles], int], how: str) -> None:
    """Run twice and print CPU seconds of both, the number of trades, and what deviates."""
    candles = candles_of(sys.argv[1])
    seconds = []
    for _ in range(2):
        began = time.process_time()
        trades = run(candles)
        seconds.append(time.process_time() - began)
    first, again = seconds
    print(json.dumps({
        "version": version, "first": first, "again": again, "trades": trades, "how": how,
    }))  # fmt: skip
