"""The machine while a signal is open."""

from __future__ import annotations

from tradenb.core import prices
from tradenb.core.candles.arrays import Candles
from tradenb.core.events import Event, event_of, milestones_of
from tradenb.core.lifecycle.state import EXITS, Need, State, Step, idle_after, remember
from tradenb.core.prices import pnl_percent
from tradenb.core.rules import Rules
from tradenb.core.signal import ExitReason, Signal, closed_trade
from tradenb.core.timeframe import MINUTE


def follow(
    state: State,
    signal: Signal,
    opened_at: int,
    candles: Candles,
    rules: Rules,
    end: int,
    beyond: Need | None,
) -> Step:
    """Look for the exit of an open signal, and for milestones on the way."""
    first = state.cursor + MINUTE
    expiry = max(opened_at + signal.minutes * MINUTE, first)
    start = candles.index(first)
    stop = candles.index(min(end, expiry)) + 1
    row = prices.first_exit(candles, signal, rules, start, stop)
    if row >= 0:
        at = first + (row - start) * MINUTE
        passed = _milestones(state, signal, candles, rules, start, row)
        price, reason = exit_of(signal, prices.extremes(candles, row, rules), rules)
        return close(state, signal, opened_at, at, price, reason, rules, passed)
    if expiry <= end:
        row = stop - 1
        passed = _milestones(state, signal, candles, rules, start, row)
        price = prices.market_price(candles, row, rules)
        return close(state, signal, opened_at, expiry, price, "time_expired", rules, passed)
    passed = _milestones(state, signal, candles, rules, start, stop)
    if passed:
        levels = [event.level or 0 for event in passed]
        gained, lost = max(state.gained, *levels), max(state.lost, -min(levels))
        state = state._replace(gained=gained, lost=lost)
    return Step(end, EXITS, state.moved(end), passed, beyond)


def exit_of(signal: Signal, extremes: prices.Extremes, rules: Rules) -> tuple[float, ExitReason]:
    """Say what a candle that touches stop or target closes the signal at."""
    if rules.same_candle == "stop_first":
        stopped = prices.stop_touched(signal, extremes)
    else:
        stopped = not prices.target_touched(signal, extremes)
    if stopped:
        return prices.stop_fill(signal, extremes, rules), "stop_loss"
    return signal.take_profit, "take_profit"


def _milestones(
    state: State, signal: Signal, candles: Candles, rules: Rules, start: int, stop: int
) -> tuple[Event, ...]:
    market = prices.market_prices(candles, start, stop, rules)
    found = prices.milestones(market, signal, gained=state.gained, lost=state.lost)
    first, price_at = candles.start + (start + 1) * MINUTE, market.item
    return milestones_of(
        state,
        signal,
        [(first + offset * MINUTE, price_at(offset), level) for offset, level in found],
    )


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
    """Close a signal at a price, after the events on the way there."""
    percent = pnl_percent(signal.position, signal.entry, price, rules)
    trade = closed_trade(signal, opened_at, at, price, reason, percent)
    closed = event_of(
        state, at, "closed", signal, price=price, exit_reason=reason, pnl_percent=percent
    )
    trades = remember(state.trades, trade)
    return Step(at, EXITS, idle_after(state, at, trades), (*passed, closed), None)


def flatten(
    state: State, signal: Signal, opened_at: int, candles: Candles, rules: Rules, at: int
) -> Step:
    """Close a signal at the user's command, unless the candle closes it anyway."""
    row = candles.index(at)
    extremes = prices.extremes(candles, row, rules)
    touched = prices.stop_touched(signal, extremes)
    if rules.same_candle == "target_first":
        touched = touched or prices.target_touched(signal, extremes)
    if touched:
        price, reason = exit_of(signal, extremes, rules)
        return close(state, signal, opened_at, at, price, reason, rules)
    price = prices.market_price(candles, row, rules)
    step = close(state, signal, opened_at, at, price, "flattened", rules)
    return step._replace(state=step.state.moved(at))
