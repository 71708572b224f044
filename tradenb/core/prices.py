"""THE FAST CODE: prices, first touches and milestones over arrays of closed candles.

While a signal waits or is open nothing can be decided until a price is touched, so these functions
look for the next touch in growing windows instead of stepping candle by candle. No result depends
on how the history is cut: every sum runs over a fixed window, one by one, oldest first. A running
sum or numpy's pairwise sum would change the last bits with the place where a block begins.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from operator import itemgetter
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.core.candles.arrays import Candles, Floats
from tradenb.core.rules import Rules
from tradenb.core.signal import Plan, Position, Signal

LEVELS: Final = np.arange(10.0, 101.0, 10.0)
_LEVELS: Final = tuple(LEVELS.tolist())
GAINED: Final = tuple(range(10, 101, 10))
LOST: Final = tuple(range(-10, -101, -10))
_FIRST_WINDOW: Final = 512
_LARGEST_WINDOW: Final = 4096


def average_price(candles: Candles, index: int, count: int) -> float:
    """Return the volume-weighted average price of the last candles.

    Parameters
    ----------
    index : int
        Row of the newest candle that counts.
    count : int
        How many candles, fewer at the beginning of the data.

    Returns
    -------
    float
        sum(typical x volume) / sum(volume), typical = (high + low + close) / 3; the mean of the
        closes if nothing was traded.
    """
    if candles.filled is not None:
        candles, places = candles.places_shown(index, index + 1)
        index = places.item(0)
    start = max(0, index - count + 1)
    window = candles.rows(start, index + 1)
    weighted = total = 0.0
    rows = zip(
        window.high.tolist(),
        window.low.tolist(),
        window.close.tolist(),
        window.volume.tolist(),
        strict=True,
    )
    for high, low, close, volume in rows:
        weighted += (high + low + close) / 3 * volume
        total += volume
    if total != 0:
        return weighted / total
    closes = 0.0
    for close in window.close.tolist():
        closes += close
    return closes / (index + 1 - start)


def average_prices(candles: Candles, start: int, stop: int, count: int) -> Floats:
    """Return `average_price` for every row from `start` to `stop` (exclusive), the same bits."""
    if candles.filled is not None:
        shown, places = candles.places_shown(start, stop)
        if not len(places):
            return np.zeros(0)
        first = places.item(0)
        return average_prices(shown, first, places.item(-1) + 1, count)[places - first]
    begin = max(0, start - count + 1)
    window = candles.rows(begin, stop)
    weights = (window.high + window.low + window.close) / 3 * window.volume
    weighted = _trailing_sum(weights, start - begin, count)
    total = _trailing_sum(window.volume, start - begin, count)
    nothing_traded = total == 0
    if not nothing_traded.any():
        return weighted / total
    rows = np.arange(start, stop)
    mean = _trailing_sum(window.close, start - begin, count) / np.minimum(rows + 1, count)
    total[nothing_traded] = 1.0
    return np.where(nothing_traded, mean, weighted / total)


def market_price(candles: Candles, index: int, rules: Rules) -> float:
    """Return what can be traded at the close of a candle: its close, or the average price."""
    if rules.price == "close":
        return candles.close_at(index)
    return average_price(candles, index, rules.average_price_candles)


def price_at(candles: Candles, at: int, rules: Rules) -> float:
    """Return the market price at the close of the last candle by a moment."""
    if rules.price == "close":
        return candles.close_by(at)
    return market_price(candles, candles.index(at), rules)


def market_prices(candles: Candles, start: int, stop: int, rules: Rules) -> Floats:
    """Return `market_price` for every row from `start` to `stop` (exclusive)."""
    if rules.price == "close":
        return candles.close[start:stop]
    return average_prices(candles, start, stop, rules.average_price_candles)


class Extremes(NamedTuple):
    """The prices of one candle that stops, targets and entries are tested on."""

    open: float
    high: float
    low: float


def extremes(candles: Candles, index: int, rules: Rules) -> Extremes:
    """Return open, high and low of a candle, or thrice its average price (`touch`)."""
    if rules.touch == "candle":
        return Extremes(*candles.extremes_at(index))
    price = average_price(candles, index, rules.average_price_candles)
    return Extremes(price, price, price)


def ranges(candles: Candles, rules: Rules, start: int, stop: int) -> tuple[Floats, Floats]:
    """Return what is tested of the rows from `start` to `stop` (exclusive): lows and highs."""
    if rules.touch == "candle":
        return candles.low[start:stop], candles.high[start:stop]
    average = average_prices(candles, start, stop, rules.average_price_candles)
    return average, average


def stop_touched(signal: Signal, prices: Extremes) -> bool:
    """Tell whether a candle reaches the stop; touching is reaching."""
    if signal.position == "long":
        return prices.low <= signal.stop_loss
    return prices.high >= signal.stop_loss


def target_touched(signal: Signal, prices: Extremes) -> bool:
    """Tell whether a candle reaches the target."""
    target = signal.take_profit
    return target is not None and beyond(signal.position, target, prices)


def beyond(position: Position, level: float, prices: Extremes) -> bool:
    """Tell whether a candle reaches a level on the winning side."""
    return prices.high >= level if position == "long" else prices.low <= level


def opened_beyond_stop(signal: Signal, prices: Extremes) -> bool:
    """Tell whether a candle opens at the stop or beyond it."""
    if signal.position == "long":
        return prices.open <= signal.stop_loss
    return prices.open >= signal.stop_loss


def stop_fill(signal: Signal, prices: Extremes, rules: Rules) -> float:
    """Return the price of a stop: the worse of the stop and the candle's open."""
    if rules.touch == "average_price":
        return signal.stop_loss
    if signal.position == "long":
        return min(signal.stop_loss, prices.open)
    return max(signal.stop_loss, prices.open)


