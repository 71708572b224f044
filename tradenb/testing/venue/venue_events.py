"""What happens at a venue without a request of ours: owners, strangers, and the venue itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from tradenb.testing.venue.spot_venue import SpotVenue
from tradenb.testing.venue.venue_faults import VenueFault
from tradenb.testing.venue.venue_filters import floored
from tradenb.testing.venue.venue_lookup import find_order, query_list
from tradenb.testing.venue.venue_records import CONDITIONAL, VenueOrder, VenueRefusal
from tradenb.testing.venue.venue_requests import CancelList, CancelOrder, NewOrder, QueryList

_TEN: Final = 10


def happen(venue: SpotVenue, fault: VenueFault, symbol: str, at: int) -> None:
    """Let the event of a fault happen in a market, if it can."""
    if symbol not in venue.book.states:
        return
    with contextlib.suppress(VenueRefusal):  # there is nothing to sell, or the market is closed
        match fault.kind:
            case "partial_target":
                fill_target(venue, symbol, fault.share, at)
            case "manual_sale":
                sell_by_hand(venue, symbol, fault.share, at)
            case "manual_cancel":
                for order in venue.live_orders(symbol):
                    is_protection = order.list_id >= 0 or order.type in CONDITIONAL
                    if is_protection and venue.orders[order.order_id].is_live:
                        venue.cancel_by_hand(order.order_id, at=at)
            case "foreign_order":
                place_foreign(venue, symbol, at)
            case "foreign_trade":
                quantity = _least(venue, symbol)
                venue.trade_by_hand(symbol, "BUY", quantity, at=at)
            case "steps_changed":
                market = venue.market(symbol)
                if market.tick_size * 1_000 > (venue.last(symbol) or 0):
                    return  # no market has a step of more than a percent of its price
                venue.change_market(
                    symbol,
                    tick_size=market.tick_size * _TEN,
                    step_size=market.step_size * _TEN,
                    min_quantity=max(market.min_quantity, market.step_size * _TEN),
                )
            case "halted":
                venue.change_market(symbol, is_trading=False)


def fill_target(venue: SpotVenue, symbol: str, share: Decimal, at: int) -> None:
    """Fill a part of the limit leg of each live list, at its price."""
    step = venue.market(symbol).step_size
    for order in venue.live_orders(symbol):
        if order.list_id >= 0 and order.type == "LIMIT_MAKER":
            part = floored(order.remaining * share, step)
            venue.book.fill(order.order_id, part, order.price, at, is_maker=True)


def sell_by_hand(venue: SpotVenue, symbol: str, share: Decimal, at: int) -> None:
    """Sell a part of the base currency; live sales are cancelled if they lock it."""
    market = venue.market(symbol)
    quantity = floored(venue.total(market.base) * share, market.step_size)
    if quantity > venue.free(market.base):
        for order in venue.live_orders(symbol):
            if order.side == "SELL" and venue.orders[order.order_id].is_live:
                venue.cancel_by_hand(order.order_id, at=at)
    venue.trade_by_hand(symbol, "SELL", quantity, at=at)


def place_foreign(venue: SpotVenue, symbol: str, at: int) -> VenueOrder:
    """Place a purchase far below the price, of the least that is allowed."""
    market, last = venue.market(symbol), venue.last(symbol) or Decimal(0)
    price = floored(last / 2, market.tick_size)
    quantity = 2 * _least(venue, symbol) + market.step_size
    client_id = f"web_{len(venue.orders) + 1}"
    request = NewOrder(symbol, "BUY", "LIMIT", quantity, client_id, price, time_in_force="GTC")
    order: VenueOrder = venue.handle(request, at=at).order
    return order


def lose_the_race(venue: SpotVenue, request: CancelOrder | CancelList, at: int) -> None:
    """Fill what is about to be cancelled; of a list the leg that has a limit and no trigger."""
    with contextlib.suppress(VenueRefusal):
        live = [order for order in _named(venue, request) if order.is_live]
        for order in sorted(live, key=lambda each: each.stop_price)[:1]:
            price = order.price or order.stop_price
            venue.book.fill(order.order_id, order.remaining, price, at, is_maker=True)


def _named(venue: SpotVenue, request: CancelOrder | CancelList) -> Iterable[VenueOrder]:
    if isinstance(request, CancelList):
        return query_list(venue.book, QueryList(request.client_id, request.list_id)).orders
    order = find_order(venue.book, request)
    if order is None:
        return ()
    if order.list_id < 0:
        return (order,)
    return query_list(venue.book, QueryList(list_id=order.list_id)).orders


def _least(venue: SpotVenue, symbol: str) -> Decimal:
    """Return the least quantity that can be bought at the last price."""
    market, last = venue.market(symbol), venue.last(symbol) or Decimal(1)
    by_value = floored(market.min_notional / last, market.step_size) + market.step_size
    return max(by_value, market.min_quantity)
