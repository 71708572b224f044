"""The yardstick: the same trades by a plain Python loop over every candle.

Lists instead of arrays, the signals of a year computed beforehand by numpy, low and high tested
candle by candle. No events, milestones, checks or risk, and no strategy that is asked.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from benchmarks.work import DAY
from tradenb.core.candles.arrays import Candles, Floats
from tradenb.core.candles.resampling import resample
from tradenb.core.timeframe import MINUTE

FIVE = 5
Lists = tuple[list[float], list[float], list[float], list[float], list[bool]]
Trades = list[tuple[int, int, float, float, float]]


def trades_of(candles: Candles) -> Trades:
    """Go from the arrays to the trades, as a run does."""
    return loop(*prepared(candles))


def prepared(candles: Candles) -> Lists:
    """Make lists of open, high, low, close, and of where the strategy would enter."""
    close = resample(candles, FIVE * MINUTE).close
    above = np.zeros(len(close), dtype=bool)
    above[49:] = _means(close, 10)[40:] > _means(close, 50)
    enters = np.zeros(len(candles), dtype=bool)
    enters[FIVE - 1 :: FIVE] = above
    prices = (candles.open, candles.high, candles.low, candles.close)
    opens, highs, lows, closes = (column.tolist() for column in prices)
    return opens, highs, lows, closes, enters.tolist()


def loop(
    opens: list[float],
    highs: list[float],
    lows: list[float],
    closes: list[float],
    enters: list[bool],
) -> Trades:
    trades: Trades = []
    holding = False
    since, entry, target, stop = 0, 0.0, 0.0, 0.0
    for now in range(len(closes)):
        if holding:
            if lows[now] <= stop:
                price = min(stop, opens[now])
            elif highs[now] >= target:
                price = target
            elif now - since >= DAY:
                price = closes[now]
            else:
                continue
            paid, received = entry * 1.001, price * 0.999
            trades.append((since, now, entry, price, (received - paid) / paid * 100 - 0.2))
            holding = False
        if enters[now]:
            holding, since, entry = True, now, closes[now]
            target, stop = 1.01 * entry, 0.99 * entry
    return trades


def _means(values: Floats, count: int) -> Floats:
    means: Floats = sliding_window_view(values, count).mean(axis=1)
    return means