def first_exit(candles: Candles, signal: Signal, rules: Rules, start: int, stop: int) -> int:
    """Find the first candle that reaches the stop or the target of an open signal.

    Parameters
    ----------
    start, stop : int
        Rows looked at, `stop` exclusive.

    Returns
    -------
    int
        Row of the candle, or -1.
    """
    levels = signal.stop_loss, signal.take_profit
    return first_between(candles, signal.position, *levels, rules, start, stop)


def first_between(
    candles: Candles,
    position: Position,
    losing: float,
    winning: float | None,
    rules: Rules,
    start: int,
    stop: int,
) -> int:
    """Find the first candle that reaches a level on the losing or one on the winning side."""
    if position == "long":
        return first_beyond(candles, rules, start, stop, at_most=losing, at_least=winning)
    return first_beyond(candles, rules, start, stop, at_most=winning, at_least=losing)


def first_beyond(
    candles: Candles,
    rules: Rules,
    start: int,
    stop: int,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
) -> int:
    """Find the first candle whose low is `at_most` or whose high is `at_least` a price; or -1."""
    size = _FIRST_WINDOW
    averaged = rules.touch == "average_price"
    low, high = candles.low, candles.high
    while start < stop:
        end = min(start + size, stop)
        if averaged:
            prices = average_prices(candles, start, end, rules.average_price_candles)
            hit = _reaches(prices, prices, at_most, at_least)
        else:
            hit = _reaches(low[start:end], high[start:end], at_most, at_least)
        offset = hit.tobytes().find(1)  # a fifth of what argmax takes
        if offset >= 0:
            return start + offset
        start, size = end, min(2 * size, _LARGEST_WINDOW)
    return -1


def first_entry(candles: Candles, signal: Signal, rules: Rules, start: int, stop: int) -> int:
    """Find the first candle that reaches the entry that is waited for; its row, or -1.

    A candle that opens beyond the stop reaches a limit entry too, since it lies before the stop.
    """
    if (signal.position == "long") != signal.breakout:
        return first_beyond(candles, rules, start, stop, at_most=signal.entry)
    return first_beyond(candles, rules, start, stop, at_least=signal.entry)


