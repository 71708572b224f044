"""What protects a position: the order it should have, and whether the one that rests is enough."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tradenb.core.orders.ledger import OrderLedger, held_quantity
from tradenb.core.orders.order_records import DesiredPosition, Order, OrderType
from tradenb.core.orders.outcomes import is_being_cancelled
from tradenb.core.orders.venue import OrderMarket, Venue, stepped
from tradenb.core.signal import Time
from tradenb.core.timeframe import MINUTE

MOVE_SHARE: Final = Decimal("0.002")
"""A resting stop or target may be off by this share of its price before it is replaced."""


def protective_order(
    wanted: DesiredPosition, held: Decimal, venue: Venue, market: OrderMarket
) -> tuple[OrderType, Decimal, Decimal | None, Decimal]:
    """Return type, pieces, limit price and trigger of the order that protects what is held."""
    trigger = stepped(wanted.stop, market.price_step)
    pieces = market.pieces(held)
    if venue.lists and wanted.target is not None:
        return "list", pieces, stepped(wanted.target, market.price_step), trigger
    if market.stop_market:
        return "stop", pieces, None, trigger
    limit = stepped(trigger * (1 - market.stop_gap), market.price_step)
    return "stop_limit", pieces, limit, trigger


def covering(
    ledger: OrderLedger, signal_id: str, held: Decimal, market: OrderMarket
) -> Order | None:
    """Return the order whose open stop covers what is held but for less than a step."""
    for order in ledger.of(signal_id, "protection"):
        if order.stop_is_open and order.rest > held - market.size_step:
            return order
    return None


def is_in_place(
    order: Order, wanted: DesiredPosition, venue: Venue, market: OrderMarket, now: Time
) -> bool:
    """Tell whether stop and target rest where they should, near enough.

    It is replaced in the next minute at the earliest: each replacement leaves the position
    without protection for a moment.
    """
    if order.sent_at // MINUTE >= now // MINUTE:
        return True
    kind, _, limit, trigger = protective_order(wanted, order.quantity, venue, market)
    if order.type != kind or not _near(order.trigger, trigger, market):
        return False
    return kind != "list" or _near(order.price, limit, market)


def _near(price: Decimal | None, wanted: Decimal | None, market: OrderMarket) -> bool:
    if price is None or wanted is None:
        return price is wanted
    return abs(price - wanted) <= max(market.price_step, MOVE_SHARE * wanted)


def uncovered_since(
    ledger: OrderLedger,
    signal_id: str,
    held: Decimal,
    market: OrderMarket,
    *,
    of_process: bool = True,
) -> Time | None:
    """Return since when no stop covers a position; None: one does, or nothing is held.

    With `of_process` the time before this process began does not count: it has a chance to protect
    it, too.
    """
    if held < market.size_step or covering(ledger, signal_id, held, market) is not None:
        return None
    filled = (order for order in ledger.of(signal_id, "entry") if order.filled > 0)
    # Not when it was seen last: each look at an entry would begin the time without a stop anew.
    entries = [order.done_at or order.seen_at for order in filled]
    entered = min((at for at in entries if at is not None), default=ledger.started_at)
    since = max(entered, ledger.started_at) if of_process else entered
    for order in ledger.of(signal_id, "protection"):
        if order.working_at is not None:
            # A cancel that was refused ends nothing: the order protected until it was done.
            was_cancelled = is_being_cancelled(order, order.done_at or 0)
            ended = order.cancelled_at if was_cancelled else order.done_at
            since = max(since, ended or order.seen_at or since)
    return since


def is_at_rest(ledger: OrderLedger, market: OrderMarket) -> bool:
    """Tell whether no order has to be asked for, and what is held has its stop."""
    return not any(order.is_unsettled for order in ledger.orders) and all(
        uncovered_since(ledger, each, held_quantity(ledger, each, market), market) is None
        for each in ledger.signals()
    )
