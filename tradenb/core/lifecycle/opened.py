"""The machine while a signal is open.

A plain position (fixed stop, one target or none, never managed) has no record of its parts: it is
closed by the first touch. All others are followed by `trailing.py` to the next candle that does
something, and that candle is met step by step by `editing.py`.
"""

from __future__ import annotations

from functools import partial
from typing import Final, NamedTuple

from tradenb.core import prices
from tradenb.core.candles.arrays import Candles, Floats
from tradenb.core.events import Event, event_of, milestones_of
from tradenb.core.lifecycle.editing import meet, meet_open
from tradenb.core.lifecycle.exchange_route import editing_of
from tradenb.core.lifecycle.holding import Holding, plain_percent, plan_of
from tradenb.core.lifecycle.missing import Due, came_due, due, expires_at, open_alone
from tradenb.core.lifecycle.state import (
    EXITS,
    Need,
    Passage,
    State,
    Step,
    before,
    idle_after,
    next_pause,
    remember,
    tested,
)
from tradenb.core.lifecycle.trailing import follow_stop, quiet_peak
from tradenb.core.rules import Rules
from tradenb.core.signal import ExitReason, Signal, closed_trade

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
    pause = next_pause(state, candles, end)
    start = candles.index(state.cursor) + 1
    span = _span(state, signal, opened_at, candles, candles.index(end if pause is None else pause))
    row = prices.first_exit(candles, signal, rules, start, span.stop)
    touched = row >= 0
    if not touched and span.expiry is not None:
        row = span.expiry.row
    until = span.stop if row < 0 else row
    way = partial(passed_milestones, state, signal, None, candles, rules, start, until)
    if row < 0:
        passed = way()
        state = fired(state, passed)
        return _goes_on(state, candles, until, passed, pause, end, beyond_end)
    if touched:
        price, reason = exit_of(signal, prices.extremes(candles, row, rules), rules)
    elif span.expiry is not None and span.expiry.at_open:
        price, reason = exit_at_open(signal, candles, row, rules)
    else:
        price, reason = prices.market_price(candles, row, rules), "time_expired"
    state = before(state, candles, row)
    closing = close(state, signal, opened_at, candles.ends_at(row), price, reason, rules)
    return closing._replace(events=Passage(way, closing.events[-1]))


def _goes_on(
    state: State,
    candles: Candles,
    stop: int,
    passed: tuple[Event, ...],
    pause: int | None,
    end: int,
    beyond_end: Need | None,
) -> Step:
    """Leave a position open that nothing closes before the row `stop`."""
    if pause is not None:
        return Step(pause, EXITS, tested(before(state, candles, stop - 1)), passed, None)
    return Step(end, EXITS, state.moved(end), passed, beyond_end)


class _Span(NamedTuple):
    """The rows in which stop and targets are tested, and the expiry, if it comes in them."""

    stop: int
    expiry: Due | None


def _span(state: State, signal: Signal, opened_at: int, candles: Candles, last: int) -> _Span:
    """Say how far a position can be followed, at most to the row `last`."""
    moment = expires_at(signal, opened_at)
    expiry = None if moment is None else due(candles, state, moment)
    if expiry is None or expiry.row > last:
        return _Span(last + 1, None)
    return _Span(expiry.row if expiry.at_open else expiry.row + 1, expiry)


def exit_at_open(
    signal: Signal, candles: Candles, row: int, rules: Rules
) -> tuple[float, ExitReason]:
    """Say what a candle closes a plain position at whose time was up before that candle opened."""
    here = open_alone(candles, row, rules)
    opened, _, _ = candles.extremes_at(row)
    if here is None:
        return opened, "time_expired"
    if prices.stop_touched(signal, here) or prices.target_touched(signal, here):
        return exit_of(signal, here, rules)
    return opened, "time_expired"


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


def passed_milestones(
    state: State,
    signal: Signal,
    stops: Floats | None,
    candles: Candles,
    rules: Rules,
    start: int,
    stop: int,
) -> tuple[Event, ...]:
    """Make the events of the levels that the candles from a row to another (exclusive) pass."""
    market = prices.market_prices(candles, start, stop, rules)
    plan = plan_of(signal, state.holding)
    found = prices.milestones(market, plan, gained=state.gained, lost=state.lost)
    if not found:
        return ()
    if stops is None and candles.regular:
        first = candles.ends_at(start)
        return milestones_of(state, signal, found, market, first=first, step=candles.step)
    passed = []
    for offset, level in found:
        at, price = candles.ends_at(start + offset), market.item(offset)
        then = signal if stops is None else signal._replace(stop_loss=stops.item(offset))
        passed.append(event_of(state, at, "milestone", then, price=price, level=level))
    return tuple(passed)


