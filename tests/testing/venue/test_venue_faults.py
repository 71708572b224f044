"""What goes wrong between a client and a venue: each fault as the client and the venue see it."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.testing.venue.conftest import made
from tradenb.errors import UnknownName
from tradenb.testing.venue.faulty_venue import FaultyVenue
from tradenb.testing.venue.venue_faults import KINDS, REPLIES, VenueFault, every_fault
from tradenb.testing.venue.venue_requests import (
    CancelList,
    CancelOrder,
    Leg,
    NewList,
    NewOrder,
    QueryAccount,
    QueryAllOrders,
    QueryList,
    QueryOpenLists,
    QueryOpenOrders,
    QueryOrder,
    QueryTrades,
)

D = Decimal
S = "BTCUSDT"
ENTRY = NewOrder(S, "BUY", "LIMIT", D(2), "entry-1", D("100.2"), None, "IOC")
LEGS = (
    Leg("LIMIT_MAKER", "target-1", D(110)),
    Leg("STOP_LOSS_LIMIT", "stop-1", D(94), D(95), "GTC"),
)
GUARD = NewList(S, "SELL", D("1.998"), *LEGS, "guard-1")
EXIT = NewOrder(S, "SELL", "MARKET", D("1.998"), "exit-1")


def wire(*faults, **more):
    return FaultyVenue(made(), faults, role_of=lambda each: each.partition("-")[0], **more)


def status(found, at=10_000):
    reply = found.call(QueryOrder(S, "entry-1"), at=at)
    return reply.code or reply.received.order.status


@pytest.mark.parametrize("answer", REPLIES)
def test_a_dropped_request_is_never_executed(answer):
    found = wire(VenueFault("drop", answer))
    reply = found.call(ENTRY, at=1)
    assert reply == REPLIES[answer]
    assert reply.received is None
    assert status(found) == -2013


@pytest.mark.parametrize("answer", REPLIES)
def test_an_accepted_request_is_executed_whatever_the_client_sees(answer):
    found = wire(VenueFault("accept", answer))
    reply = found.call(ENTRY, at=1)
    assert (reply.form, reply.status, reply.code) == (*REPLIES[answer][:2], REPLIES[answer].code)
    assert reply.received is None
    assert reply.answer.order.status == "FILLED"
    assert status(found) == "FILLED"


def test_a_late_request_is_executed_unless_its_window_is_over():
    found = wire(VenueFault("late", method="POST", seconds=2, times=2))
    assert found.call(ENTRY, at=0, sent_at=0, window=3000).form == "silence"
    assert found.next_due == 2000
    assert status(found, 1999) == -2013
    assert status(found, 2000) == "FILLED"
    found.call(ENTRY._replace(client_id="entry-2"), at=3000, sent_at=3000, window=1000)
    found.advance(9000)
    assert [each.client_id for each in found.venue.orders.values()] == ["entry-1"]


def test_a_request_that_comes_twice_buys_twice_unless_it_rests():
    found = wire(VenueFault("twice", seconds=1, times=2))
    assert found.call(ENTRY, at=0).received.order.order_id == 1
    found.call(GUARD, at=500)
    found.advance(2000)
    assert [each.client_id for each in found.venue.orders.values()] == [
        *("entry-1", "target-1", "stop-1", "entry-1")
    ]


def test_an_invisible_order_is_found_nowhere_until_later():
    found = wire(VenueFault("invisible", seconds=4, times=2))
    found.call(ENTRY, at=0)
    found.call(GUARD, at=1)
    assert status(found, 100) == -2013
    assert found.call(QueryList("guard-1"), at=100).code == -2018
    for request in (QueryOpenOrders(S), QueryAllOrders(S), QueryTrades(S), QueryOpenLists()):
        assert found.call(request, at=100).received == ()
        assert found.call(request, at=4001).received != ()
    assert status(found, 4001) == "FILLED"


def test_a_filled_order_is_not_found_by_its_id():
    found = wire(VenueFault("not_found"))
    found.call(ENTRY, at=0)
    assert status(found) == -2013
    assert len(found.call(QueryTrades(S), at=1).received) == 1
    assert status(found) == "FILLED"


def test_a_part_is_filled():
    found = wire(VenueFault("partial", share=D("0.3"), times=2))
    assert found.call(ENTRY, at=0).received.order.executed == D("0.6")
    spend = NewOrder(S, "BUY", "MARKET", quote_quantity=D(100))
    assert found.call(spend, at=1).received.order.executed == D("0.3")
    assert found.call(EXIT, at=2).received.order.status == "FILLED"


def test_a_part_of_the_target_is_filled():
    found = wire(VenueFault("partial_target", path="openOrders"))
    found.call(GUARD, at=0)
    (target,) = found.call(QueryOpenOrders(S), at=1).received
    assert (target.client_id, target.executed) == ("target-1", D("0.999"))


@pytest.mark.parametrize("request_", [CancelList(S, "guard-1"), CancelOrder(S, "stop-1")])
def test_what_is_cancelled_has_just_been_filled(request_):
    found = wire(VenueFault("cancel_race"))
    found.call(GUARD, at=0)
    assert found.call(request_, at=1).code == -2011
    target, stop = found.call(QueryList("guard-1"), at=2).received.orders
    assert (target.status, stop.status) == ("FILLED", "EXPIRED")


def test_a_lonely_stop_is_filled_when_its_cancel_loses_the_race():
    found = wire(VenueFault("cancel_race", times=2))
    found.call(NewOrder(S, "SELL", "STOP_LOSS", D(1), "stop-2", None, D(95)), at=0)
    assert found.call(CancelOrder(S, "stop-2"), at=1).code == -2011
    assert found.call(CancelOrder(S, "stop-3"), at=1).code == -2011
    assert found.venue.orders[1].average == 95


def test_maintenance_follows_a_request():
    found = wire(VenueFault("maintenance", seconds=3))
    assert found.call(ENTRY, at=0).received is not None
    assert found.call(QueryOrder(S, "entry-1"), at=2999).status == 503
    assert status(found, 3000) == "FILLED"


def test_trades_come_before_the_status_and_after_it():
    found = wire(VenueFault("status_late", role="entry", seconds=3), VenueFault("trades_late"))
    order = found.call(ENTRY, at=0).received.order
    assert (order.status, order.executed) == ("NEW", 0)
    assert found.call(QueryOpenOrders(), at=1).received == (order,)
    assert len(found.call(QueryTrades(S), at=1).received) == 1
    assert found.call(QueryOpenOrders(), at=3000).received == ()
    assert found.call(EXIT, at=3000).received.order.status == "FILLED"
    assert len(found.call(QueryTrades(S), at=3001).received) == 1
    assert len(found.call(QueryTrades(S), at=8000).received) == 2


def test_a_trade_comes_twice():
    found = wire(VenueFault("trade_twice"))
    found.call(ENTRY, at=0)
    first, second = found.call(QueryTrades(S), at=1).received
    assert first == second
    assert len(found.call(QueryTrades(S), at=2).received) == 1


def test_a_balance_comes_late():
    found = wire(VenueFault("balance_late"))
    before = found.call(QueryAccount(), at=0).received.balances
    found.call(ENTRY, at=0)
    assert found.call(QueryAccount(), at=4999).received.balances == before
    assert found.call(QueryAccount(), at=5000).received.balances != before


def test_the_owner_sells_and_cancels_between_two_requests():
    found = wire(VenueFault("manual_sale", path="account", share=D("0.9")))
    found.call(GUARD, at=0)
    account = found.call(QueryAccount(), at=1).received
    assert account.balances[0] == ("BTC", 1, 0)
    found = wire(VenueFault("manual_cancel", path="openOrders"))
    found.call(GUARD, at=0)
    assert found.call(QueryOpenOrders(S), at=1).received == ()


def test_strangers_orders_and_trades_appear():
    found = wire(VenueFault("foreign_order"), VenueFault("foreign_trade"))
    for at in range(2):
        found.call(QueryTrades(S), at=at)
    assert [(each.client_id, each.status) for each in found.venue.orders.values()] == [
        ("web_1", "NEW"),
        ("web_2", "FILLED"),
    ]


def test_steps_change_and_the_market_halts_for_a_while():
    found = wire(VenueFault("steps_changed"), VenueFault("halted", seconds=2))
    fine = ENTRY._replace(quantity=D("1.00001"))
    assert found.call(fine, at=0).text == "Filter failure: LOT_SIZE"
    assert found.call(ENTRY, at=1).text == "Market is closed."
    assert found.call(ENTRY, at=2000).text == "Market is closed."
    assert found.call(ENTRY, at=2001).received.order.status == "FILLED"


def test_a_fault_meets_only_what_it_names():
    fault = VenueFault("drop", role="exit", method="POST", path="order", times=None)
    found = wire(fault)
    found.call(ENTRY, at=0)
    found.call(QueryOrder(S, "exit-1"), at=1)
    assert (
        found.call(NewOrder(S, "SELL", "MARKET", D(1), "exit-2", is_test=True), at=1).code is None
    )
    assert fault.met == 0
    found.call(EXIT, at=2)
    fault.end()
    found.call(EXIT, at=3)
    assert fault.met == 1
    assert [call.fault for call in found.calls] == [None, None, None, fault, None]


def test_a_role_is_known_by_the_exchange_id_as_well():
    found = wire(VenueFault("drop", "reset", role="entry", method="GET"))
    found.call(ENTRY, at=0)
    assert found.call(QueryOrder(S, order_id=1), at=1).form == "reset"


def test_faults_can_be_drawn_for_each_request():
    found = wire(draw=lambda request, role, at: VenueFault("drop", "504") if at % 2 else None)
    assert [found.call(ENTRY, at=at).status for at in range(4)] == [200, 504, 200, 504]
    misfit = wire(draw=lambda request, role, at: VenueFault("cancel_race"))
    assert misfit.call(ENTRY, at=0).received is not None


def test_a_misspelt_fault_is_refused_with_a_suggestion():
    with pytest.raises(UnknownName, match="maintenance"):
        VenueFault("maintainance")
    with pytest.raises(UnknownName, match="silence"):
        VenueFault("drop", "silense")


def test_the_menu_has_every_kind():
    assert {fault.kind for fault in every_fault()} == {*KINDS}


@given(seed=st.integers(0, 2**32))
def test_no_mixture_of_faults_makes_or_loses_money(seed):
    dice = random.Random(seed)
    menu = [*every_fault()]

    def draw(request, role, at):
        fault = dice.choice(menu)
        return VenueFault(fault.kind, fault.answer, seconds=fault.seconds)

    found = wire(draw=draw)
    venue = found.venue
    before = {asset: venue.total(asset) for asset in ("BTC", "USDT")}
    requests = [ENTRY, GUARD, EXIT, CancelList(S, "guard-1"), QueryOrder(S, "entry-1")]
    requests += [QueryOpenOrders(S), QueryTrades(S), QueryAccount(), QueryList("guard-1")]
    at = 0
    for _ in range(60):
        at += dice.randint(1, 3000)
        found.call(dice.choice(requests), at=at, sent_at=at, window=3000)
        found.advance(at)
        venue.move_price(S, D(dice.randint(930, 1120)) / 10, at=at)
    for trade in venue.trades:
        sign = 1 if trade.side == "BUY" else -1
        before["BTC"] += sign * trade.quantity
        before["USDT"] -= sign * trade.quantity * trade.price
        before[trade.fee_asset] -= trade.fee
    assert {asset: venue.total(asset) for asset in before} == before
    assert min(venue.free(asset) for asset in before) >= 0
