"""An order of ours as the parameters of Binance's spot requests; all numbers are text."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from tradenb.core.orders.order_records import Order
from tradenb.core.orders.venue import OrderMarket, stepped

Params = dict[str, str]


def order_params(order: Order, symbol: str) -> Params:
    """Return what creates a single order.

    Examples
    --------
    >>> from decimal import Decimal
    >>> order = Order("a1", "s1", "exit", 1, "sell", "market", Decimal("1.50"))
    >>> order_params(order, "BTCUSDT")["quantity"]
    '1.5'
    """
    params = {
        "symbol": symbol,
        "side": order.side.upper(),
        "quantity": as_text(order.quantity),
        "newClientOrderId": order.id,
        "newOrderRespType": "FULL",
    }
    match order.type:
        case "ioc":
            params |= {"type": "LIMIT", "timeInForce": "IOC", "price": _given(order.price)}
        case "market":
            params |= {"type": "MARKET"}
        case "stop":
            params |= {"type": "STOP_LOSS", "stopPrice": _given(order.trigger)}
        case "stop_limit":
            params |= {
                "type": "STOP_LOSS_LIMIT",
                "timeInForce": "GTC",
                "price": _given(order.price),
                "stopPrice": _given(order.trigger),
            }
        case _:
            raise ValueError(f"{order.type} is not a single order")
    return params


def list_params(order: Order, symbol: str, market: OrderMarket) -> Params:
    """Return what creates a list that sells: the target above, the stop below."""
    stop, target = order.leg_ids
    params = {
        "symbol": symbol,
        "side": order.side.upper(),
        "quantity": as_text(order.quantity),
        "listClientOrderId": order.id,
        "newOrderRespType": "FULL",
        "aboveType": "LIMIT_MAKER",
        "abovePrice": _given(order.price),
        "aboveClientOrderId": target,
        "belowType": "STOP_LOSS",
        "belowStopPrice": _given(order.trigger),
        "belowClientOrderId": stop,
    }
    if not market.stop_market:
        params |= {
            "belowType": "STOP_LOSS_LIMIT",
            "belowTimeInForce": "GTC",
            "belowPrice": _stop_limit(order, market),
        }
    return params


def leg_params(order: Order, symbol: str, market: OrderMarket) -> Iterator[Params]:
    """Yield the legs of a list as single orders: Binance has no test request for lists."""
    stop, target = order.leg_ids
    below = order._replace(id=stop, type="stop" if market.stop_market else "stop_limit", price=None)
    if not market.stop_market:
        below = below._replace(price=Decimal(_stop_limit(order, market)))
    yield order_params(below, symbol)
    above = order_params(order._replace(id=target, type="market"), symbol)
    yield above | {"type": "LIMIT_MAKER", "price": _given(order.price)}


def named(order: Order, symbol: str) -> Params:
    """Return what names a single order: its id of the exchange, or ours until that is known."""
    if order.exchange_id is None:
        return {"symbol": symbol, "origClientOrderId": order.id}
    return {"symbol": symbol, "orderId": order.exchange_id}


def as_text(value: Decimal) -> str:
    """Return a number without exponent and zeros at its end.

    Examples
    --------
    >>> as_text(Decimal("1E+2")), as_text(Decimal("0.00010")), as_text(Decimal("100"))
    ('100', '0.0001', '100')
    """
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _given(value: Decimal | None) -> str:
    if value is None:
        raise ValueError("the order has no price")
    return as_text(value)


def _stop_limit(order: Order, market: OrderMarket) -> str:
    trigger = Decimal(_given(order.trigger))
    return as_text(stepped(trigger * (1 - market.stop_gap), market.price_step))