def fired(state: State, passed: tuple[Event, ...]) -> State:
    """Note which levels were passed."""
    if not passed:
        return state
    gained, lost = farthest(state, passed)
    return state._replace(gained=gained, lost=lost)


def farthest(state: State, passed: tuple[Event, ...]) -> tuple[int, int]:
    """Return the highest levels that fired on the way to the target and to the stop."""
    gained, lost = state.gained, state.lost
    for event in passed:
        level = event.level or 0
        if level > gained:
            gained = level
        elif -level > lost:
            lost = -level
    return gained, lost


def close(
    state: State,
    signal: Signal,
    opened_at: int,
    at: int,
    price: float,
    reason: ExitReason,
    rules: Rules,
) -> Step:
    """Close a position at a price."""
    if state.holding is not None:
        editing = editing_of(state, signal, opened_at, at, price, rules)
        editing.sell_all(price, reason)
        return Step(at, EXITS, editing.result(), tuple(editing.events), None)
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
    return Step(at, EXITS, idle_after(state, trades), (closed,), None)


def flatten(
    state: State,
    signal: Signal,
    opened_at: int,
    candles: Candles,
    rules: Rules,
    row: int,
    given_at: int,
) -> Step:
    """Close a position at the user's command, unless the candle closes it anyway."""
    at, price = candles.ends_at(row), prices.market_price(candles, row, rules)
    editing = editing_of(state, signal, opened_at, at, price, rules)
    expiry = expires_at(signal, opened_at)
    # A command acts on candles that close after it was given, so it came before this one opened
    # if that is later than the next millisecond.
    if came_due(candles, state, given_at + 1, row):
        meet_open(editing, candles, row, "flattened")
    elif expiry is not None and came_due(candles, state, expiry, row):
        meet_open(editing, candles, row, "time_expired")
    else:
        meet(editing, prices.extremes(candles, row, rules), flattened=True, expired=False)
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
    pause = next_pause(state, candles, end)
    start = candles.index(state.cursor) + 1
    span = _span(state, signal, opened_at, candles, candles.index(end if pause is None else pause))
    stop, expiry = span
    if expiry is None:
        quiet = _after_quiet_candles(state, signal, holding, candles, rules, start, stop)
        if quiet is not None:
            return _goes_on(quiet, candles, stop, (), pause, end, beyond_end)
    found = follow_stop(signal, holding, candles, rules, start, stop)
    row = found.row
    if row < 0 and expiry is not None:
        row = expiry.row
        if not expiry.at_open:
            found = follow_stop(signal, holding, candles, rules, start, row)
    until = stop if row < 0 else row
    passed = passed_milestones(state, signal, found.stops, candles, rules, start, until)
    gained, lost = farthest(state, passed)
    state = state._replace(signal=found.signal, holding=found.holding, gained=gained, lost=lost)
    if row < 0:
        return _goes_on(state, candles, until, passed, pause, end, beyond_end)
    state, at = before(state, candles, row), candles.ends_at(row)
    editing = editing_of(
        state, found.signal, opened_at, at, prices.market_price(candles, row, rules), rules
    )
    ends = expiry is not None and expiry.row == row
    if ends and expiry is not None and expiry.at_open:
        meet_open(editing, candles, row, "time_expired")
    else:
        meet(editing, prices.extremes(candles, row, rules), flattened=False, expired=ends)
    after = editing.result()
    if editing.trade is None:
        after = tested(after) if at == pause and not editing.over else after.moved(at)
    return Step(at, EXITS, after, (*passed, *editing.events), None)


def _after_quiet_candles(
    state: State,
    signal: Signal,
    holding: Holding,
    candles: Candles,
    rules: Rules,
    start: int,
    stop: int,
) -> State | None:
    """Return the state after a few candles that do nothing to a position, or None if one may."""
    if stop - start > _FEW or rules.touch != "candle" or rules.price != "close":
        return None
    plan, known = plan_of(signal, holding), {"gained": state.gained, "lost": state.lost}
    peak = quiet_peak(signal, holding, plan, candles, start, stop, **known)
    if peak is None:
        return None
    return state if peak == holding.peak else state._replace(holding=holding._replace(peak=peak))
