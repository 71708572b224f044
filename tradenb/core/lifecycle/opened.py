"""The machine while a signal is open.

A plain position (fixed stop, one target or none, never managed) has no record of its parts: it is
closed by the first touch. All others are followed by `trailing.py` to the next candle that does
something, and that candle is met step by step.
"""

from __future__ import annotations

from typing import Final

from tradenb.core import prices
from tradenb.core.candles.arrays import Candles, Floats
from tradenb.core.events import Event, event_of, milestones_of
from tradenb.core.lifecycle.editing import Editing, plan_of
from tradenb.core.lifecycle.holding import Holding, plain_percent
from tradenb.core.lifecycle.state import (
    EXITS,
    Need,
    State,
    Step,
    idle_after,
    next_pause,
    remember,
    tested,
)
from tradenb.core.lifecycle.trailing import (
    better,
    beyond,
    breakeven_trigger,
    follow_stop,
    quiet_peak,
    tighter,
    trail_level,
)
from tradenb.core.rules import Rules
from tradenb.core.signal import ExitReason, Signal, closed_trade
from tradenb.core.timeframe import MINUTE, ceil_to

# So few candles are looked at one by one.
_FEW: Final = 30


def follow(
    state: State,
    signal: Signal,
    opened_at: int,
    candles: Candles,
    rules: Rules,
    end: int,
    beyond_end: Need | None,
) -> Step:
    """Look for what happens to an open position, and for milestones on the way."""
    if state.holding is not None:
        return _follow_held(
            state, signal, opened_at, state.holding, candles, rules, end, beyond_end
        )
    first, pause = state.cursor + MINUTE, next_pause(state, end)
    expiry = expires_at(signal, opened_at, first)
    last = end if pause is None else pause
    start = candles.index(first)
    stop = candles.index(last if expiry is None else min(last, expiry)) + 1
    row = prices.first_exit(candles, signal, rules, start, stop)
    if row >= 0:
        at = first + (row - start) * MINUTE
        passed = _milestones(state, signal, None, candles, rules, start, row)
        price, reason = exit_of(signal, prices.extremes(candles, row, rules), rules)
        return close(state, signal, opened_at, at, price, reason, rules, passed)
    if expiry is not None and expiry <= last:
        row = stop - 1
        passed = _milestones(state, signal, None, candles, rules, start, row)
        price = prices.market_price(candles, row, rules)
        return close(state, signal, opened_at, expiry, price, "time_expired", rules, passed)
    passed = _milestones(state, signal, None, candles, rules, start, stop)
    state = _fired(state, passed)
    if pause is not None:
        return Step(pause, EXITS, tested(state, pause), passed, None)
    return Step(end, EXITS, state.moved(end), passed, beyond_end)


def expires_at(signal: Signal, opened_at: int, first: int) -> int | None:
    """Return the close at which a position has lasted long enough, `first` or later."""
    found = None if signal.minutes is None else opened_at + signal.minutes * MINUTE
    if signal.until is not None:
        until = ceil_to(signal.until)
        found = until if found is None else min(found, until)
    return None if found is None else max(found, first)


def exit_of(signal: Signal, extremes: prices.Extremes, rules: Rules) -> tuple[float, ExitReason]:
    """Say what a candle that touches stop or target closes a plain position at."""
    target = signal.take_profit
    if target is None or rules.same_candle == "stop_first":
        stopped = target is None or prices.stop_touched(signal, extremes)
    else:
        stopped = not prices.target_touched(signal, extremes)
    if target is None or stopped:
        return prices.stop_fill(signal, extremes, rules), "stop_loss"
    return target, "take_profit"


def _milestones(
    state: State,
    signal: Signal,
    stops: Floats | None,
    candles: Candles,
    rules: Rules,
    start: int,
    stop: int,
) -> tuple[Event, ...]:
    market = prices.market_prices(candles, start, stop, rules)
    plan = plan_of(signal, state.holding)
    found = prices.milestones(market, plan, gained=state.gained, lost=state.lost)
    first, price_at = candles.start + (start + 1) * MINUTE, market.item
    if stops is None:
        return milestones_of(
            state,
            signal,
            [(first + offset * MINUTE, price_at(offset), level) for offset, level in found],
        )
    events: tuple[Event, ...] = ()
    for offset, level in found:
        then = signal._replace(stop_loss=stops.item(offset))
        events += milestones_of(state, then, [(first + offset * MINUTE, price_at(offset), level)])
    return events


def _fired(state: State, passed: tuple[Event, ...]) -> State:
    """Note which levels were passed."""
    if not passed:
        return state
    levels = [event.level or 0 for event in passed]
    gained, lost = max(state.gained, *levels), max(state.lost, -min(levels))
    return state._replace(gained=gained, lost=lost)


def close(
    state: State,
    signal: Signal,
    opened_at: int,
    at: int,
    price: float,
    reason: ExitReason,
    rules: Rules,
    passed: tuple[Event, ...] = (),
) -> Step:
    """Close a position at a price, after the events on the way there."""
    if state.holding is not None:
        editing = Editing(state, signal, opened_at, at, price, rules)
        editing.sell_all(price, reason)
        return Step(at, EXITS, editing.result(), (*passed, *editing.events), None)
    limit = reason == "take_profit"
    percent = plain_percent(signal, opened_at, price, rules, limit=limit)
    trade = closed_trade(signal, opened_at, at, price, reason, percent)
    closed = event_of(
        state,
        at,
        "closed",
        signal,
        price=price,
        exit_reason=reason,
        pnl_percent=percent,
        fraction=1.0,
    )
    trades = remember(state.trades, trade)
    return Step(at, EXITS, idle_after(state, at, trades), (*passed, closed), None)


