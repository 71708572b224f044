"""What several fields of a document must agree on, a sentence each.

Signals are held against the validator of new signals, without the distances: these belong to rules
that may have changed since. A field by itself is checked by the models of `schema.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from tradenb.core.candidate import candidate_of
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal
from tradenb.core.timeframe import MINUTE, TIMEFRAMES
from tradenb.core.validation.candidate_rules import keeps_rules, problems
from tradenb.store.codec import USER_DIGITS, Damaged, parse

if TYPE_CHECKING:
    from tradenb.store.document.schema import Body, StateRecord

NO_STATE: Final = "{}"
# Of a signal of the core, and of the record of one: there a ladder is a list.
_NOTHING: Final = tuple((name, (value, [])) for name, value in Signal._field_defaults.items())
_ANY_DISTANCE: Final = Rules(
    slippage_percent=0.0,
    fee_percent=0.0,
    min_take_profit_percent=0.0,
    min_stop_loss_percent=0.0,
    max_stop_loss_percent=1e300,
    max_signal_minutes=None,
)
# With the market price at the entry the sides are tested on it; once is enough. A position is not
# given up for a long note, and a note has some words more where the entry was reached at once.
_NOT_ASKED: Final = frozenset({"market_price_outside", "id_length", "note_length"})

# Stops and targets of a position may be moved to either side of its entry.
_SIDES: Final = frozenset({"stop_loss_side", "take_profit_side"})


def signal_problems(signal: Signal) -> list[str]:
    """Name the rules for new signals that this one breaks."""
    if _is_usual(signal):
        return []
    candidate = candidate_of(signal)
    found = problems(candidate, price=signal.entry, rules=_ANY_DISTANCE, at=signal.at)
    return [problem.words for problem in found if problem.name not in _NOT_ASKED | _SIDES]


def _sides_of(signal: Signal) -> list[str]:
    """Name the sides of the entry on which the levels of a signal must not be.

    Only where nothing has moved them: of a position that has no record of its own.
    """
    if _is_usual(signal):
        return []
    found = problems(candidate_of(signal), price=signal.entry, rules=_ANY_DISTANCE, at=signal.at)
    return [problem.words for problem in found if problem.name in _SIDES]


def _is_usual(signal: Signal) -> bool:
    """Tell at once of a signal with four numbers and nothing else that it breaks no rule."""
    target, stop, minutes = signal.take_profit, signal.stop_loss, signal.minutes
    if target is None or minutes is None or signal.size is not None or not signal.id.isascii():
        return False
    if any(getattr(signal, name) not in nothing for name, nothing in _NOTHING):
        return False
    return keeps_rules(signal.position, target, stop, minutes, signal.entry, _ANY_DISTANCE)


def held_problems(state: StateRecord) -> Iterator[str]:
    """Name what contradicts the signal that a state holds."""
    signal, scheduled = state.signal, state.scheduled
    held = signal or scheduled
    if signal is not None and scheduled is not None:
        yield f"one signal is open ({signal.id}) and another scheduled ({scheduled.id})"
    if state.holding is not None and state.opened_at is None:
        yield "holding belongs to an open position, and there is none"
    if (signal is None) != (state.opened_at is None):
        yield "opened_at must be given for an open signal, and only for one"
    if held is None:
        return
    if state.holding is None:
        yield from _sides_of(held)
    if (held.symbol, held.strategy) != (state.symbol, state.strategy):
        yield f"the signal {held.id} belongs to {held.symbol}:{held.strategy}"
    if held.id not in state.ids:
        yield f"ids must contain the signal's id {held.id}"
    if held.at > (state.cursor if state.opened_at is None else state.opened_at):
        yield f"the signal {held.id} was decided at {held.at}, after its entry or the cursor"
    if state.done:
        yield f"the run is done, but holds the signal {held.id}"


def course_problems(state: StateRecord) -> Iterator[str]:
    """Name what cannot have come to be: cursor, milestones, commands, stopping."""
    if state.every not in TIMEFRAMES.values():
        yield f"every must be the length of a timeframe, was {state.every}"
    tested = state.cursor + MINUTE if state.tested else state.cursor
    if state.opened_at is not None and state.opened_at > tested:
        yield f"cursor must not lie before opened_at {state.opened_at}, was {state.cursor}"
    if state.signal is None and (state.milestones.gained or state.milestones.lost):
        yield "milestones belong to an open signal, and there is none"
    if state.done and not state.stopping:
        yield "done without stopping"
    if any(a.at > b.at for a, b in zip(state.commands, state.commands[1:], strict=False)):
        yield "commands must be in the order of time"


def trade_problems(state: StateRecord) -> Iterator[str]:
    """Name the trades that cannot be those of this state, in this order."""
    latest = 0
    for trade in state.trades:
        if not trade.opened_at <= trade.closed_at:
            yield f"the trade {trade.signal_id} closed before it opened"
        if (trade.symbol, trade.strategy) != (state.symbol, state.strategy):
            yield f"the trade {trade.signal_id} belongs to {trade.symbol}:{trade.strategy}"
        if trade.closed_at < latest:
            yield f"the trade {trade.signal_id} closed before the one ahead of it"
        latest = trade.closed_at
    if latest > state.cursor + MINUTE:
        yield f"a trade closed at {latest}, after the cursor {state.cursor}"


def body_problems(body: Body) -> Iterator[str]:
    """Name what in a document contradicts something else in it."""
    if (body.state.symbol, body.state.strategy) != (body.symbol, body.strategy):
        yield f"the state belongs to {body.state.symbol}:{body.state.strategy}"
    if body.state.cursor < body.start:
        yield f"cursor must not lie before start {body.start}, was {body.state.cursor}"
    if body.history_start is not None and body.history_start > body.start:
        yield f"history_start must not lie after start {body.start}, was {body.history_start}"
    if body.end is not None and body.end <= body.start:
        yield f"end must lie after start {body.start}, was {body.end}"
    seq = 0
    for row in body.outbox:
        if row.seq <= seq:
            yield f"outbox: seq must rise, was {row.seq} after {seq}"
        if (row.symbol, row.strategy) != (body.symbol, body.strategy):
            yield f"outbox: event {row.seq} belongs to {row.symbol}:{row.strategy}"
        seq = row.seq
    if seq > body.last_event_seq:
        yield f"last_event_seq must be at least {seq}, was {body.last_event_seq}"
    if body.user_state == NO_STATE:
        return
    try:
        kept = body.user_state.encode("utf-8", "backslashreplace")
        if not isinstance(parse(kept, digits=USER_DIGITS), dict):
            yield "user_state must be a JSON object"
    except Damaged as error:
        yield f"user_state: {error}"
