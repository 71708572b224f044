"""Stops that follow the price: what a peak makes of them, candle by candle or many at once."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Final, NamedTuple

import numpy as np

from tradenb.core import prices
from tradenb.core.candles.arrays import Candles, Floats
from tradenb.core.lifecycle.holding import Holding
from tradenb.core.money.market import NEAR, stop_on_step
from tradenb.core.rules import Rules
from tradenb.core.signal import Plan, Signal

_FIRST_WINDOW: Final = 512
_LARGEST_WINDOW: Final = 4096
# Of milestones, percent.
_LEVEL: Final = 10
_ALL: Final = 100


class Followed(NamedTuple):
    """Candles of a position in which nothing happened but that its peak and stop moved on.

    Attributes
    ----------
    row : int
        The candle that does more than that, or -1: none of them.
    signal, holding
        As they are before that candle, or after all.
    stops : (n,) float64 or None
        The stop in force in each of the candles; None: it stood still.
    """

    row: int
    signal: Signal
    holding: Holding
    stops: Floats | None


def follow_stop(
    signal: Signal, holding: Holding, candles: Candles, rules: Rules, start: int, stop: int
) -> Followed:
    """Find the first candle that touches stop or rung, fires the breakeven or begins the trail."""
    if signal.trail is None and signal.trail_distance is None:
        return _standing(signal, holding, candles, rules, start, stop)
    return _trailing(signal, holding, candles, rules, start, stop)


def quiet_peak(
    signal: Signal,
    holding: Holding,
    plan: Plan,
    candles: Candles,
    start: int,
    stop: int,
    *,
    gained: int,
    lost: int,
) -> float | None:
    """Return the peak after a few candles in which nothing happens; None where something may.

    For positions that are asked about every few minutes: of so few candles plain numbers are
    looked at ten times as fast as arrays. Only where candles are tested, not average prices, and
    the market price is the close.
    """
    low: float = min(candles.low[start:stop].tolist())
    high: float = max(candles.high[start:stop].tolist())
    close, bound = candles.close[start:stop].tolist(), nearest_bound(signal, holding)
    if signal.position == "long":
        if low <= signal.stop_loss or (bound is not None and high >= bound):
            return None
        peak, ahead, behind = (
            max(holding.peak, high),
            max(close) - plan.entry,
            min(close) - plan.entry,
        )
    else:
        if high >= signal.stop_loss or (bound is not None and low <= bound):
            return None
        peak, ahead, behind = (
            min(holding.peak, low),
            plan.entry - min(close),
            plan.entry - max(close),
        )
    to_target = None if plan.target is None else abs(plan.target - plan.entry)
    if to_target and gained < _ALL and ahead / to_target * 100 >= gained + _LEVEL:
        return None
    if lost < _ALL and behind / -abs(plan.entry - plan.stop) * 100 >= lost + _LEVEL:
        return None
    if signal.trail is signal.trail_distance is None:
        return peak
    level = trail_level(signal, peak)
    return None if level is not None and tighter(signal, level) else peak


def _standing(
    signal: Signal, holding: Holding, candles: Candles, rules: Rules, start: int, stop: int
) -> Followed:
    bound, level = nearest_bound(signal, holding), signal.stop_loss
    row = prices.first_between(candles, signal.position, level, bound, rules, start, stop)
    until = stop if row < 0 else row
    if until > start:
        holding = holding._replace(peak=peak_after(signal, holding, candles, rules, start, until))
    return Followed(row, signal, holding, None)


def nearest_bound(signal: Signal, holding: Holding) -> float | None:
    """Return the nearer of the next rung and the price that fires the breakeven."""
    rung = holding.rungs[0][0] if holding.rungs else None
    trigger = breakeven_trigger(signal, holding)
    if rung is None or trigger is None:
        return trigger if rung is None else rung
    return min(rung, trigger) if signal.position == "long" else max(rung, trigger)


def breakeven_trigger(signal: Signal, holding: Holding) -> float | None:
    """Return the price that fires the breakeven; None if there is none, or it has fired."""
    if signal.breakeven is None or holding.secured:
        return None
    return beyond(signal, signal.breakeven)


def beyond(signal: Signal, percent: float) -> float:
    """Return the price so many percent on the winning side of the average entry."""
    if signal.position == "long":
        return signal.entry * (1 + percent / 100)
    return signal.entry * (1 - percent / 100)


def tighter(signal: Signal, level: float) -> bool:
    """Tell whether a level is a tighter stop than the one in force."""
    return level > signal.stop_loss if signal.position == "long" else level < signal.stop_loss


def trail_level(signal: Signal, peak: float) -> float | None:
    """Return where the trail puts the stop; None while it does not."""
    long = signal.position == "long"
    trigger = beyond(signal, signal.trail_after or 0.0)
    if not (peak >= trigger if long else peak <= trigger):
        return None
    if signal.trail is not None:
        level = peak * (1 - signal.trail / 100) if long else peak * (1 + signal.trail / 100)
    elif signal.trail_distance is not None:
        level = peak - signal.trail_distance if long else peak + signal.trail_distance
    else:
        return None
    level = stop_on_step(level, signal.price_step, long=long)
    return level if level > 0 else None


def better(signal: Signal, peak: float, extremes: prices.Extremes) -> float:
    """Return the peak after one candle more."""
    return max(peak, extremes.high) if signal.position == "long" else min(peak, extremes.low)


def peak_after(
    signal: Signal, holding: Holding, candles: Candles, rules: Rules, start: int, stop: int
) -> float:
    """Return the peak after candles."""
    low, high = prices.ranges(candles, rules, start, stop)
    if signal.position == "long":
        return max(holding.peak, float(np.maximum.reduce(high)))  # half the price of high.max()
    return min(holding.peak, float(np.minimum.reduce(low)))


def _trailing(
    signal: Signal, holding: Holding, candles: Candles, rules: Rules, start: int, stop: int
) -> Followed:
    bound, size = nearest_bound(signal, holding), _FIRST_WINDOW
    row, found = start, []
    while row < stop:
        end = min(row + size, stop)
        window = _window(signal, holding, candles, rules, row, end, bound)
        found.append(window.before)
        if window.place >= 0:
            end = row + window.place
        done = end - row
        if done:
            level = float(window.after[done - 1])
            if level != signal.stop_loss:
                signal = signal._replace(stop_loss=level)
                holding = holding._replace(stop_by="trailing_stop")
            holding = holding._replace(peak=float(window.peaks[done - 1]))
        if window.place >= 0:
            return Followed(end, signal, holding, np.concatenate(found))
        row, size = end, min(2 * size, _LARGEST_WINDOW)
    return Followed(-1, signal, holding, np.concatenate(found) if found else None)


def trail_of(signal: Signal, peak: float, best: Floats) -> tuple[Floats, Floats]:
    """Return the peak and the stop after each candle, by the better extremes of the candles.

    `peak` is that before the first of them, the stop before it that of the signal. The same
    numbers as `trail_level` finds one by one.
    """
    trigger, long = beyond(signal, signal.trail_after or 0.0), signal.position == "long"
    pick = np.maximum if long else np.minimum
    peaks = pick(pick.accumulate(best), peak)
    if signal.trail is not None:
        levels = peaks * (1 - signal.trail / 100 if long else 1 + signal.trail / 100)
    else:
        distance = signal.trail_distance or 0.0
        levels = peaks - distance if long else peaks + distance
    levels = _all_on_step(levels, signal.price_step, up=long)
    active = (peaks >= trigger) if long else (peaks <= trigger)
    levels = np.where(active & (levels > 0), levels, -math.inf if long else math.inf)
    return peaks, pick(levels, signal.stop_loss)


def _all_on_step(values: Floats, step: float | None, *, up: bool) -> Floats:
    """Return `on_step` of each of many numbers."""
    if step is None:
        return values
    ratios = values / step
    counts = np.rint(ratios)
    off = np.abs(ratios - counts) > NEAR * np.maximum(1.0, np.abs(ratios))
    counts[off] = (np.ceil if up else np.floor)(ratios[off])
    several, places = np.unique(counts, return_inverse=True)
    exact = Decimal(repr(step))
    found: Floats = np.array([float(exact * int(count)) for count in several])[places]
    return found


class _Window(NamedTuple):
    """Peaks, and stops before and after each candle; the place of the first to look at, or -1."""

    peaks: Floats
    before: Floats
    after: Floats
    place: int


def _window(
    signal: Signal,
    holding: Holding,
    candles: Candles,
    rules: Rules,
    start: int,
    stop: int,
    bound: float | None,
) -> _Window:
    """Follow a trail through candles, and find the first of them to look at."""
    low, high = prices.ranges(candles, rules, start, stop)
    long = signal.position == "long"
    best, worst = (high, low) if long else (low, high)
    peaks, after = trail_of(signal, holding.peak, best)
    before = np.empty_like(after)
    before[:1], before[1:] = signal.stop_loss, after[:-1]
    hit = worst <= before if long else worst >= before
    if bound is not None:
        hit |= best >= bound if long else best <= bound
    if not holding.trailed:
        hit |= after != signal.stop_loss
    place = int(hit.argmax())
    return _Window(peaks, before, after, place if hit[place] else -1)
