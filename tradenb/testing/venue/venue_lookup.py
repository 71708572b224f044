"""How a venue finds orders and lists by their ids, and cancels them."""

from __future__ import annotations

from tradenb.testing.venue.venue_book import VenueBook
from tradenb.testing.venue.venue_records import (
    ListAnswer,
    OrderAnswer,
    VenueList,
    VenueOrder,
    VenueRefusal,
)
from tradenb.testing.venue.venue_requests import CancelList, CancelOrder, QueryList, QueryOrder

_NO_ID = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"


def query_order(book: VenueBook, request: QueryOrder) -> OrderAnswer:
    """Return an order by one of its ids, also when it has ended."""
    order = find_order(book, request)
    if order is None:
        raise VenueRefusal(-2013, "Order does not exist.")
    return OrderAnswer(order)


def cancel_order(book: VenueBook, request: CancelOrder, at: int) -> OrderAnswer | ListAnswer:
    """Cancel a live order; if it is a leg, its list."""
    order = find_order(book, request)
    if order is None or not order.is_live:
        raise VenueRefusal(-2011, "Unknown order sent.")
    if order.list_id >= 0:
        cancel = CancelList(order.symbol, list_id=order.list_id, cancel_id=request.cancel_id)
        return cancel_list(book, cancel, at)
    book.end(order.order_id, "CANCELED", at, request.cancel_id)
    return OrderAnswer(book.orders[order.order_id])


def query_list(book: VenueBook, request: QueryList) -> ListAnswer:
    """Return an OCO list by one of its ids, also when it has ended."""
    held = _find_list(book, request)
    if held is None:
        raise VenueRefusal(-2018, "Order list does not exist.")
    return list_answer(book, held)


def cancel_list(book: VenueBook, request: CancelList, at: int) -> ListAnswer:
    """Cancel a live OCO list."""
    book.state(request.symbol)
    held = _find_list(book, request)
    if held is None or not held.is_live or held.symbol != request.symbol:
        raise VenueRefusal(-2011, "Unknown order list sent.")
    for leg in held.order_ids:
        if book.orders[leg].is_live:
            book.end(leg, "CANCELED", at, request.cancel_id)
    return list_answer(book, book.lists[held.list_id])


def list_answer(book: VenueBook, held: VenueList) -> ListAnswer:
    """Return a list with its two orders."""
    above, below = held.order_ids
    return ListAnswer(held, (book.orders[above], book.orders[below]))


def find_order(book: VenueBook, request: QueryOrder | CancelOrder) -> VenueOrder | None:
    """Return the order that a request names; of several with one client id the newest."""
    book.state(request.symbol)
    order_id = request.order_id
    if order_id is None:
        if request.client_id is None:
            raise VenueRefusal(-1102, _NO_ID)
        order_id = book.by_client_id.get((request.symbol, request.client_id), 0)
    order = book.orders.get(order_id)
    return order if order is not None and order.symbol == request.symbol else None


def _find_list(book: VenueBook, request: QueryList | CancelList) -> VenueList | None:
    if request.list_id is not None:
        return book.lists.get(request.list_id)
    named = (each for each in book.lists.values() if each.client_id == request.client_id)
    return max(named, default=None, key=lambda each: each.list_id)
