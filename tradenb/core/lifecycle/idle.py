"""The machine while nothing is scheduled or open: when it asks, and what an answer leads to."""

from __future__ import annotations

from tradenb.core import touch
from tradenb.core.candles.arrays import Candles
from tradenb.core.events import event_of
from tradenb.core.lifecycle.acceptance import judge
from tradenb.core.lifecycle.state import (
    ASKS,
    EXITS,
    WARM_UP,
    Need,
    NeedCandidate,
    NeedClearance,
    Refusal,
    State,
    Step,
)
from tradenb.core.lifecycle.transitions import refused_by_risk, remember
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal
from tradenb.core.timeframe import MINUTE, floor_to


def next_ask(state: State, first: int, end: int, beyond: Need | None) -> Step:
    """Find the next moment to ask at, from the candle that closes at `first` on."""
    at = first + -first % state.every
    if at > end:
        return Step(end, EXITS, state.moved(end), (), beyond)
    last = floor_to(end, state.every)
    return Step(at, ASKS, state.moved(at - MINUTE), (), NeedCandidate(at, last))


def ask_again(state: State, need: NeedCandidate) -> Step:
    """Ask at the next moment; a `None` leaves no trace."""
    at = need.at + state.every
    if at <= need.last:
        return Step(at, ASKS, state, (), NeedCandidate(at, need.last))
    return Step(need.at, ASKS, state.moved(need.at), (), None)


def judged(
    state: State, need: NeedCandidate, reply: object, candles: Candles, rules: Rules
) -> Step:
    """Check what a strategy answered."""
    at = need.at
    if reply is WARM_UP:
        event = event_of(state, at, "skipped", exit_reason="warm_up")
        return Step(at, ASKS, state._replace(cursor=at, warming=True), (event,), None)
    if state.warming:
        state = state._replace(warming=False)
    if reply is None:
        return ask_again(state, need)
    price = touch.market_price(candles, candles.index(at), rules)
    symbol, strategy = state.symbol, state.strategy
    found = judge(reply, symbol, strategy, at, price=price, rules=rules, used=state.ids)
    if isinstance(found, Signal):
        return Step(at, ASKS, state, (), NeedClearance(at, found, activation=False))
    event = event_of(
        state, at, "rejected", found.signal, price=price, exit_reason="invalid", note=found.note
    )
    return Step(at, ASKS, state.moved(at), (event,), None)


def enter(state: State, need: NeedClearance, reply: object, candles: Candles, rules: Rules) -> Step:
    """Open or schedule a signal that was decided now, unless risk refuses."""
    at, signal = need.at, need.signal
    price = touch.market_price(candles, candles.index(at), rules)
    if isinstance(reply, Refusal):
        event = refused_by_risk(state, at, signal, price, reply)
        return Step(at, ASKS, state.moved(at), (event,), None)
    ids = remember(state.ids, signal.id)
    # The entry of a signal that opens at once is the market price itself.
    if signal.entry == price:
        opened = state._replace(cursor=at, signal=signal, opened_at=at, gained=0, lost=0, ids=ids)
        event = event_of(state, at, "opened", signal, price=signal.entry, note=signal.note)
        return Step(at, ASKS, opened, (event,), None)
    waiting = state._replace(cursor=at, signal=signal, opened_at=None, gained=0, lost=0, ids=ids)
    event = event_of(state, at, "scheduled", signal, price=price, note=signal.note)
    return Step(at, ASKS, waiting, (event,), None)
