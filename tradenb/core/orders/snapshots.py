"""What an exchange shows of one order, put into ours; and those of ours that are not known here."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tradenb.core.orders.answers import OrderSnapshot
from tradenb.core.orders.client_ids import client_id, is_ours, leg_ids, role_of
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_records import ZERO, Ending, Fill, Leg, LegName, Order
from tradenb.core.signal import Time

LEG_NAMES: Final[tuple[LegName, LegName]] = ("stop", "target")
NEVER_THERE: Final = frozenset({"refused", "would_trigger", "absent", "not_sent"})
"""Endings of orders that are not at the exchange; one that shows up all the same is taken back."""
AHEAD: Final = 300
"""So many orders of a role may be missing here, sent while nothing could be written."""


def shown(order: Order, snapshot: OrderSnapshot, now: Time) -> Order:
    """Return an order after the exchange showed it; what was filled never becomes less."""
    order = order._replace(
        exchange_id=snapshot.exchange_id,
        legs=snapshot.legs or order.legs,
        queries=0,
        queried_at=now,
        query_due=False,
        misses=0,
        missed_at=None,
        seen_at=now,
    )
    order = with_filled(with_fills(order, snapshot.fills), snapshot.filled, snapshot.value)
    if snapshot.ending == "filled":
        order = with_filled(order, order.quantity, ZERO)
    if snapshot.ending is not None:
        return order._replace(state="done", ending=snapshot.ending, done_at=order.done_at or now)
    if order.is_done and order.ending not in NEVER_THERE:
        return order  # what is shown is older than its end
    return order._replace(state="working", ending=None, working_at=order.working_at or now)


def list_snapshot(
    id: str, stop: OrderSnapshot | None, target: OrderSnapshot | None
) -> OrderSnapshot:
    """Return a list as the exchange shows it, made of what it shows of its legs.

    At least one of them is given; a list whose legs have both ended is "filled" where all of one
    is, else "cancelled".
    """
    shown_legs = [leg for leg in (stop, target) if leg is not None]
    first = shown_legs[0]
    legs = tuple(
        Leg(name, leg.exchange_id, leg.ending is None, leg.filled, leg.value)
        for name, leg in zip(LEG_NAMES, (stop, target), strict=True)
        if leg is not None
    )
    filled = sum((leg.filled for leg in shown_legs), ZERO)
    ending: Ending | None = "filled" if filled >= first.quantity > 0 else "cancelled"
    return OrderSnapshot(
        id=id,
        exchange_id=first.list_id,
        ending=None if any(leg.open for leg in legs) else ending,
        filled=filled,
        value=sum((leg.value for leg in shown_legs), ZERO),
        legs=legs,
        fills=tuple(fill for leg in shown_legs for fill in leg.fills),
        side=first.side,
        type="list",
        quantity=first.quantity,
        price=None if target is None else target.price,
        trigger=None if stop is None else stop.trigger,
    )


def copied(ledger: OrderLedger, order: Order, snapshot: OrderSnapshot, now: Time) -> OrderLedger:
    """Return the ledger where two orders have one id: both are ours, and nothing is armed any more.

    Something beyond our socket copies requests.
    """
    id = f"copy-{snapshot.exchange_id}"
    copy = ledger.order(id) or order._replace(
        id=id, exchange_id=snapshot.exchange_id, legs=(), fills=(), filled=ZERO, value=ZERO,
        state="unknown", ending=None, quantity=snapshot.quantity or order.quantity,
    )  # fmt: skip
    return stopped(
        ledger.with_order(shown(copy, snapshot, now)), f"two orders have the id {order.id}"
    )


def stopped(ledger: OrderLedger, words: str) -> OrderLedger:
    """Return the ledger with a reason to disarm the account."""
    if words in ledger.stops or words in ledger.accepted:
        return ledger
    return ledger._replace(stops=(*ledger.stops, words))


def unexplained(ledger: OrderLedger, words: str) -> OrderLedger:
    """Have a person asked about what nobody here can explain, once."""
    if words in ledger.unexplained or words in ledger.accepted:
        return ledger
    return ledger._replace(unexplained=(*ledger.unexplained, words))


def is_copy(order: Order, snapshot: OrderSnapshot) -> bool:
    """Tell whether the exchange shows another order than the one known under this id."""
    return order.exchange_id not in (None, snapshot.exchange_id)


def with_filled(order: Order, filled: Decimal, value: Decimal) -> Order:
    """Return an order with so much filled, if that is more than what is known."""
    if filled <= order.filled:
        return order
    return order._replace(filled=filled, value=value or _worth(order, filled))


def _worth(order: Order, filled: Decimal) -> Decimal:
    """Guess what so much of an order is worth, where the exchange did not say."""
    price = order.value / order.filled if order.filled else order.price or order.trigger or ZERO
    return price * filled


def with_fills(order: Order, fills: tuple[Fill, ...]) -> Order:
    """Return an order with trades, each of them once; trades may be known before the status."""
    known = {fill.id for fill in order.fills}
    fresh: list[Fill] = []
    for fill in fills:
        if fill.id not in known:
            known.add(fill.id)
            fresh.append(fill)
    if not fresh:
        return order
    every = (*order.fills, *fresh)
    quantity = sum((fill.quantity for fill in every), ZERO)
    value = sum((fill.quantity * fill.price for fill in every), ZERO)
    order = order._replace(fills=every)
    if quantity >= order.filled:  # the trades are the truth; before, its price was an estimate
        order = order._replace(filled=quantity, value=value)
    return order


def adopted(ledger: OrderLedger, snapshot: OrderSnapshot) -> Order | None:
    """Return the order of ours, of a signal known here, that an exchange shows; None of others."""
    if not is_ours(snapshot.id):
        return None
    role = role_of(snapshot.id)
    if role == "stop" or role == "target":  # noqa: PLR1714 - mypy narrows no `in`
        return None  # shown with their list
    for signal in ledger.signals():
        for attempt in range(1, len(ledger.of(signal, role)) + AHEAD):
            if client_id(ledger.run, signal, role, attempt) == snapshot.id:
                return Order(
                    id=snapshot.id,
                    signal_id=signal,
                    role=role,
                    attempt=attempt,
                    side=snapshot.side,
                    leg_ids=leg_ids(ledger.run, signal, attempt) if snapshot.legs else (),
                    type=snapshot.type,
                    quantity=snapshot.quantity,
                    price=snapshot.price,
                    trigger=snapshot.trigger,
                    state="unknown",
                )
    return None
