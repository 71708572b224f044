"""How a signal begins: a candidate is checked, the risk rules are asked, and it opens or waits."""

from __future__ import annotations

from typing import Any, Final

from tradenb.core import prices
from tradenb.core.candles.arrays import Candles
from tradenb.core.events import Event, event_of
from tradenb.core.lifecycle.exchange_route import entering
from tradenb.core.lifecycle.holding import first_holding
from tradenb.core.lifecycle.state import (
    ASKS,
    NeedClearance,
    State,
    Step,
    refused,
    remember,
)
from tradenb.core.risk import Refusal
from tradenb.core.rules import Rules
from tradenb.core.signal import Refused, Signal
from tradenb.core.validation.candidate_rules import Invalid, check_reply

SHORT_ON_SPOT: Final = "short_on_spot"


def warm_up(state: State, at: int) -> Step:
    """Make the event of the first ask of a row that found too little history."""
    event = event_of(state, at, "skipped", exit_reason="warm_up")
    return Step(at, ASKS, state.moved(at)._replace(warming=True), (event,), None)


def checked(
    state: State, at: int, reply: object, candles: Candles, rules: Rules
) -> Signal | Invalid:
    """Check a candidate at the market price; at an exchange it must be long."""
    found = check_reply(
        reply,
        state.symbol,
        state.strategy,
        at,
        price=prices.price_at(candles, at, rules),
        rules=rules,
        used=state.ids,
        managed=state.manage_every is not None,
        step=None if state.market is None else state.market.price_step,
    )
    if state.execution is not None and isinstance(found, Signal) and found.position == "short":
        words = "a spot exchange sells nothing that is not held; go long, or run it on paper"
        return Invalid(Refused(found.id, found.position), f"{SHORT_ON_SPOT} | {words}")
    return found


def consider(state: State, at: int, reply: object, candles: Candles, rules: Rules) -> Step:
    """Check what was answered: it needs clearance, or is rejected."""
    found = checked(state, at, reply, candles, rules)
    if isinstance(found, Signal):
        return Step(at, ASKS, state, (), NeedClearance(at, found, activation=False))
    return rejected(state, at, found, candles, rules)


def rejected(state: State, at: int, found: Invalid, candles: Candles, rules: Rules) -> Step:
    """Make the event of a candidate that breaks rules."""
    price = prices.price_at(candles, at, rules)
    event = event_of(
        state, at, "rejected", found.signal, price=price, exit_reason="invalid", note=found.note
    )
    return Step(at, ASKS, state.moved(at), (event,), None)


def enter(state: State, need: NeedClearance, reply: object, candles: Candles, rules: Rules) -> Step:
    """Open or schedule a signal that was decided now, unless risk refuses."""
    at, signal = need.at, need.signal
    price = prices.price_at(candles, at, rules)
    if isinstance(reply, Refusal):
        event = refused(state, at, signal, price, reply)
        return Step(at, ASKS, state.moved(at), (event,), None)
    ids = remember(state.ids, signal.id)
    # The entry of a signal that opens at once is the market price itself.
    if signal.entry != price:
        waits = state._replace(
            cursor=at,
            signal=signal,
            opened_at=None,
            holding=None,
            gained=0,
            lost=0,
            ids=ids,
            tested=False,
        )
        event = event_of(state, at, "scheduled", signal, price=price, note=signal.note)
        return Step(at, ASKS, waits, (event,), None)
    if state.execution is not None:
        waits, event = entering(state, signal, at, reply)
        return Step(at, ASKS, waits._replace(cursor=at, ids=ids), (event,), None)
    opened = opened_with(
        state, signal, at, rules, limit=False, given=reply, ids=ids, cursor=at, tested=False
    )
    return Step(at, ASKS, opened, (opening(opened, signal, at, price),), None)


def opened_with(
    state: State,
    signal: Signal,
    at: int,
    rules: Rules,
    *,
    limit: bool,
    given: object,
    **others: Any,
) -> State:
    """Return the state after a signal was filled, with what an account gives, if there is one.

    `others` are fields that change beside those of the position.
    """
    managed = state.manage_every is not None
    holding = first_holding(signal, rules, limit=limit, managed=managed, given=given)
    opened = state._replace(
        signal=signal, opened_at=at, gained=0, lost=0, holding=holding, **others
    )
    if holding is None or holding.money is None:
        return opened
    return opened._replace(earned=state.earned + holding.money.earned)


def opening(state: State, signal: Signal, at: int, price: float) -> Event:
    """Make the event of an open position."""
    money = None if state.holding is None else state.holding.money
    return event_of(
        state,
        at,
        "opened",
        signal,
        price=price,
        note=signal.note,
        fraction=1.0,
        quantity=None if money is None else money.quantity,
    )
