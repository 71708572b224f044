"""What a venue does with orders: fills, locks, fees, ids and refusals."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tradenb.testing.venue.venue_balances import VenueFees
from tradenb.testing.venue.venue_records import VenueRefusal
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
)

D = Decimal
S = "BTCUSDT"
POOR = "Account has insufficient balance for requested action."
MISSING = "Mandatory parameter '{}' was not sent, was empty/null, or malformed."
PRECISE = "Parameter '{}' has too much precision."
UNPAIRED = "The relationship of the prices for the orders is not correct."
COMBINED = "Combination of optional parameters invalid."
NO_LEG = "Order type not supported in OCO."
QUOTED = PRECISE.format("quoteOrderQty")
UNNAMED = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
TOO_LONG = "More than 24 hours between startTime and endTime."


def limit(side, quantity, price, client_id=None, force="GTC", **more):
    return NewOrder(S, side, "LIMIT", D(quantity), client_id, D(price), None, force, **more)


def oco(quantity="2", target="110", stop="95", price="94.5", name="g"):
    above = Leg("LIMIT_MAKER", f"{name}-target", D(target))
    below = Leg("STOP_LOSS_LIMIT", f"{name}-stop", D(price), D(stop), "GTC")
    return NewList(S, "SELL", D(quantity), above, below, name)


def stop(kind="STOP_LOSS_LIMIT", level="95", price=None, force=None):
    level = None if level is None else D(level)
    return NewOrder(S, "SELL", kind, D(1), None, price, level, force)


def refused(venue, request, at=1, **more):
    with pytest.raises(VenueRefusal) as caught:
        venue.handle(request, at=at, **more)
    return caught.value.code, caught.value.text


def test_an_ioc_limit_fills_what_it_can_and_expires(venue):
    venue.set_price(S, D(100), at=1, available=D("1.5"))
    order, trades = venue.handle(limit("BUY", 2, "100.2", "e", "IOC"), at=2)
    assert (order.status, order.executed, order.average) == ("EXPIRED", D("1.5"), D(100))
    assert [(each.quantity, each.fee, each.fee_asset) for each in trades] == [
        (D("1.5"), D("0.0015"), "BTC")
    ]
    assert venue.free("USDT") == venue.total("USDT") == 9850


def test_an_ioc_limit_away_from_the_price_expires_without_a_fill(venue):
    order, trades = venue.handle(limit("BUY", 2, "99.9", "e", "IOC"), at=2)
    assert (order.status, order.executed, order.average, trades) == ("EXPIRED", 0, None, ())


def test_fill_or_kill_is_all_or_nothing(venue):
    venue.set_price(S, D(100), at=1, available=D(1))
    assert venue.handle(limit("BUY", 2, 101, force="FOK"), at=2).order.executed == 0
    assert venue.handle(limit("BUY", 1, 101, force="FOK"), at=2).order.status == "FILLED"


def test_a_resting_purchase_locks_quote_and_pays_its_own_price(venue):
    venue.handle(limit("BUY", 2, 90, "rest"), at=1)
    assert (venue.free("USDT"), venue.total("USDT")) == (9820, 10_000)
    venue.move_price(S, D(85), at=2)
    assert venue.handle(QueryOrder(S, "rest"), at=3).order.average == 90
    assert venue.trades[0].is_maker
    assert venue.free("USDT") == venue.total("USDT") == 9820


def test_a_market_order_walks_through_the_levels(venue_with):
    venue = venue_with(spread_ticks=2, level_quantity=D(1))
    order, trades = venue.handle(NewOrder(S, "SELL", "MARKET", D("2.5")), at=1)
    assert [str(each.price) for each in trades] == ["99.98", "99.97", "99.96"]
    assert order.status == "FILLED"
    bought = venue.handle(NewOrder(S, "BUY", "MARKET", quote_quantity=D(250)), at=2)
    assert bought.order.spent <= 250 < bought.order.spent + D("0.01")
    assert bought.order.quote_quantity == 250


def test_a_market_order_without_liquidity_expires(venue):
    venue.set_price(S, D(100), at=1, available=D(0))
    assert venue.handle(NewOrder(S, "SELL", "MARKET", D(1)), at=1).order.status == "EXPIRED"


@pytest.mark.parametrize(
    ("paid_in", "bnb", "buy_fee", "sell_fee"),
    [
        ("received", "0", (D("0.002"), "BTC"), (D("0.2"), "USDT")),
        ("quote", "0", (D("0.2"), "USDT"), (D("0.2"), "USDT")),
        ("BNB", "1", (D("0.0004"), "BNB"), (D("0.0004"), "BNB")),
        ("BNB", "0.0001", (D("0.002"), "BTC"), (D("0.2"), "USDT")),
    ],
)
def test_fees_are_paid_in_the_asset_of_the_account(venue_with, paid_in, bnb, buy_fee, sell_fee):
    fees = VenueFees(paid_in=paid_in, bnb_price=D(500))
    venue = venue_with(fees=fees, balances={"BNB": D(bnb)})
    for side in ("BUY", "SELL"):
        venue.handle(NewOrder(S, side, "MARKET", D(2)), at=1)
    assert [(each.fee, each.fee_asset) for each in venue.trades] == [buy_fee, sell_fee]


@pytest.mark.parametrize(
    ("kind", "stop", "price", "goes_to", "average"),
    [
        ("STOP_LOSS", 95, None, 90, 95),
        ("STOP_LOSS_LIMIT", 95, "94.5", 90, 95),
        ("TAKE_PROFIT", 105, None, 110, 105),
        ("TAKE_PROFIT_LIMIT", 105, 104, 110, 105),
    ],
)
def test_a_stop_triggers_where_the_price_passes(venue, kind, stop, price, goes_to, average):
    force = "GTC" if price else None
    price = D(price) if price else None
    venue.handle(NewOrder(S, "SELL", kind, D(2), "s", price, D(stop), force), at=1)
    assert not venue.orders[1].is_working
    venue.move_price(S, D(goes_to), at=2)
    assert (venue.orders[1].status, venue.orders[1].average) == ("FILLED", average)


def test_a_stop_limit_is_jumped_over_and_rests(venue):
    venue.handle(oco(), at=1)
    venue.set_price(S, D(90), at=2)
    target, stop = venue.handle(QueryList("g"), at=3).orders
    assert (target.status, stop.status, stop.is_working) == ("EXPIRED", "NEW", True)
    assert venue.total("BTC") - venue.free("BTC") == 2
    venue.move_price(S, D(95), at=4)
    assert venue.orders[stop.order_id].average == D("94.5")
    assert venue.handle(QueryOpenLists(), at=5) == ()


def test_a_part_of_the_target_ends_the_stop(venue):
    venue.handle(oco(), at=1)
    venue.move_price(S, D(111), at=2, available=D("0.5"))
    target, stop = venue.handle(QueryList("g"), at=3).orders
    assert (target.status, target.executed) == ("PARTIALLY_FILLED", D("0.5"))
    assert (stop.status, stop.executed) == ("EXPIRED", 0)
    assert venue.handle(QueryOpenOrders(S), at=3) == (target,)
    assert venue.total("BTC") - venue.free("BTC") == D("1.5")


def test_of_a_list_only_one_quantity_is_locked_and_a_leg_takes_it_along(venue):
    venue.handle(oco("10"), at=1)
    assert venue.free("BTC") == 0
    assert refused(venue, limit("SELL", 1, 120))[1].startswith("Account has insufficient")
    cancelled = venue.handle(CancelOrder(S, "g-stop", cancel_id="c"), at=2)
    assert [each.status for each in cancelled.orders] == ["CANCELED", "CANCELED"]
    assert [each.cancel_id for each in cancelled.orders] == ["c", "c"]
    assert not cancelled.list.is_live
    assert venue.free("BTC") == 10
    assert refused(venue, CancelList(S, "g"))[0] == -2011


def test_a_client_id_is_unique_among_live_orders_only(venue):
    venue.handle(limit("BUY", 1, 90, "a"), at=1)
    assert refused(venue, limit("BUY", 1, 91, "a")) == (-2010, "Duplicate order sent.")
    venue.handle(CancelOrder(S, "a"), at=2)
    venue.handle(limit("BUY", 1, 91, "a"), at=3)
    assert venue.handle(QueryOrder(S, "a"), at=4).order.order_id == 2
    assert venue.handle(QueryOrder(S, order_id=1), at=4).order.status == "CANCELED"
    venue.handle(oco(), at=5)
    assert refused(venue, oco())[0] == -2010
    assert refused(venue, oco()._replace(client_id="h"))[0] == -2010
    twins = NewList(
        S, "SELL", D(1), Leg("LIMIT_MAKER", "t", D(110)), Leg("STOP_LOSS", "t", None, D(95))
    )
    assert refused(venue, twins) == (-2010, "Duplicate order sent.")


PRICED = NewOrder(S, "BUY", "MARKET", D(1), price=D(1))
MAKER = NewOrder(S, "BUY", "LIMIT_MAKER", D(1), price=D(100))
STOPPED = NewOrder(S, "SELL", "STOP_LOSS", D(1), None, None, D(100))


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (limit("BUY", "0.000001", 100), (-1013, "Filter failure: LOT_SIZE")),
        (limit("BUY", "1.000001", 100), (-1013, "Filter failure: LOT_SIZE")),
        (limit("BUY", "1.0000000001", 100), (-1111, PRECISE.format("quantity"))),
        (limit("BUY", 1, "100.001"), (-1013, "Filter failure: PRICE_FILTER")),
        (limit("BUY", "0.01", 100), (-1013, "Filter failure: NOTIONAL")),
        (limit("BUY", 200, 100), (-2010, POOR)),
        (NewOrder(S, "BUY", "MARKET", D(101)), (-2010, POOR)),
        (MAKER, (-2010, "Order would immediately match and take.")),
        (STOPPED, (-2010, "Stop price would trigger immediately.")),
        (limit("BUY", 1, 100)._replace(time_in_force=None), (-1102, MISSING.format("timeInForce"))),
        (PRICED, (-1106, "Parameter 'price' sent when not required.")),
        (NewOrder(S, "BUY", "MARKET"), (-1102, MISSING.format("quantity"))),
        (limit("BUY", 1, 100)._replace(symbol="X"), (-1121, "Invalid symbol.")),
        (QueryOrder(S, "x"), (-2013, "Order does not exist.")),
        (CancelOrder(S, "x"), (-2011, "Unknown order sent.")),
        (QueryList("x"), (-2018, "Order list does not exist.")),
        (QueryTrades(S, from_id=1, since=1), (-1128, COMBINED)),
        (QueryTrades(S, since=0, until=10**9), (-1127, TOO_LONG)),
        (oco(stop="100"), (-2010, UNPAIRED)),
        (oco(quantity="0.01"), (-1013, "Filter failure: NOTIONAL")),
        (oco()._replace(above=Leg("LIMIT", None, D(110))), (-1158, NO_LEG)),
        (stop(price=None, force="GTC"), (-1102, MISSING.format("price"))),
        (stop(price=D(94)), (-1102, MISSING.format("timeInForce"))),
        (stop(level=None, price=D(94), force="GTC"), (-1102, MISSING.format("stopPrice"))),
        (stop("STOP_LOSS", price=D(94)), (-1106, "Parameter 'price' sent when not required.")),
        (stop("MARKET")._replace(quantity=None), (-1102, MISSING.format("quantity"))),
        (stop()._replace(quantity=None), (-1102, MISSING.format("quantity"))),
        (NewOrder(S, "BUY", "MARKET", quote_quantity=D("5.123456789")), (-1111, QUOTED)),
        (QueryOrder(S), (-1102, UNNAMED)),
    ],
)
def test_what_is_refused_says_why_and_changes_nothing(venue, request_, expected):
    assert refused(venue, request_) == expected
    assert venue.orders == {}
    assert venue.handle(QueryOpenLists(), at=1) == ()


@pytest.mark.parametrize("client_id", ["", "a b", "x" * 37, "ü"])
def test_a_client_id_has_36_plain_characters_at_most(venue, client_id):
    assert refused(venue, limit("BUY", 1, 90, client_id))[0] == -1100


def test_types_lists_and_halts_follow_the_market(venue):
    venue.change_market(S, order_types=("LIMIT", "LIMIT_MAKER"), has_lists=False)
    assert refused(venue, NewOrder(S, "BUY", "MARKET", D(1)))[0] == -1013
    venue.change_market(S, order_types=("MARKET",))
    assert refused(venue, limit("BUY", 1, 90)) == (-1116, "Invalid orderType.")
    venue.change_market(S, order_types=("LIMIT", "LIMIT_MAKER"))
    assert refused(venue, STOPPED)[1] == "Stop loss orders are not supported for this symbol."
    assert refused(venue, oco())[1] == "OCO orders are not supported for this symbol"
    venue.handle(limit("BUY", 1, 90, "a"), at=1)
    venue.change_market(S, is_trading=False)
    assert refused(venue, limit("BUY", 1, 90)) == (-1013, "Market is closed.")
    venue.move_price(S, D(50), at=2)
    assert venue.last(S) == 100
    assert venue.handle(CancelOrder(S, "a"), at=2).order.status == "CANCELED"


def test_a_test_order_is_checked_and_leaves_nothing(venue):
    venue.handle(limit("BUY", 500, 100, is_test=True), at=1)
    assert refused(venue, limit("BUY", "0.01", 100, is_test=True))[0] == -1013
    assert venue.orders == {}


def test_a_request_dies_with_its_window(venue):
    request = limit("BUY", 1, 90)
    late = "Timestamp for this request is outside of the recvWindow."
    assert refused(venue, request, at=3002, sent_at=1, window=3000) == (-1021, late)
    assert refused(venue, request, at=0, sent_at=1000)[0] == -1021
    assert refused(venue, request, at=0, sent_at=0, window=60_001)[0] == -1131
    assert venue.handle(request, at=3001, sent_at=1, window=3000).order.status == "NEW"


def test_orders_and_trades_come_in_pages(venue):
    for at in range(5):
        venue.handle(NewOrder(S, "BUY", "MARKET", D(1), f"m{at}"), at=at)

    def ids(request):
        return [each[0] for each in venue.handle(request, at=9)]

    assert ids(QueryTrades(S, limit=2)) == [4, 5]
    assert ids(QueryTrades(S, from_id=2, limit=2)) == [2, 3]
    assert ids(QueryTrades(S, order_id=3)) == [3]
    assert ids(QueryTrades(S, since=1, until=3)) == [2, 3, 4]
    assert ids(QueryAllOrders(S, limit=2)) == [4, 5]
    assert ids(QueryAllOrders(S, from_id=2, limit=2)) == [2, 3]
    assert ids(QueryAllOrders(S, since=3)) == [4, 5]


def test_the_account_shows_free_and_locked(venue):
    venue.handle(limit("SELL", 3, 120), at=1)
    account = venue.handle(QueryAccount(), at=2)
    assert [(each.asset, each.free, each.locked) for each in account.balances] == [
        ("BTC", 7, 3),
        ("USDT", 10_000, 0),
    ]
    assert venue.handle(QueryKey(), at=2) == (True, False)


def test_the_owner_trades_and_cancels_by_hand(venue):
    venue.handle(oco(), at=1)
    sold = venue.trade_by_hand(S, "SELL", D(8), at=2)
    assert (sold.client_id, sold.status) == ("web_3", "FILLED")
    venue.cancel_by_hand(1, at=3)
    assert venue.live_orders(S) == ()
