"""What a venue can be asked, one record a request, and where Binance's REST API has each."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from tradenb.testing.venue.venue_records import OrderType, Side, TimeInForce


class Leg(NamedTuple):
    """What says when an order trades: one of the two of an OCO list, or one of its own."""

    type: OrderType
    client_id: str | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce | None = None


class NewOrder(NamedTuple):
    """Place an order; `is_test` checks it only."""

    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal | None = None
    client_id: str | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    quote_quantity: Decimal | None = None
    is_test: bool = False

    @property
    def leg(self) -> Leg:
        """What it shares with a leg of a list."""
        price, stop = self.price, self.stop_price
        return Leg(self.type, self.client_id, price, stop, self.time_in_force)


class NewList(NamedTuple):
    """Place an OCO list: one leg above the last price, one below."""

    symbol: str
    side: Side
    quantity: Decimal
    above: Leg
    below: Leg
    client_id: str | None = None


class QueryOrder(NamedTuple):
    """Ask for an order by one of its ids."""

    symbol: str
    client_id: str | None = None
    order_id: int | None = None


class CancelOrder(NamedTuple):
    """Cancel an order by one of its ids; a leg takes its list with it."""

    symbol: str
    client_id: str | None = None
    order_id: int | None = None
    cancel_id: str | None = None


class QueryList(NamedTuple):
    """Ask for an OCO list by one of its ids."""

    client_id: str | None = None
    list_id: int | None = None


class CancelList(NamedTuple):
    """Cancel an OCO list by one of its ids."""

    symbol: str
    client_id: str | None = None
    list_id: int | None = None
    cancel_id: str | None = None


class QueryOpenOrders(NamedTuple):
    """Ask for the live orders, of one symbol or all."""

    symbol: str | None = None


class QueryOpenLists(NamedTuple):
    """Ask for the live OCO lists."""


class QueryAllOrders(NamedTuple):
    """Ask for a page of orders: from an id, of a span, or the newest."""

    symbol: str
    from_id: int | None = None
    since: int | None = None
    until: int | None = None
    limit: int = 500


class QueryTrades(NamedTuple):
    """Ask for a page of trades: of an order, from an id, of a span (a day at most), or newest."""

    symbol: str
    order_id: int | None = None
    from_id: int | None = None
    since: int | None = None
    until: int | None = None
    limit: int = 500


class QueryAccount(NamedTuple):
    """Ask what the account holds."""


class QueryKey(NamedTuple):
    """Ask what the key may do."""


VenueRead = (
    QueryOrder
    | QueryList
    | QueryOpenOrders
    | QueryOpenLists
    | QueryAllOrders
    | QueryTrades
    | QueryAccount
    | QueryKey
)
VenueRequest = NewOrder | NewList | CancelOrder | CancelList | VenueRead

ROUTES: Final[dict[type[VenueRequest], tuple[str, str]]] = {
    NewOrder: ("POST", "order"),
    NewList: ("POST", "orderList/oco"),
    QueryOrder: ("GET", "order"),
    CancelOrder: ("DELETE", "order"),
    QueryList: ("GET", "orderList"),
    CancelList: ("DELETE", "orderList"),
    QueryOpenOrders: ("GET", "openOrders"),
    QueryOpenLists: ("GET", "openOrderList"),
    QueryAllOrders: ("GET", "allOrders"),
    QueryTrades: ("GET", "myTrades"),
    QueryAccount: ("GET", "account"),
    QueryKey: ("GET", "account/apiRestrictions"),
}
"""Method and path of each request."""


def route_of(request: VenueRequest) -> tuple[str, str]:
    """Return method and path of a request.

    Examples
    --------
    >>> route_of(QueryOrder("BTCUSDT", client_id="a"))
    ('GET', 'order')
    """
    if isinstance(request, NewOrder) and request.is_test:
        return "POST", "order/test"
    return ROUTES[type(request)]