def flatten(
    state: State, signal: Signal, opened_at: int, candles: Candles, rules: Rules, at: int
) -> Step:
    """Close a position at the user's command, unless the candle closes it anyway."""
    row = candles.index(at)
    price = prices.market_price(candles, row, rules)
    editing = Editing(state, signal, opened_at, at, price, rules)
    _meet(editing, prices.extremes(candles, row, rules), flattened=True, expired=False)
    after = editing.result()
    if editing.events[-1].exit_reason == "flattened":
        after = after.moved(at)
    return Step(at, EXITS, after, tuple(editing.events), None)


def _follow_held(
    state: State,
    signal: Signal,
    opened_at: int,
    holding: Holding,
    candles: Candles,
    rules: Rules,
    end: int,
    beyond_end: Need | None,
) -> Step:
    """Go to the next candle that does something to a position, and meet it."""
    first, pause = state.cursor + MINUTE, next_pause(state, end)
    expiry = expires_at(signal, opened_at, first)
    last = end if pause is None else pause
    start = candles.index(first)
    stop = candles.index(last if expiry is None else min(last, expiry)) + 1
    expired = expiry is not None and expiry <= last
    if stop - start <= _FEW and not expired and rules.touch == "candle" and rules.price == "close":
        plan, known = plan_of(signal, holding), {"gained": state.gained, "lost": state.lost}
        peak = quiet_peak(signal, holding, plan, candles, start, stop, **known)
        if peak is not None:
            if peak != holding.peak:
                state = state._replace(holding=holding._replace(peak=peak))
            if pause is not None:
                return Step(pause, EXITS, tested(state, pause), (), None)
            return Step(end, EXITS, state.moved(end), (), beyond_end)
    found = follow_stop(signal, holding, candles, rules, start, stop)
    row = found.row
    if row < 0 and expired:
        row = stop - 1
        found = follow_stop(signal, holding, candles, rules, start, row)
    until = stop if row < 0 else row
    passed = _milestones(state, signal, found.stops, candles, rules, start, until)
    state = _fired(state, passed)._replace(signal=found.signal, holding=found.holding)
    if row < 0:
        if pause is not None:
            return Step(pause, EXITS, tested(state, pause), passed, None)
        return Step(end, EXITS, state.moved(end), passed, beyond_end)
    at = first + (row - start) * MINUTE
    editing = Editing(
        state, found.signal, opened_at, at, prices.market_price(candles, row, rules), rules
    )
    extremes = prices.extremes(candles, row, rules)
    _meet(editing, extremes, flattened=False, expired=expiry == at)
    after = editing.result()
    if editing.trade is None:
        after = tested(after, at) if at == pause else after.moved(at)
    return Step(at, EXITS, after, (*passed, *editing.events), None)


def _meet(editing: Editing, extremes: prices.Extremes, *, flattened: bool, expired: bool) -> None:
    """Let one candle do to a position what it does, in the order of the law (section 7)."""
    rules = editing.rules
    if rules.same_candle == "target_first":
        _meet_rungs(editing, extremes)
    if editing.trade is None and prices.stop_touched(editing.signal, extremes):
        price = prices.stop_fill(editing.signal, extremes, rules)
        editing.sell_all(price, editing.holding.stop_by)
    if editing.trade is None and flattened:
        editing.sell_all(editing.price, "flattened")
    _meet_rungs(editing, extremes)
    if editing.trade is None and expired:
        editing.sell_all(editing.price, "time_expired")
    if editing.trade is None:
        editing.milestones()
        _move_stop(editing, extremes)


def _meet_rungs(editing: Editing, extremes: prices.Extremes) -> None:
    """Close what the rungs close that a candle touches, nearest first."""
    position = editing.signal.position
    while editing.trade is None and editing.holding.rungs:
        level, _ = editing.holding.rungs[0]
        if not prices.beyond(position, level, extremes):
            return
        editing.sell_rung()


def _move_stop(editing: Editing, extremes: prices.Extremes) -> None:
    """Let the breakeven, then the trail put the stop where it stands from the next candle on."""
    signal = editing.signal
    peak = better(signal, editing.holding.peak, extremes)
    editing.holding = editing.holding._replace(peak=peak)
    trigger = breakeven_trigger(signal, editing.holding)
    if trigger is not None and prices.beyond(signal.position, trigger, extremes):
        editing.holding = editing.holding._replace(secured=True)
        level = beyond(signal, signal.breakeven_plus or 0.0)
        if tighter(signal, level):
            editing.stop_at(level, "breakeven", "breakeven")
    trailed = trail_level(editing.signal, peak)
    if trailed is not None and tighter(editing.signal, trailed):
        first = not editing.holding.trailed
        editing.holding = editing.holding._replace(trailed=True)
        editing.stop_at(trailed, "trailing_stop", "trail" if first else None)
