"""The lifecycle of one signal at a time, as a pure machine that is fed closed candles.

The machine never reads, sleeps, calls back or looks at a clock. It says what happens next and what
it lacks; the session (engine/session.py) gives it that. One instance is one `State`, frozen; there
is no other memory. `state.cursor` is the close time of the last candle that is done with.

    advance(state, candles, rules, until)        what happens next, at most until then
    answer(state, need, reply, candles, rules)   what follows from a reply
    stop(state, at)                              the graceful end

Each returns a `Step`: *when* something takes effect (`at`, `phase`), the state and the events that
it leads to, and what is needed then. Nothing has happened until the session lets the step take
effect. It does so in the order of (at, phase, place in the run), so that several instances which
share a risk book see one order of events, however far ahead each of them was computed.

State       looks for, in the candles after the cursor       takes effect in, leads to
---------   ----------------------------------------------   ---------------------------------------
any         commands given before the candle closed          EXITS    see `_obey`
open        stop, target (first touch of either)             EXITS    closed -> idle
            expiry                                           EXITS    closed -> idle
            levels on the way there                          EXITS    milestone
scheduled   opened beyond the stop                           EXITS    cancelled price_reject -> idle
            entry touched                                    ENTRIES  NeedClearance -> opened, or
                                                                      opened and closed at the stop,
                                                                      or rejected -> idle
            waited too long                                  EXITS    cancelled timeout -> idle
idle        next multiple of the interval                    ASKS     NeedCandidate -> rejected, or
                                                                      NeedClearance -> opened,
                                                                      scheduled, or rejected
done        nothing                                                   NeedCandles

An idle instance may be asked on the very candle on which it became idle. So a close at `c` leaves
the cursor one candle *before* `c`: the candle is done with when it has been asked about. Only where
a user's command ended something is the cursor put on `c` itself, and nobody is asked there.

A `None` leaves no trace: the state is the same object and only `need.at` moves on. The gate of the
asks is arithmetic (`c % every == 0`), so it cannot be shifted by a restart.
"""

from __future__ import annotations

from typing import TypeVar

from tradenb.core import touch
from tradenb.core.candles import Candles
from tradenb.core.events import Event, Kind
from tradenb.core.judge import judge
from tradenb.core.pnl import pnl_percent
from tradenb.core.problems import NOTE_LIMIT
from tradenb.core.rules import Rules
from tradenb.core.signal import ExitReason, Refused, Signal, Trade
from tradenb.core.state import (
    ASKS,
    ENTRIES,
    EXITS,
    NEED_CANDLES,
    NOT_ASKED,
    REMEMBERED,
    WARM_UP,
    Command,
    Need,
    NeedCandidate,
    NeedClearance,
    Refusal,
    State,
    Step,
)
from tradenb.core.timeframe import MINUTE, floor_to, next_after

Item = TypeVar("Item")


def advance(state: State, candles: Candles, rules: Rules, until: int | None = None) -> Step:
    """Find what happens next.

    Parameters
    ----------
    state : State
    candles : Candles
        Gap-free 1m candles: history, and at least those after the cursor that are to be looked at.
    rules : Rules
    until : int, optional
        Close time of the last candle to look at, ms UTC; default all.

    Returns
    -------
    Step
    """
    end = candles.end if until is None else min(until, candles.end)
    first = state.cursor + MINUTE
    if first > end:
        return Step(state.cursor, EXITS, state, (), NEED_CANDLES)
    if state.done:
        return Step(end, EXITS, state.moved(end), (), NEED_CANDLES)
    beyond: Need | None = NEED_CANDLES
    if state.commands:
        acting = _acts_at(state.commands[0], first)
        if acting == first:
            return _obey(state, candles, rules, first)
        if acting <= end:
            end, beyond = acting - MINUTE, None
    if state.signal is None:
        return _next_ask(state, first, end, beyond)
    if state.opened_at is None:
        return _wait(state, state.signal, candles, rules, end, beyond)
    return _follow(state, state.signal, state.opened_at, candles, rules, end, beyond)


