"""How the price goes through a candle, and that money is neither made nor lost on the way."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.testing.venue.conftest import made
from tradenb.testing.venue.venue_balances import VenueFees
from tradenb.testing.venue.venue_records import ORDER_TYPES, VenueRefusal
from tradenb.testing.venue.venue_requests import CancelOrder, Leg, NewList, NewOrder

D = Decimal
S = "BTCUSDT"


def candle(*prices):
    return tuple(map(D, prices))


def guarded(venue, quantity=2):
    above = Leg("LIMIT_MAKER", "target", D(110))
    below = Leg("STOP_LOSS", "stop", None, D(95))
    venue.handle(NewList(S, "SELL", D(quantity), above, below), at=0)


@pytest.mark.parametrize(
    ("prices", "filled", "average"),
    [
        ((100, 112, 94, 100), "stop", 95),
        ((100, 111, 89, 100), "stop", 95),
        ((100, 112, 80, 100), "target", 110),
        ((90, 120, 89, 100), "stop", 90),
        ((115, 120, 80, 100), "target", 110),
    ],
)
def test_the_nearer_extreme_comes_first_and_a_gap_fills_at_the_open(venue, prices, filled, average):
    guarded(venue)
    venue.play_candle(S, candle(*prices), opened_at=60_000)
    done = {each.client_id: each for each in venue.orders.values() if each.executed}
    assert {name: each.average for name, each in done.items()} == {filled: average}
    assert venue.last(S) == 100
    assert 60_000 <= venue.trades[0].at < 120_000


def test_a_touched_limit_may_not_fill(venue_with):
    venue = venue_with(touch_fills=False)
    guarded(venue)
    venue.play_candle(S, candle(100, 110, 99, 100), opened_at=60_000)
    assert venue.trades == []
    venue.play_candle(S, candle(100, "110.01", 99, 100), opened_at=120_000)
    assert venue.orders[1].status == "FILLED"


def test_a_candle_fills_no_more_than_its_share_of_the_volume(venue):
    guarded(venue)
    venue.play_candle(S, candle(100, 111, 99, 109), opened_at=60_000, available=D(2))
    assert venue.orders[1].executed == 1
    venue.set_price(S, D(110), at=120_000)
    assert (venue.orders[1].status, venue.orders[1].average) == ("FILLED", 110)


def test_a_purchase_that_triggers_higher_than_it_locked_buys_what_can_be_paid(venue):
    venue.handle(NewOrder(S, "BUY", "STOP_LOSS", D(95), "s", None, D(105)), at=0)
    venue.set_price(S, D(120), at=1)
    assert (venue.orders[1].status, venue.orders[1].executed) == ("EXPIRED", D("83.33333"))
    assert 0 <= venue.free("USDT") < 1


def drawn(dice, number):
    kind = dice.choice(ORDER_TYPES)
    side = dice.choice(["BUY", "SELL"])
    price = D(dice.randint(8000, 12_000)) / 100 if "LIMIT" in kind else None
    stop = D(dice.randint(8000, 12_000)) / 100 if "STOP" in kind or "PROFIT" in kind else None
    force = dice.choice(["GTC", "IOC", "FOK"]) if price and kind != "LIMIT_MAKER" else None
    quantity = D(dice.randint(1, 400)) / 100
    if dice.random() < 0.3:
        legs = [Leg("LIMIT_MAKER", None, D(105)), Leg("STOP_LOSS_LIMIT", None, D(94), D(95), "GTC")]
        if side == "BUY":
            legs = [Leg("STOP_LOSS", None, None, D(105)), Leg("LIMIT_MAKER", None, D(95))]
        return NewList(S, side, quantity, *legs)
    return NewOrder(S, side, kind, quantity, f"o{number}", price, stop, force)


@given(seed=st.integers(0, 2**32))
def test_trades_and_fees_explain_every_balance(seed):
    dice = random.Random(seed)
    fees = VenueFees(paid_in=dice.choice(["received", "quote", "BNB"]))
    venue = made(fees=fees, balances={"BNB": D("0.001")}, level_quantity=D(1))
    before = {asset: venue.total(asset) for asset in ("BTC", "USDT", "BNB")}
    for number in range(40):
        try:
            venue.handle(drawn(dice, number), at=number)
        except VenueRefusal:
            live = venue.live_orders(S)
            if live and dice.random() < 0.5:
                venue.handle(CancelOrder(S, order_id=live[0].order_id), at=number)
        go = dice.choice([venue.move_price, venue.set_price])
        available = dice.choice([None, D("0.7")])
        go(S, D(dice.randint(9000, 11_000)) / 100, at=number, available=available)
        assert min(venue.free(asset) for asset in before) >= 0
    for trade in venue.trades:
        sign = 1 if trade.side == "BUY" else -1
        before["BTC"] += sign * trade.quantity
        before["USDT"] -= sign * trade.quantity * trade.price
        before[trade.fee_asset] -= trade.fee
    assert {asset: venue.total(asset) for asset in before} == before
    for order in venue.live_orders(S):
        venue.handle(CancelOrder(S, order_id=order.order_id), at=99) if order.list_id < 0 else None
    for order in venue.live_orders(S):
        if venue.orders[order.order_id].is_live:
            venue.handle(CancelOrder(S, order_id=order.order_id), at=99)
    assert {asset: venue.free(asset) for asset in before} == before
    for order in venue.orders.values():
        fills = [each for each in venue.trades if each.order_id == order.order_id]
        assert sum(each.quantity for each in fills) == order.executed <= order.quantity
        assert sum(each.quantity * each.price for each in fills) == order.spent
