"""Binance's signed requests, read: method, path and parameters become a record of the venue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from tradenb.testing.venue.venue_records import ORDER_TYPES, VenueRefusal
from tradenb.testing.venue.venue_requests import (
    CancelList,
    CancelOrder,
    Leg,
    NewList,
    NewOrder,
    QueryAccount,
    QueryAllOrders,
    QueryKey,
    QueryList,
    QueryOpenLists,
    QueryOpenOrders,
    QueryOrder,
    QueryTrades,
    VenueRequest,
)


class Parameters:
    """The parameters of a request, by name; what is missing or malformed is refused."""

    def __init__(self, params: Mapping[str, str]) -> None:
        self._params = params

    def text(self, name: str) -> str | None:
        """Return a parameter as it is; None if it is not sent, refused if it is empty."""
        value = self._params.get(name)
        if value == "":
            raise VenueRefusal(-1105, f"Parameter '{name}' was empty.")
        return value

    def required(self, name: str) -> str:
        """Return a parameter that must be sent."""
        value = self.text(name)
        if value is None:
            raise _malformed(name)
        return value

    def decimal(self, name: str) -> Decimal | None:
        """Return a decimal parameter."""
        value = self.text(name)
        if value is None:
            return None
        try:
            found = Decimal(value)
        except InvalidOperation:
            raise _illegal(name) from None
        if not found.is_finite() or found < 0:
            raise _illegal(name)
        return found

    def whole(self, name: str) -> int | None:
        """Return an integer parameter."""
        value = self.text(name)
        try:
            return None if value is None else int(value)
        except ValueError:
            raise _illegal(name) from None

    def one_of(self, name: str, known: tuple[str, ...], code: int, what: str) -> Any:
        """Return a parameter that has one of a few values, or None."""
        value = self.text(name)
        if value is not None and value not in known:
            raise VenueRefusal(code, f"Invalid {what}.")
        return value

    @property
    def symbol(self) -> str:
        """The symbol that must be sent."""
        return self.required("symbol")

    @property
    def side(self) -> Any:
        """The side that must be sent."""
        self.required("side")
        return self.one_of("side", ("BUY", "SELL"), -1117, "side")

    def type(self, name: str) -> Any:
        """Return an order type that must be sent."""
        self.required(name)
        return self.one_of(name, ORDER_TYPES, -1116, "orderType")

    def force(self, name: str) -> Any:
        """Return a time in force."""
        return self.one_of(name, ("GTC", "IOC", "FOK"), -1115, "timeInForce")

    def leg(self, prefix: str) -> Leg:
        """Return a leg of a list, by the prefix of its parameters."""
        return Leg(
            self.type(f"{prefix}Type"),
            self.text(f"{prefix}ClientOrderId"),
            self.decimal(f"{prefix}Price"),
            self.decimal(f"{prefix}StopPrice"),
            self.force(f"{prefix}TimeInForce"),
        )


def _new_order(params: Parameters) -> NewOrder:
    return NewOrder(
        symbol=params.symbol,
        side=params.side,
        type=params.type("type"),
        quantity=params.decimal("quantity"),
        client_id=params.text("newClientOrderId"),
        price=params.decimal("price"),
        stop_price=params.decimal("stopPrice"),
        time_in_force=params.force("timeInForce"),
        quote_quantity=params.decimal("quoteOrderQty"),
    )


def _new_list(params: Parameters) -> NewList:
    params.required("quantity")
    return NewList(
        symbol=params.symbol,
        side=params.side,
        quantity=params.decimal("quantity") or Decimal(0),
        above=params.leg("above"),
        below=params.leg("below"),
        client_id=params.text("listClientOrderId"),
    )


def _old_list(params: Parameters) -> NewList:
    """Read the older form, in which one leg is the limit and the other the stop."""
    params.required("quantity")
    limit, force = params.decimal("stopLimitPrice"), params.force("stopLimitTimeInForce")
    price, stop = params.decimal("price"), params.decimal("stopPrice")
    target = Leg("LIMIT_MAKER", params.text("limitClientOrderId"), price)
    kind: Any = "STOP_LOSS" if limit is None else "STOP_LOSS_LIMIT"
    below = Leg(kind, params.text("stopClientOrderId"), limit, stop, force)
    legs = (target, below) if params.side == "SELL" else (below, target)
    quantity = params.decimal("quantity") or Decimal(0)
    return NewList(params.symbol, params.side, quantity, *legs, params.text("listClientOrderId"))


def _query_order(params: Parameters) -> QueryOrder:
    return QueryOrder(params.symbol, params.text("origClientOrderId"), params.whole("orderId"))


def _cancel_order(params: Parameters) -> CancelOrder:
    named = (params.text("origClientOrderId"), params.whole("orderId"))
    return CancelOrder(params.symbol, *named, params.text("newClientOrderId"))


def _query_list(params: Parameters) -> QueryList:
    return QueryList(params.text("origClientOrderId"), params.whole("orderListId"))


def _cancel_list(params: Parameters) -> CancelList:
    named = (params.text("listClientOrderId"), params.whole("orderListId"))
    return CancelList(params.symbol, *named, params.text("newClientOrderId"))


def _all_orders(params: Parameters) -> QueryAllOrders:
    return QueryAllOrders(params.symbol, params.whole("orderId"), *_page(params))


def _trades(params: Parameters) -> QueryTrades:
    since, until, limit = _page(params)
    order_id, from_id = params.whole("orderId"), params.whole("fromId")
    return QueryTrades(params.symbol, order_id, from_id, since, until, limit)


def _page(params: Parameters) -> tuple[int | None, int | None, int]:
    limit = params.whole("limit")
    return params.whole("startTime"), params.whole("endTime"), 500 if limit is None else limit


_READERS: Final[dict[tuple[str, str], Callable[[Parameters], VenueRequest]]] = {
    ("POST", "api/v3/order"): _new_order,
    ("POST", "api/v3/order/test"): lambda params: _new_order(params)._replace(is_test=True),
    ("POST", "api/v3/orderList/oco"): _new_list,
    ("POST", "api/v3/order/oco"): _old_list,
    ("GET", "api/v3/order"): _query_order,
    ("DELETE", "api/v3/order"): _cancel_order,
    ("GET", "api/v3/orderList"): _query_list,
    ("DELETE", "api/v3/orderList"): _cancel_list,
    ("GET", "api/v3/openOrders"): lambda params: QueryOpenOrders(params.text("symbol")),
    ("GET", "api/v3/openOrderList"): lambda _: QueryOpenLists(),
    ("GET", "api/v3/allOrders"): _all_orders,
    ("GET", "api/v3/myTrades"): _trades,
    ("GET", "api/v3/account"): lambda _: QueryAccount(),
    ("GET", "sapi/v1/account/apiRestrictions"): lambda _: QueryKey(),
}


def is_signed(method: str, path: str) -> bool:
    """Tell whether a request needs an account."""
    return (method, path) in _READERS


def read_request(method: str, path: str, params: Mapping[str, str]) -> VenueRequest:
    """Return the record of a signed request.

    Raises
    ------
    VenueRefusal
        When a parameter is missing or malformed.
    """
    return _READERS[method, path](Parameters(params))


def _malformed(name: str) -> VenueRefusal:
    text = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    return VenueRefusal(-1102, text)


def _illegal(name: str) -> VenueRefusal:
    return VenueRefusal(-1100, f"Illegal characters found in parameter '{name}'.")