def pnl_percent(position: Position, entry: float, exit: float, rules: Rules) -> float:
    """Return the profit or loss of a position that was entered and left once, at market.

    Slippage makes both prices worse, the fee is paid on both sides.

    Parameters
    ----------
    position : {"long", "short"}
    entry, exit : float
        Prices in quote currency, > 0.
    rules : Rules
        Gives `slippage_percent` and `fee_percent`, each for one side.

    Returns
    -------
    float
        Percent of the entry.

    Examples
    --------
    >>> pnl_percent("long", 100.0, 102.0, Rules())
    1.596203796203798
    """
    slippage = rules.slippage_percent / 100
    fee = 2 * rules.fee_percent
    if position == "long":
        paid, received = entry * (1 + slippage), exit * (1 - slippage)
        return ((received - paid) / paid) * 100 - fee
    paid, received = entry * (1 - slippage), exit * (1 + slippage)
    return ((paid - received) / paid) * 100 - fee


def milestones(prices: Floats, plan: Plan, *, gained: int, lost: int) -> list[tuple[int, int]]:
    """Find where levels of the way to the target and to the stop are reached for the first time.

    Parameters
    ----------
    prices : (n,) float64
        Market prices, oldest first.
    plan : Plan
        Without a target there is no way to it.
    gained, lost : int
        Highest levels that fired before, 0 to 100.

    Returns
    -------
    list of (offset, level)
        In the order of firing; level is +10 ... +100, or -10 ... -100 on the way to the stop.
    """
    if len(prices) == 0:
        return []
    position, entry, stop, target = plan
    move = prices - entry if position == "long" else entry - prices
    down = _levels_reached(np.minimum.accumulate(move), -abs(entry - stop), LOST, lost // 10)
    if target is None:
        return down
    up = _levels_reached(np.maximum.accumulate(move), abs(target - entry), GAINED, gained // 10)
    return sorted(up + down, key=_by_offset) if up and down else up or down


def milestones_at(price: float, plan: Plan, *, gained: int, lost: int) -> list[int]:
    """Return the levels that one market price reaches for the first time, as `milestones` would."""
    move = price - plan.entry if plan.position == "long" else plan.entry - price
    if move > 0:
        if plan.target is None:
            return []
        percent = move / abs(plan.target - plan.entry) * 100
        return [level for level in GAINED[gained // 10 :] if percent >= level]
    percent = move / -abs(plan.entry - plan.stop) * 100
    return [level for level in LOST[lost // 10 :] if percent >= -level]


# Those of one candle are all on one side of the entry, and in the order of size already.
_by_offset = itemgetter(0)


def _levels_reached(
    farthest: Floats, way: float, levels: tuple[int, ...], first: int
) -> list[tuple[int, int]]:
    """Find where a move that gets ever farther reaches levels of a way, from the `first` on.

    The array becomes percents of the way.
    """
    reached = bisect_right(_LEVELS, farthest.item(-1) / way * 100)
    if reached <= first:
        return []
    farthest /= way
    farthest *= 100
    offsets = farthest.searchsorted(LEVELS[first:reached]).tolist()
    return list(zip(offsets, levels[first:reached], strict=True))


def _reaches(
    low: Floats, high: Floats, at_most: float | None, at_least: float | None
) -> NDArray[np.bool_]:
    if at_most is None:
        return high >= (math.inf if at_least is None else at_least)
    hit = low <= at_most
    if at_least is not None:
        hit |= high >= at_least
    return hit


def _trailing_sum(values: Floats, skip: int, count: int) -> Floats:
    """Sum the last `count` values at each place from `skip` on, one by one, oldest first."""
    size = len(values)
    total = np.zeros(size - skip)
    for back in range(min(count, size) - 1, -1, -1):
        first = max(skip, back)
        total[first - skip :] += values[first - back : size - back]
    return total