def answer(state: State, need: Need, reply: object, candles: Candles, rules: Rules) -> Step:
    """Say what follows from a reply.

    Parameters
    ----------
    state : State
        As it was when the need arose.
    need : NeedCandidate or NeedClearance
    reply : object
        To NeedCandidate the strategy's answer (None, a `Candidate`, a mapping; anything else is
        rejected), `WARM_UP` or `NOT_ASKED`; to NeedClearance None or a `Refusal`.
    candles, rules
        As for `advance`.

    Returns
    -------
    Step
    """
    if isinstance(need, NeedCandidate):
        # Nothing new: None as ever, or too little history once more.
        nothing_new = WARM_UP if state.warming else None
        if reply is nothing_new or reply is NOT_ASKED:
            return _ask_again(state, need)
        return _judge(state, need, reply, candles, rules)
    if isinstance(need, NeedClearance):
        if need.activation:
            return _activate(state, need, reply, candles, rules)
        return _enter(state, need, reply, candles, rules)
    raise TypeError(f"only a candidate or a clearance can be answered, not {need!r}")


def stop(state: State, at: int) -> State:
    """Begin the graceful end at a moment: at once if nothing is open or scheduled.

    Parameters
    ----------
    state : State
    at : int
        When it was asked for, ms UTC.
    """
    if state.signal is None:
        return state._replace(stopping=True, done=True, commands=())
    return give(state, Command(at, "stop"))


def give(state: State, command: Command) -> State:
    """Add a command; it acts on the first candle that closes after it was given."""
    ordered = sorted((*state.commands, command), key=_given_at)
    return state._replace(commands=tuple(ordered))


def _given_at(command: Command) -> int:
    return command.at


def _acts_at(command: Command, first: int) -> int:
    return max(next_after(command.at, MINUTE), first)


# --- idle


def _next_ask(state: State, first: int, end: int, beyond: Need | None) -> Step:
    at = first + -first % state.every
    if at > end:
        return Step(end, EXITS, state.moved(end), (), beyond)
    last = floor_to(end, state.every)
    return Step(at, ASKS, state.moved(at - MINUTE), (), NeedCandidate(at, last))


def _ask_again(state: State, need: NeedCandidate) -> Step:
    at = need.at + state.every
    if at <= need.last:
        return Step(at, ASKS, state, (), NeedCandidate(at, need.last))
    return Step(need.at, ASKS, state.moved(need.at), (), None)


def _judge(
    state: State, need: NeedCandidate, reply: object, candles: Candles, rules: Rules
) -> Step:
    """Check what a strategy answered."""
    at = need.at
    if reply is WARM_UP:
        event = _event(state, at, "skipped", exit_reason="warm_up")
        return Step(at, ASKS, state._replace(cursor=at, warming=True), (event,), None)
    if state.warming:
        state = state._replace(warming=False)
    if reply is None:
        return _ask_again(state, need)
    price = touch.market_price(candles, candles.index(at), rules)
    symbol, strategy = state.symbol, state.strategy
    found = judge(reply, symbol, strategy, at, price=price, rules=rules, used=state.ids)
    if isinstance(found, Signal):
        return Step(at, ASKS, state, (), NeedClearance(at, found, activation=False))
    event = _event(
        state, at, "rejected", found.signal, price=price, exit_reason="invalid", note=found.note
    )
    return Step(at, ASKS, state.moved(at), (event,), None)


def _enter(
    state: State, need: NeedClearance, reply: object, candles: Candles, rules: Rules
) -> Step:
    """Open or schedule a signal that was decided now, unless risk refuses."""
    at, signal = need.at, need.signal
    price = touch.market_price(candles, candles.index(at), rules)
    if isinstance(reply, Refusal):
        event = _refused_by_risk(state, at, signal, price, reply)
        return Step(at, ASKS, state.moved(at), (event,), None)
    ids = _remember(state.ids, signal.id)
    # The entry of a signal that opens at once is the market price itself.
    if signal.entry == price:
        opened = state._replace(cursor=at, signal=signal, opened_at=at, gained=0, lost=0, ids=ids)
        event = _event(state, at, "opened", signal, price=signal.entry, note=signal.note)
        return Step(at, ASKS, opened, (event,), None)
    waiting = state._replace(cursor=at, signal=signal, opened_at=None, gained=0, lost=0, ids=ids)
    event = _event(state, at, "scheduled", signal, price=price, note=signal.note)
    return Step(at, ASKS, waiting, (event,), None)


