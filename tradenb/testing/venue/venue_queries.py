"""Pages of what a venue has: orders, trades and the account."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from tradenb.core.timeframe import DAY
from tradenb.testing.venue.venue_records import VenueOrder, VenueRefusal, VenueTrade
from tradenb.testing.venue.venue_requests import QueryAllOrders, QueryTrades

T = TypeVar("T")
LARGEST_PAGE: Final = 1000


def orders_page(orders: Iterable[VenueOrder], request: QueryAllOrders) -> tuple[VenueOrder, ...]:
    """Return a page of orders of a symbol, oldest first."""
    _check_span(request.since, request.until)
    first, since, until = request.from_id or 0, request.since or 0, request.until
    found = [
        order
        for order in orders
        if order.symbol == request.symbol
        and order.order_id >= first
        and since <= order.created_at
        and (until is None or order.created_at <= until)
    ]
    return tuple(_page(found, request))


def trades_page(trades: list[VenueTrade], request: QueryTrades) -> tuple[VenueTrade, ...]:
    """Return a page of trades of a symbol, oldest first."""
    _check_span(request.since, request.until)
    if request.from_id is not None and (request.since, request.until) != (None, None):
        raise VenueRefusal(-1128, "Combination of optional parameters invalid.")
    first, since, until = request.from_id or 0, request.since or 0, request.until
    found = [
        trade
        for trade in trades
        if trade.symbol == request.symbol
        and trade.trade_id >= first
        and request.order_id in (None, trade.order_id)
        and since <= trade.at
        and (until is None or trade.at <= until)
    ]
    return tuple(_page(found, request))


def _page(found: list[T], request: QueryAllOrders | QueryTrades) -> list[T]:
    limit = min(request.limit, LARGEST_PAGE)
    if request.from_id is None and request.since is None:
        return found[max(0, len(found) - limit) :]
    return found[:limit]


def _check_span(since: int | None, until: int | None) -> None:
    if since is not None and until is not None and until - since > DAY:
        raise VenueRefusal(-1127, "More than 24 hours between startTime and endTime.")
