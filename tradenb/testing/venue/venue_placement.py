"""How a venue takes new orders and lists: filters, ids, funds, and then the book."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from tradenb.testing.venue.market_state import MarketState
from tradenb.testing.venue.venue_book import VenueBook
from tradenb.testing.venue.venue_filters import check_list, check_order, would_trigger
from tradenb.testing.venue.venue_lookup import list_answer
from tradenb.testing.venue.venue_records import (
    CONDITIONAL,
    ZERO,
    ListAnswer,
    OrderAnswer,
    Side,
    TestAnswer,
    VenueList,
    VenueOrder,
    VenueRefusal,
)
from tradenb.testing.venue.venue_requests import Leg, NewList, NewOrder

_ID: Final = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
_INSUFFICIENT: Final = "Account has insufficient balance for requested action."


def check_test_order(book: VenueBook, request: NewOrder) -> TestAnswer:
    """Check what Binance checks of a test order: fields and filters, neither funds nor prices."""
    state, last = _open_market(book, request.symbol)
    _check_id("newClientOrderId", request.client_id)
    check_order(state.market, request, last)
    return TestAnswer()


def place_order(book: VenueBook, request: NewOrder, at: int) -> OrderAnswer:
    """Place an order, and match it if it need not wait."""
    check_test_order(book, request)
    state, last = _open_market(book, request.symbol)
    if would_trigger(request.type, request.side, request.stop_price, last):
        raise VenueRefusal(-2010, "Stop price would trigger immediately.")
    _check_unused(book, request.symbol, request.client_id)
    quantity = request.quantity
    if quantity is None:
        quantity = state.quantity_for((request.quote_quantity or ZERO) / book.fees.reserve())
    order = _made(book, request.symbol, request.side, quantity, request.leg, at)
    order = order._replace(quote_quantity=request.quote_quantity or ZERO)
    if request.type == "LIMIT_MAKER":
        price = state.taker_price(request.side)
        if order.price >= price if request.side == "BUY" else order.price <= price:
            raise VenueRefusal(-2010, "Order would immediately match and take.")
    if request.type == "MARKET" and request.side == "BUY":
        _check_funds(book, state.market.quote, state.cost_of(quantity) * book.fees.reserve())
    else:
        _check_funds(book, *book.need(order))
    count = len(book.trades)
    book.add(order)
    if order.is_working:
        book.start(order, at)
    return OrderAnswer(book.orders[order.order_id], tuple(book.trades[count:]))


def place_list(book: VenueBook, request: NewList, at: int) -> ListAnswer:
    """Place an OCO list: both legs, or neither."""
    state, last = _open_market(book, request.symbol)
    check_list(state.market, request, last)
    _check_list_ids(book, request)
    list_id = len(book.lists) + 1
    above, below = (
        _made(book, request.symbol, request.side, request.quantity, leg, at, place)
        for place, leg in enumerate((request.above, request.below))
    )
    asset, needed = book.need(above)
    _check_funds(book, asset, max(needed, book.need(below)[1]))
    book.lists[list_id] = VenueList(
        list_id,
        request.client_id or f"list-{list_id}",
        request.symbol,
        (above.order_id, below.order_id),
        at,
        at,
    )
    for order in (above, below):
        book.add(order._replace(list_id=list_id))
    return list_answer(book, book.lists[list_id])


def _open_market(book: VenueBook, symbol: str) -> tuple[MarketState, Decimal]:
    state = book.state(symbol)
    if not state.market.is_trading or state.last is None:
        raise VenueRefusal(-1013, "Market is closed.")
    return state, state.last


def _made(
    book: VenueBook, symbol: str, side: Side, quantity: Decimal, leg: Leg, at: int, place: int = 0
) -> VenueOrder:
    order_id = len(book.orders) + 1 + place
    return VenueOrder(
        order_id=order_id,
        client_id=leg.client_id or f"x-{order_id}",
        symbol=symbol,
        side=side,
        type=leg.type,
        time_in_force=leg.time_in_force or "GTC",
        quantity=quantity,
        quote_quantity=ZERO,
        price=leg.price or ZERO,
        stop_price=leg.stop_price or ZERO,
        list_id=-1,
        created_at=at,
        updated_at=at,
        is_working=leg.type not in CONDITIONAL,
    )


def _check_list_ids(book: VenueBook, request: NewList) -> None:
    _check_id("listClientOrderId", request.client_id)
    live = {each.client_id for each in book.lists.values() if each.is_live}
    ids = [leg.client_id for leg in (request.above, request.below) if leg.client_id is not None]
    if request.client_id in live or len({*ids}) < len(ids):
        raise VenueRefusal(-2010, "Duplicate order sent.")
    for leg_id in ids:
        _check_id("newClientOrderId", leg_id)
        _check_unused(book, request.symbol, leg_id)


def _check_unused(book: VenueBook, symbol: str, client_id: str | None) -> None:
    """Refuse a client id that a live order has; those of ended orders may come again."""
    order_id = book.by_client_id.get((symbol, client_id or ""))
    if order_id is not None and book.orders[order_id].is_live:
        raise VenueRefusal(-2010, "Duplicate order sent.")


def _check_funds(book: VenueBook, asset: str, needed: Decimal) -> None:
    if needed > book.balances.free_of(asset):
        raise VenueRefusal(-2010, _INSUFFICIENT)


def _check_id(name: str, client_id: str | None) -> None:
    if client_id is not None and not _ID.fullmatch(client_id):
        text = f"Illegal characters found in parameter '{name}'; legal range is '{_ID.pattern}'."
        raise VenueRefusal(-1100, text)