# --- scheduled


def _wait(
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
    row = touch.first_entry(candles, signal, rules, start, stop)
    if row >= 0:
        at = first + (row - start) * MINUTE
        prices = touch.extremes(candles, row, rules)
        void = touch.opened_beyond_stop(signal, prices)
        if rules.same_candle == "target_first":
            void = void or touch.stop_touched(signal, prices)
        if void:
            return _cancel(state, signal, candles, rules, at, "price_reject")
        before = state.moved(at - MINUTE)
        return Step(at, ENTRIES, before, (), NeedClearance(at, signal, activation=True))
    if timeout <= end:
        return _cancel(state, signal, candles, rules, timeout, "timeout")
    return Step(end, EXITS, state.moved(end), (), beyond)


def _activate(
    state: State, need: NeedClearance, reply: object, candles: Candles, rules: Rules
) -> Step:
    """Open a scheduled signal whose entry was touched, unless risk refuses."""
    at, signal = need.at, need.signal
    if isinstance(reply, Refusal):
        event = _refused_by_risk(state, at, signal, signal.entry, reply)
        return Step(at, ENTRIES, _idle(state, at, state.trades), (event,), None)
    opened = _event(state, at, "opened", signal, price=signal.entry, note=signal.note)
    holding = state._replace(cursor=at, opened_at=at, gained=0, lost=0)
    prices = touch.extremes(candles, candles.index(at), rules)
    if not touch.stop_touched(signal, prices):
        return Step(at, ENTRIES, holding, (opened,), None)
    # A resting order would have been filled and stopped out. The candle opened inside the stop,
    # so the stop itself is the price.
    closed = _close(holding, signal, at, at, signal.stop_loss, "stop_loss", rules)
    return closed._replace(phase=ENTRIES, events=(opened, *closed.events))


def _cancel(
    state: State,
    signal: Signal,
    candles: Candles,
    rules: Rules,
    at: int,
    reason: str,
    note: str | None = None,
) -> Step:
    price = touch.market_price(candles, candles.index(at), rules)
    event = _event(state, at, "cancelled", signal, price=price, exit_reason=reason, note=note)
    return Step(at, EXITS, _idle(state, at, state.trades), (event,), None)


# --- open


def _follow(
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
    row = touch.first_exit(candles, signal, rules, start, stop)
    if row >= 0:
        at = first + (row - start) * MINUTE
        passed = _milestones(state, signal, candles, rules, start, row)
        price, reason = exit_of(signal, touch.extremes(candles, row, rules), rules)
        return _close(state, signal, opened_at, at, price, reason, rules, passed)
    if expiry <= end:
        row = stop - 1
        passed = _milestones(state, signal, candles, rules, start, row)
        price = touch.market_price(candles, row, rules)
        return _close(state, signal, opened_at, expiry, price, "time_expired", rules, passed)
    passed = _milestones(state, signal, candles, rules, start, stop)
    if passed:
        levels = [event.level or 0 for event in passed]
        gained, lost = max(state.gained, *levels), max(state.lost, -min(levels))
        state = state._replace(gained=gained, lost=lost)
    return Step(end, EXITS, state.moved(end), passed, beyond)


def exit_of(signal: Signal, prices: touch.Extremes, rules: Rules) -> tuple[float, ExitReason]:
    """Say what a candle that touches stop or target closes the signal at."""
    if rules.same_candle == "stop_first":
        stopped = touch.stop_touched(signal, prices)
    else:
        stopped = not touch.target_touched(signal, prices)
    if stopped:
        return touch.stop_fill(signal, prices, rules), "stop_loss"
    return signal.take_profit, "take_profit"


def _milestones(
    state: State, signal: Signal, candles: Candles, rules: Rules, start: int, stop: int
) -> tuple[Event, ...]:
    prices = touch.market_prices(candles, start, stop, rules)
    found = touch.milestones(prices, signal, gained=state.gained, lost=state.lost)
    first, price_at = candles.start + (start + 1) * MINUTE, prices.item
    symbol, strategy = state.symbol, state.strategy
    return tuple(
        [
            Event(
                0,
                first + offset * MINUTE,
                symbol,
                strategy,
                "milestone",
                signal,
                price_at(offset),
                None,
                None,
                level,
            )
            for offset, level in found
        ]
    )


def _close(
    state: State,
    signal: Signal,
    opened_at: int,
    at: int,
    price: float,
    reason: ExitReason,
    rules: Rules,
    passed: tuple[Event, ...] = (),
) -> Step:
    percent = pnl_percent(signal.position, signal.entry, price, rules)
    trade = Trade(
        signal.id,
        signal.symbol,
        signal.strategy,
        signal.position,
        opened_at,
        at,
        signal.entry,
        price,
        signal.take_profit,
        signal.stop_loss,
        signal.size,
        reason,
        percent,
        False,
        signal.note,
    )
    closed = _event(
        state, at, "closed", signal, price=price, exit_reason=reason, pnl_percent=percent
    )
    trades = _remember(state.trades, trade)
    return Step(at, EXITS, _idle(state, at, trades), (*passed, closed), None)


# --- commands


def _obey(state: State, candles: Candles, rules: Rules, at: int) -> Step:
    """Let the commands act that were given before the candle closed.

    cancel and flatten end a scheduled signal; stop does too, and ends the run where nothing is
    open. On an open signal stop forbids further asks, and flatten closes it at the market price,
    unless the test that stands before it finds the stop (or, with target_first, either) touched.
    """
    due = [command for command in state.commands if _acts_at(command, at) == at]
    state = state._replace(commands=state.commands[len(due) :])
    events: tuple[Event, ...] = ()
    flatten = False
    for command in due:
        if command.kind == "stop":
            state = state._replace(stopping=True, done=state.signal is None)
        if state.signal is None:
            continue
        if state.opened_at is not None:
            flatten = flatten or command.kind == "flatten"
        elif _ends_scheduled(command, state.signal):
            note = command.cancel_id
            step = _cancel(state, state.signal, candles, rules, at, "user", note)
            state, events = step.state.moved(at), step.events
    if flatten and state.signal is not None and state.opened_at is not None:
        return _flatten(state, state.signal, state.opened_at, candles, rules, at)
    return Step(at, EXITS, state, events, None)


def _ends_scheduled(command: Command, signal: Signal) -> bool:
    return command.kind != "cancel" or command.id is None or command.id == signal.id


def _flatten(
    state: State, signal: Signal, opened_at: int, candles: Candles, rules: Rules, at: int
) -> Step:
    row = candles.index(at)
    prices = touch.extremes(candles, row, rules)
    touched = touch.stop_touched(signal, prices)
    if rules.same_candle == "target_first":
        touched = touched or touch.target_touched(signal, prices)
    if touched:
        price, reason = exit_of(signal, prices, rules)
        return _close(state, signal, opened_at, at, price, reason, rules)
    price = touch.market_price(candles, row, rules)
    step = _close(state, signal, opened_at, at, price, "flattened", rules)
    return step._replace(state=step.state.moved(at))


# --- shared


def _idle(state: State, at: int, trades: tuple[Trade, ...]) -> State:
    """Return the state after a signal ended at `at`: it may be asked on that candle."""
    return state._replace(
        cursor=at - MINUTE,
        signal=None,
        opened_at=None,
        gained=0,
        lost=0,
        done=state.stopping,
        trades=trades,
    )


def _refused_by_risk(
    state: State, at: int, signal: Signal, price: float, refusal: Refusal
) -> Event:
    words = refusal.words
    if len(words) > NOTE_LIMIT:
        words = words[: NOTE_LIMIT - 3] + "..."
    note = f"{refusal.name} | {words}"
    return _event(state, at, "rejected", signal, price=price, exit_reason="risk", note=note)


def _remember(items: tuple[Item, ...], item: Item) -> tuple[Item, ...]:
    return items[1 - REMEMBERED :] + (item,)  # noqa: RUF005 - (*items, item) copies twice


def _event(
    state: State,
    at: int,
    kind: Kind,
    signal: Signal | Refused | None = None,
    *,
    price: float | None = None,
    exit_reason: str | None = None,
    pnl_percent: float | None = None,
    level: int | None = None,
    note: str | None = None,
) -> Event:
    return Event(
        0,
        at,
        state.symbol,
        state.strategy,
        kind,
        signal,
        price,
        exit_reason,
        pnl_percent,
        level,
        False,
        note,
    )
