"""How long nothing happens to an open position that nobody changes."""

from __future__ import annotations

from tradenb.core import prices
from tradenb.core.candles.arrays import Candles
from tradenb.core.lifecycle.holding import Holding
from tradenb.core.lifecycle.missing import due, expires_at
from tradenb.core.lifecycle.opened import farthest, passed_milestones
from tradenb.core.lifecycle.state import EXITS, State, Step
from tradenb.core.lifecycle.trailing import follow_stop, nearest_bound, peak_after
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal


def quiet_until(state: State, signal: Signal, candles: Candles, rules: Rules, until: int) -> int:
    """Return the last close, at most `until`, before a position is met by anything.

    That is its stop, a target, its expiry, the breakeven, or the first move of its trail. What has
    an event without changing it (a milestone) or moves on with each candle (peak, trail) is none.
    Commands are not looked at.
    """
    holding, start = state.holding, candles.index(state.cursor) + 1
    stop = min(candles.index(until), len(candles) - 1) + 1
    moment = expires_at(signal, signal.at if state.opened_at is None else state.opened_at)
    if moment is not None:
        stop = max(start, min(stop, due(candles, state, moment).row))
    if holding is None:
        row = prices.first_exit(candles, signal, rules, start, stop)
    elif signal.trail is signal.trail_distance is None:
        bound, level = nearest_bound(signal, holding), signal.stop_loss
        row = prices.first_between(candles, signal.position, level, bound, rules, start, stop)
    else:
        row = follow_stop(signal, holding, candles, rules, start, stop).row
    last = (stop if row < 0 else row) - 1
    return candles.ends_at(last) if last >= start else state.cursor


def pass_by(
    state: State, signal: Signal, holding: Holding, candles: Candles, rules: Rules, at: int
) -> Step:
    """Return the step to an ask up to which nothing meets a position whose stop stands still.

    It is the one that `advance` finds when it looks for what is known not to be there.
    """
    start, stop = candles.index(state.cursor) + 1, candles.index(at) + 1
    passed = passed_milestones(state, signal, None, candles, rules, start, stop)
    holding = holding._replace(peak=peak_after(signal, holding, candles, rules, start, stop))
    cursor = max(state.cursor, candles.ends_at(stop - 2))
    gained, lost = farthest(state, passed)
    after = state._replace(gained=gained, lost=lost, holding=holding, cursor=cursor, tested=True)
    return Step(at, EXITS, after, passed, None)
