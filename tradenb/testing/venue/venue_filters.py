"""What a venue refuses before it looks at the account or the book: Binance's filters."""

from __future__ import annotations

from decimal import Decimal

from tradenb.testing.venue.venue_records import (
    CONDITIONAL,
    WITH_PRICE,
    ZERO,
    Side,
    VenueMarket,
    VenueRefusal,
)
from tradenb.testing.venue.venue_requests import Leg, NewList, NewOrder

PLACES = 8


def check_order(market: VenueMarket, order: NewOrder, last: Decimal) -> None:
    """Refuse an order that breaks a filter or lacks a field."""
    _check_type(market, order.type)
    _check_fields(order)
    if order.quantity is not None:
        _check_quantity(market, order.quantity)
    elif order.quote_quantity is not None:
        _check_precision("quoteOrderQty", order.quote_quantity)
    _check_prices(market, order.price, order.stop_price)
    if _value(order, last) < market.min_notional:
        raise VenueRefusal(-1013, "Filter failure: NOTIONAL")


def check_list(market: VenueMarket, request: NewList, last: Decimal) -> None:
    """Refuse an OCO list that breaks a filter, or whose prices do not surround the last one."""
    if not market.has_lists:
        raise VenueRefusal(-2010, "OCO orders are not supported for this symbol")
    _check_quantity(market, request.quantity)
    levels = []
    for leg in (request.above, request.below):
        _check_type(market, leg.type)
        if leg.type in {"LIMIT", "MARKET"}:
            raise VenueRefusal(-1158, "Order type not supported in OCO.")
        _check_leg(leg)
        _check_prices(market, leg.price, leg.stop_price)
        levels.append(leg.stop_price if leg.type in CONDITIONAL else leg.price)
        if request.quantity * (leg.price or leg.stop_price or ZERO) < market.min_notional:
            raise VenueRefusal(-1013, "Filter failure: NOTIONAL")
    above, below = levels
    if above is None or below is None or not above > last > below:
        text = "The relationship of the prices for the orders is not correct."
        raise VenueRefusal(-2010, text)


def would_trigger(kind: str, side: Side, stop: Decimal | None, last: Decimal) -> bool:
    """Tell whether a stop of this kind would trigger at the last price."""
    if stop is None:
        return False
    return stop <= last if rises(kind, side) else stop >= last


def rises(kind: str, side: Side) -> bool:
    """Tell whether the price reaches such an order's level by rising."""
    if kind in {"STOP_LOSS", "STOP_LOSS_LIMIT"}:
        return side == "BUY"
    return side == "SELL"


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Tell whether a value is a whole number of steps.

    Examples
    --------
    >>> is_multiple(Decimal("0.30"), Decimal("0.1")), is_multiple(Decimal("0.35"), Decimal("0.1"))
    (True, False)
    """
    return not value % step


def floored(value: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of a step that is not above a value.

    Examples
    --------
    >>> floored(Decimal("0.378"), Decimal("0.010"))
    Decimal('0.370')
    """
    return value - value % step


def _check_type(market: VenueMarket, kind: str) -> None:
    if kind in market.order_types:
        return
    if kind == "MARKET":
        raise VenueRefusal(-1013, "Market orders are not supported for this symbol.")
    if kind in CONDITIONAL:
        words = kind.replace("_", " ").capitalize()
        raise VenueRefusal(-1013, f"{words} orders are not supported for this symbol.")
    raise VenueRefusal(-1116, "Invalid orderType.")


def _check_fields(order: NewOrder) -> None:
    if order.type == "MARKET":
        if (order.quantity is None) == (order.quote_quantity is None):
            raise _missing("quantity")
        for name, value in (("price", order.price), ("timeInForce", order.time_in_force)):
            if value is not None:
                raise VenueRefusal(-1106, f"Parameter '{name}' sent when not required.")
        return
    if order.quantity is None:
        raise _missing("quantity")
    _check_leg(order.leg)
    if order.type == "LIMIT" and order.time_in_force is None:
        raise _missing("timeInForce")


def _check_leg(leg: Leg) -> None:
    if leg.type in WITH_PRICE and leg.price is None:
        raise _missing("price")
    if leg.type in CONDITIONAL and leg.stop_price is None:
        raise _missing("stopPrice")
    if leg.type in CONDITIONAL & WITH_PRICE and leg.time_in_force is None:
        raise _missing("timeInForce")
    if leg.type not in WITH_PRICE and leg.price is not None:
        raise VenueRefusal(-1106, "Parameter 'price' sent when not required.")


def _missing(name: str) -> VenueRefusal:
    text = f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    return VenueRefusal(-1102, text)


def _check_precision(name: str, value: Decimal) -> None:
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > PLACES and value != round(value, PLACES):
        raise VenueRefusal(-1111, f"Parameter '{name}' has too much precision.")


def _check_quantity(market: VenueMarket, quantity: Decimal) -> None:
    _check_precision("quantity", quantity)
    fits = market.min_quantity <= quantity <= market.max_quantity
    if not fits or not is_multiple(quantity, market.step_size):
        raise VenueRefusal(-1013, "Filter failure: LOT_SIZE")


def _check_prices(market: VenueMarket, price: Decimal | None, stop: Decimal | None) -> None:
    for name, value in (("price", price), ("stopPrice", stop)):
        if value is None:
            continue
        _check_precision(name, value)
        if value <= 0 or not is_multiple(value, market.tick_size):
            raise VenueRefusal(-1013, "Filter failure: PRICE_FILTER")


def _value(order: NewOrder, last: Decimal) -> Decimal:
    if order.quote_quantity is not None:
        return order.quote_quantity
    return (order.quantity or ZERO) * (order.price or order.stop_price or last)
