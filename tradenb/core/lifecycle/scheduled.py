"""The machine while a signal waits for its entry."""

from __future__ import annotations

from tradenb.core import prices
from tradenb.core.candles.arrays import Candles
from tradenb.core.events import event_of
from tradenb.core.lifecycle.opened import close
from tradenb.core.lifecycle.state import (
    ENTRIES,
    EXITS,
    Need,
    NeedClearance,
    Refusal,
    State,
    Step,
    idle_after,
    refused_by_risk,
)
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal
from tradenb.core.timeframe import MINUTE


def wait(
    state: State,
    signal: Signal,
    candles: Candles,
    rules: Rules,
    end: int,
    beyond: Need | None,
) -> Step:
    """Look for the entry of a scheduled signal, what makes it void, or the end of waiting."""
    first = state.cursor + MINUTE
    timeout = max(signal.at + rules.schedule_await_minutes * MINUTE, first)
    start = candles.index(first)
    stop = candles.index(min(end, timeout)) + 1
    row = prices.first_entry(candles, signal, rules, start, stop)
    if row >= 0:
        at = first + (row - start) * MINUTE
        extremes = prices.extremes(candles, row, rules)
        void = prices.opened_beyond_stop(signal, extremes)
        if rules.same_candle == "target_first":
            void = void or prices.stop_touched(signal, extremes)
        if void:
            return cancel(state, signal, candles, rules, at, "price_reject")
        before = state.moved(at - MINUTE)
        return Step(at, ENTRIES, before, (), NeedClearance(at, signal, activation=True))
    if timeout <= end:
        return cancel(state, signal, candles, rules, timeout, "timeout")
    return Step(end, EXITS, state.moved(end), (), beyond)


def activate(
    state: State, need: NeedClearance, reply: object, candles: Candles, rules: Rules
) -> Step:
    """Open a scheduled signal whose entry was touched, unless risk refuses."""
    at, signal = need.at, need.signal
    if isinstance(reply, Refusal):
        event = refused_by_risk(state, at, signal, signal.entry, reply)
        return Step(at, ENTRIES, idle_after(state, at, state.trades), (event,), None)
    opened = event_of(state, at, "opened", signal, price=signal.entry, note=signal.note)
    holding = state._replace(cursor=at, opened_at=at, gained=0, lost=0)
    extremes = prices.extremes(candles, candles.index(at), rules)
    if not prices.stop_touched(signal, extremes):
        return Step(at, ENTRIES, holding, (opened,), None)
    # A resting order would have been filled and stopped out. The candle opened inside the stop,
    # so the stop itself is the price.
    closed = close(holding, signal, at, at, signal.stop_loss, "stop_loss", rules)
    return closed._replace(phase=ENTRIES, events=(opened, *closed.events))


def cancel(
    state: State,
    signal: Signal,
    candles: Candles,
    rules: Rules,
    at: int,
    reason: str,
    note: str | None = None,
) -> Step:
    """End a signal that was not opened, at the market price."""
    price = prices.market_price(candles, candles.index(at), rules)
    event = event_of(state, at, "cancelled", signal, price=price, exit_reason=reason, note=note)
    return Step(at, EXITS, idle_after(state, at, state.trades), (event,), None)
