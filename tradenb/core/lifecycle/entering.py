"""How a signal begins: a candidate is checked, the risk rules are asked, and it opens or waits."""

from __future__ import annotations

from tradenb.core import prices
from tradenb.core.candles.arrays import Candles
from tradenb.core.events import event_of
from tradenb.core.lifecycle.editing import first_holding
from tradenb.core.lifecycle.state import (
    ASKS,
    NeedClearance,
    Refusal,
    State,
    Step,
    refused_by_risk,
    remember,
)
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal
from tradenb.core.validation.candidate_rules import Invalid, check_reply


def warm_up(state: State, at: int) -> Step:
    """Make the event of the first ask of a row that found too little history."""
    event = event_of(state, at, "skipped", exit_reason="warm_up")
    return Step(at, ASKS, state.moved(at)._replace(warming=True), (event,), None)


def checked(
    state: State, at: int, reply: object, candles: Candles, rules: Rules
) -> Signal | Invalid:
    """Check a candidate at the market price."""
    return check_reply(
        reply,
        state.symbol,
        state.strategy,
        at,
        price=prices.market_price(candles, candles.index(at), rules),
        rules=rules,
        used=state.ids,
        managed=state.manage_every is not None,
    )


def consider(state: State, at: int, reply: object, candles: Candles, rules: Rules) -> Step:
    """Check what was answered: it needs clearance, or is rejected."""
    found = checked(state, at, reply, candles, rules)
    if isinstance(found, Signal):
        return Step(at, ASKS, state, (), NeedClearance(at, found, activation=False))
    return rejected(state, at, found, candles, rules)


def rejected(state: State, at: int, found: Invalid, candles: Candles, rules: Rules) -> Step:
    """Make the event of a candidate that breaks rules."""
    price = prices.market_price(candles, candles.index(at), rules)
    event = event_of(
        state, at, "rejected", found.signal, price=price, exit_reason="invalid", note=found.note
    )
    return Step(at, ASKS, state.moved(at), (event,), None)


def enter(state: State, need: NeedClearance, reply: object, candles: Candles, rules: Rules) -> Step:
    """Open or schedule a signal that was decided now, unless risk refuses."""
    at, signal = need.at, need.signal
    price = prices.market_price(candles, candles.index(at), rules)
    if isinstance(reply, Refusal):
        event = refused_by_risk(state, at, signal, price, reply)
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
    opened = state._replace(
        cursor=at,
        signal=signal,
        opened_at=at,
        holding=first_holding(state, signal, rules, limit=False),
        gained=0,
        lost=0,
        ids=ids,
        tested=False,
    )
    event = event_of(state, at, "opened", signal, price=price, note=signal.note, fraction=1.0)
    return Step(at, ASKS, opened, (event,), None)
