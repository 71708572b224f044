"""`Checkpoint`: what the document of a run remembers of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tradenb.core.events import Event
from tradenb.core.lifecycle.state import State
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.rules import Rules
from tradenb.engine.serialise import from_record, row_to_event
from tradenb.store.document.ledger_record import ledger_from_record


class Checkpoint(NamedTuple):
    """What a document remembers of a run.

    Attributes
    ----------
    user_state : str
        `ctx.state` as JSON.
    last_seq : int
        Number of the run's last event.
    start : int
        Cursor with which the run began, ms UTC.
    history_start : int
        First candle that the strategies saw, ms UTC.
    outbox : tuple of Event
        Events that the journal has not confirmed.
    place : int
        Its place among the runs that it shares risk rules with.
    price : float or None
        Market price at the cursor, for the views.
    reads : tuple of str
        Symbols that its strategy reads beside its own.
    rules : Rules or None
        Those in force; None in documents of before they were kept.
    ledger : OrderLedger or None
        The orders of a run with a broker.
    orders_of : str
        Whose orders it sends; "paper" sends none.
    """

    state: State
    user_state: str
    last_seq: int
    start: int
    history_start: int
    outbox: tuple[Event, ...]
    place: int
    price: float | None = None
    reads: tuple[str, ...] = ()
    rules: Rules | None = None
    ledger: OrderLedger | None = None
    orders_of: str = "paper"


def checkpoint_from(body: Mapping[str, Any], *, last_seq: int) -> Checkpoint:
    """Read a document; `last_seq` is the number of the last event in the journal."""
    rules, ledger = body.get("rules"), body.get("ledger")
    return Checkpoint(
        state=from_record(body["state"]),
        user_state=body["user_state"],
        # An older generation that a user chose goes on after what the journal has.
        last_seq=max(body["last_event_seq"], last_seq),
        start=body["start"],
        history_start=body["history_start"] or 0,
        outbox=tuple(row_to_event(row) for row in body["outbox"]),
        place=body["order"],
        price=body.get("price"),
        reads=tuple(body.get("reads", ())),
        rules=None if rules is None else Rules(**rules),
        ledger=None if ledger is None else ledger_from_record(ledger),
        orders_of=body["account"],
    )
