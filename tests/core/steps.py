"""An idle instance on flat candles, and what the machine's steps are made of, for its tests."""

from __future__ import annotations

from typing import Any

from tests.sources import MINUTE, T0, candles, flat, minute
from tradenb.core.candidate import long
from tradenb.core.events import Event
from tradenb.core.lifecycle.machine import advance, answer
from tradenb.core.lifecycle.state import NeedCandidate, NeedClearance, State, Step
from tradenb.core.risk import Refusal
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal

RULES = Rules()
GRID = candles(flat(30))
IDLE = State("BTCUSDT", "dip", 5 * MINUTE, T0)
BUY = long(take_profit=102.0, stop_loss=99.0, minutes=60)


def event(
    at: int,
    kind: Any,
    signal: Any = None,
    price: float | None = None,
    reason: str | None = None,
    *,
    pnl: float | None = None,
    level: int | None = None,
    note: str | None = None,
    fraction: float | None = None,
) -> Event:
    """An event of the instance, not numbered yet."""
    if kind in ("opened", "closed"):
        fraction = 1.0
    names = (0, at, "BTCUSDT", "dip", kind, signal, price, reason, pnl, level, False, note)
    return Event(*names, fraction=fraction)


def signal(**changes: Any) -> Signal:
    """The signal of BUY at the first ask."""
    at = minute(5)
    made = Signal(
        f"dip-BTCUSDT-{at}", "BTCUSDT", "dip", "long", 100.0, 102.0, 99.0, 60, None, None, at
    )
    return made._replace(**changes)


def asked(state: State = IDLE, until: int | None = None) -> Step:
    """The next ask."""
    step = advance(state, GRID, RULES, until)
    assert isinstance(step.need, NeedCandidate)
    return step


def replied(reply: object, state: State = IDLE) -> Step:
    """What follows from a strategy's reply to the next ask."""
    step = asked(state)
    return answer(step.state, step.need, reply, GRID, RULES)


def entered(reply: object, verdict: Refusal | None = None, state: State = IDLE) -> Step:
    """What follows when the risk rules had their say on the reply."""
    step = replied(reply, state)
    assert isinstance(step.need, NeedClearance)
    return answer(step.state, step.need, verdict, GRID, RULES)
