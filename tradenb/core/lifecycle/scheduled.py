"""The machine while a signal waits for its entry."""

from __future__ import annotations

from tradenb.core import prices
from tradenb.core.candles.arrays import Candles
from tradenb.core.events import event_of
from tradenb.core.lifecycle.entering import opened_with, opening
from tradenb.core.lifecycle.exchange_route import entering
from tradenb.core.lifecycle.missing import due
from tradenb.core.lifecycle.opened import close
from tradenb.core.lifecycle.state import (
    ENTRIES,
    EXITS,
    Need,
    NeedClearance,
    State,
    Step,
    before,
    idle_after,
    next_pause,
    refused,
    tested,
)
from tradenb.core.risk import Refusal
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal
from tradenb.core.timeframe import MINUTE
from tradenb.core.validation.levels import TOLERANCE


def wait(
    state: State,
    signal: Signal,
    candles: Candles,
    rules: Rules,
    end: int,
    beyond: Need | None,
) -> Step:
    """Look for the entry of a scheduled signal, what makes it void, or the end of waiting."""
    pause = next_pause(state, candles, end)
    start = candles.index(state.cursor) + 1
    last = candles.index(end if pause is None else pause)
    timeout = due(candles, state, times_out_at(signal, rules))
    stop = min(last + 1, timeout.row if timeout.at_open else timeout.row + 1)
    row = first_touch(signal, candles, rules, start, stop)
    if row >= 0:
        at = candles.ends_at(row)
        entry = entry_price(signal, prices.extremes(candles, row, rules), rules)
        state = before(state, candles, row)
        if entry is None:
            return cancel(state, signal, candles, rules, at, "price_reject")
        paid = signal._replace(entry=entry) if signal.breakout else signal
        return Step(at, ENTRIES, state, (), NeedClearance(at, paid, activation=True))
    if timeout.row <= last:
        state, at = before(state, candles, timeout.row), candles.ends_at(timeout.row)
        return cancel(state, signal, candles, rules, at, "timeout")
    if pause is not None:
        return Step(pause, EXITS, tested(before(state, candles, last)), (), None)
    return Step(end, EXITS, state.moved(end), (), beyond)


def first_touch(signal: Signal, candles: Candles, rules: Rules, start: int, stop: int) -> int:
    """Find the first candle that fills the entry or makes it void; its row, or -1."""
    if not signal.breakout or not _stop_wins(rules):
        return prices.first_entry(candles, signal, rules, start, stop)
    return prices.first_between(
        candles, signal.position, signal.stop_loss, signal.entry, rules, start, stop
    )


def _stop_wins(rules: Rules) -> bool:
    """Tell whether a stop that is touched makes a waiting entry void."""
    return rules.same_candle == "target_first" or rules.touch == "average_price"


def times_out_at(signal: Signal, rules: Rules) -> int:
    """Return when a signal has waited long enough, ms UTC."""
    minutes = rules.schedule_await_minutes if signal.wait is None else signal.wait
    found = signal.at + minutes * MINUTE
    if signal.until is not None:
        found = min(found, signal.until)
    return found


def entry_price(signal: Signal, extremes: prices.Extremes, rules: Rules) -> float | None:
    """Return what a candle that touches the entry fills it at; None where it makes no trade."""
    if _stop_wins(rules) and prices.stop_touched(signal, extremes):
        return None
    if not signal.breakout:
        return None if prices.opened_beyond_stop(signal, extremes) else signal.entry
    entry = signal.entry
    if rules.touch == "candle":
        pick = max if signal.position == "long" else min
        entry = pick(entry, extremes.open)
    # At the breakout itself nothing is worse than was checked: only the step moved the levels.
    return None if entry != signal.entry and _too_late(signal, entry, rules) else entry


def _too_late(signal: Signal, entry: float, rules: Rules) -> bool:
    """Tell whether a stop entry is filled where its levels make no trade any more."""
    if abs(entry - signal.stop_loss) / entry * 100 > rules.max_stop_loss_percent + TOLERANCE:
        return True
    target = signal.targets[0][0] if signal.targets else signal.take_profit
    if target is None:
        return False
    gone = entry >= target if signal.position == "long" else entry <= target
    near = abs(target - entry) / entry * 100 < rules.min_take_profit_percent - TOLERANCE
    return gone or near


def activate(
    state: State, need: NeedClearance, reply: object, candles: Candles, rules: Rules
) -> Step:
    """Open a scheduled signal whose entry was touched, unless risk refuses."""
    at, signal = need.at, need.signal
    if isinstance(reply, Refusal):
        event = refused(state, at, signal, signal.entry, reply)
        return Step(at, ENTRIES, idle_after(state, state.trades), (event,), None)
    if state.execution is not None:
        waits, event = entering(state, signal, at, reply)
        return Step(at, ENTRIES, waits.moved(at), (event,), None)
    entered = opened_with(state, signal, at, rules, limit=not signal.breakout, given=reply)
    opened = opening(entered, signal, at, signal.entry)
    extremes = prices.extremes(candles, candles.index(at), rules)
    if not prices.stop_touched(signal, extremes):
        paused = next_pause(entered, candles, at) == at
        after = tested(entered) if paused else entered.moved(at)
        return Step(at, ENTRIES, after, (opened,), None)
    # A resting order would have been filled and stopped out at the stop itself: the candle opened
    # inside the stop, or came from beyond it through the entry.
    closed = close(entered, signal, at, at, signal.stop_loss, "stop_loss", rules)
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
    price = prices.price_at(candles, at, rules)
    event = event_of(state, at, "cancelled", signal, price=price, exit_reason=reason, note=note)
    return Step(at, EXITS, idle_after(state, state.trades), (event,), None)
