"""Requests about orders: sent once or not at all, dated, and judged by what was on the wire."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import ccxt.async_support
import pytest

from tests.testing.server.conftest import served
from tradenb.core.orders.answers import (
    Cancelled,
    NotFound,
    NotSent,
    OpenOrdersFailed,
    OverviewFailed,
    QueryFailed,
    Refused,
    Shown,
    Unclear,
)
from tradenb.core.orders.client_ids import client_id, leg_ids
from tradenb.core.orders.order_records import Order
from tradenb.core.orders.venue import BINANCE_SPOT, OrderMarket
from tradenb.errors import UsageError
from tradenb.exchanges.orders import order_port
from tradenb.exchanges.orders.order_client import OrderClient
from tradenb.exchanges.orders.order_port import OrderPort
from tradenb.exchanges.orders.order_reply import OrderReply
from tradenb.exchanges.orders.spot_account import read_account
from tradenb.exchanges.orders.spot_answers import SpotAnswers, Unreadable
from tradenb.exchanges.orders.spot_markets import spot_market
from tradenb.testing.server.redirected_urls import redirected_urls
from tradenb.testing.server.server_account import CREDENTIALS, loopback_keys
from tradenb.testing.venue.venue_requests import NewList, NewOrder, QueryAllOrders, QueryTrades

D = Decimal
MARKET = OrderMarket(price_step=D("0.1"), size_step=D("0.0001"))
PATIENCE_S = 30.0  # for whatever answers
MOMENT_S = 2.0  # where no answer is to come; the request has to be there by then


def port_on(server, *, market=MARKET, now=None, seconds=PATIENCE_S, **options):
    given = {**server.options, **loopback_keys(), "rateLimit": 0.001, **options}
    client = OrderClient("binance", given, now=now or server.now, seconds=seconds)
    return OrderPort(client, BINANCE_SPOT, market, symbol="BTCUSDT", base="BTC", quote="USDT")


def played(port, life):
    async def run():
        try:
            return await life(port)
        finally:
            await port.client.close()

    return asyncio.run(run())


def made(now, role="entry", kind="ioc", side="buy", *, life=3_000, attempt=1, **more):
    values = {"price": D("101")} if kind == "ioc" else {}
    if kind == "list":
        values = {"price": D("110"), "trigger": D("95"), "leg_ids": leg_ids("r", "s1", attempt)}
    id = client_id("r", "s1", role, attempt)
    quantity = more.pop("quantity", D("0.5"))
    order = Order(id, "s1", role, attempt, side, kind, quantity, sent_at=now, dies_at=now + life)
    return order._replace(**values | more)


def exit_order(now, **more):
    return made(now, "exit", "market", "sell", **more)


@pytest.fixture
def server():
    with served() as running:
        yield running


def posts(server):
    return [call for call in server.venue.calls if isinstance(call.request, NewOrder | NewList)]


def test_it_is_dated_also_where_ccxt_signs_with_headers_and_body(server, monkeypatch):
    """As its versions do up to some of 4.5."""
    binance = ccxt.async_support.binance
    sign = binance.sign

    def older(self, path, api, method, params, headers, body):
        assert headers is body is None
        return sign(self, path, api, method, params)

    async def life(port):
        await port.client.server_time()  # opens the clients
        for client in port.client._clients:
            dated = client.sign
            monkeypatch.setattr(client, "sign", lambda *given, to=dated: to(*given[:4], None, None))
        return await port.submit(made(server.now()))

    def opened(*given):
        return sign(*given[:5]) if len(given) == 5 else older(*given)

    monkeypatch.setattr(binance, "sign", opened)
    assert isinstance(played(port_on(server), life), Shown)
    assert len(posts(server)) == 1


# --- once, or not at all ---------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["-1007", "reset", "html_502", "silence", "429"])
def test_nothing_makes_it_send_an_order_twice(server, answer):
    server.fault("accept", answer=answer, times=None, method="POST")
    own = {"maxRetriesOnFailure": 3, "order": {"maxRetriesOnFailure": 3}}
    port = port_on(server, options=own, seconds=MOMENT_S if answer == "silence" else PATIENCE_S)
    played(port, lambda it: it.submit(made(server.now())))
    assert len(posts(server)) == 1


def test_nobody_listens_so_nothing_was_sent(server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        urls = redirected_urls(f"http://127.0.0.1:{taken.getsockname()[1]}")
        port = port_on(server, urls=urls)
        assert isinstance(played(port, lambda it: it.submit(made(server.now()))), NotSent)


def test_a_name_without_an_address_is_not_sent_either(server):
    port = port_on(server, urls=redirected_urls("http://nowhere.invalid"))
    assert isinstance(played(port, lambda it: it.submit(made(server.now()))), NotSent)


@pytest.mark.parametrize(("life", "sent"), [(499, False), (500, True)])
def test_what_would_die_on_the_way_is_not_sent(server, life, sent):
    answer = played(port_on(server), lambda it: it.submit(made(server.now(), life=life)))
    assert isinstance(answer, Shown if sent else NotSent)
    assert bool(posts(server)) is sent
    if isinstance(answer, NotSent):
        assert answer.why.startswith("it waited too long on this machine: of its time ")


def test_a_request_dies_at_the_moment_of_its_order_whenever_it_was_signed(server):
    start = server.now()
    server.fault("late", seconds=2.4, method="POST")
    later = start + 600  # signed after some time in a queue
    port = port_on(server, now=lambda: later, seconds=MOMENT_S)
    server.clock.step(0.6 / 60)
    answer = played(port, lambda it: it.submit(made(start)))
    server.clock.step(2.4 / 60)
    server.venue.advance(server.now())
    assert isinstance(answer, Unclear)
    assert len(server.venue.venue.orders) == 1  # at dies_at it is still in time
    server.fault("late", seconds=2.401, method="POST")
    start, later = server.now() - 600, server.now()
    port = port_on(server, now=lambda: later, seconds=MOMENT_S)
    played(port, lambda it: it.submit(made(start, attempt=2)))
    server.clock.step(3 / 60)
    server.venue.advance(server.now())
    assert len(server.venue.venue.orders) == 1


def test_an_order_without_its_price_is_not_sent(server):
    answer = played(port_on(server), lambda it: it.submit(made(server.now(), price=None)))
    assert isinstance(answer, NotSent)
    assert not posts(server)


# --- what a response proves ------------------------------------------------------------------


@contextmanager
def raw_server(status, body, headers=()):
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append((self.path, self.headers.get("X-MBX-APIKEY")))
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_address[1]}", seen
    finally:
        running.shutdown()
        running.server_close()


ORDER = (
    b'{"symbol":"BTCUSDT","orderId":1,"orderListId":-1,"clientOrderId":"%s","transactTime":1,'
    b'"price":"101.00","origQty":"0.5","executedQty":"0","cummulativeQuoteQty":"0",'
    b'"status":"%s","type":"LIMIT","side":"BUY","fills":[]}'
)
OWN = client_id("r", "s1", "entry", 1).encode()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, ORDER % (OWN, b"NEW"), Shown),
        (200, ORDER % (b"another", b"NEW"), Unclear),
        (200, ORDER % (OWN, b"ODD"), Unclear),
        (200, (ORDER % (OWN, b"NEW")).replace(b'"orderId":1', b'"orderId":null'), Unclear),
        (200, (ORDER % (OWN, b"NEW")).replace(b'"0.5"', b'"NaN"'), Unclear),
        (200, (ORDER % (OWN, b"NEW")).replace(b'"101.00"', b"101.0"), Unclear),
        (200, (ORDER % (OWN, b"NEW")).replace(b"BTCUSDT", b"ETHUSDT"), Unclear),
        (200, b'{"code":-2010,"msg":"Account has insufficient balance"}', Unclear),
        (200, b"null", Unclear),
        (200, b"[]", Unclear),
        (400, b'{"code":-2010,"msg":"Account has insufficient balance"}', Refused),
        (400, b'{"code":"-2010","msg":"Account has insufficient balance"}', Unclear),
        (400, b'{"code":-9999,"msg":"new"}', Unclear),
        (400, b'{"code":-2010,"msg":"Account has ', Unclear),
        (400, b'{"code":-2010,"msg":"Duplicate order sent."}', Unclear),
        (503, b'{"code":-2010,"msg":"Account has insufficient balance"}', Unclear),
        (403, b"<html>-2010</html>", Unclear),
    ],
)
def test_only_a_whole_answer_in_the_known_form_proves_anything(server, status, body, kind):
    port = port_on(server)

    async def ended(*args, **more):
        return OrderReply(left=True, status=status, body=body.decode())

    port.client.order = ended
    assert type(asyncio.run(port.submit(made(server.now())))) is kind


def test_a_redirect_is_not_followed_with_order_and_key(server):
    with raw_server(200, b"{}") as (other, seen):
        leads = [("Location", f"{other}/api/v3/order")]
        with raw_server(307, b"", leads) as (url, _):
            port = port_on(server, urls=redirected_urls(url))
            answer = played(port, lambda it: it.submit(made(server.now())))
    assert isinstance(answer, Unclear)
    assert seen == []


def test_a_refusal_after_a_success_is_one_though_ccxt_calls_it_a_ban(server):
    async def life(port):
        await port.submit(made(server.now()))
        server.fault("drop", answer="revoked", method="POST")
        refused = await port.submit(exit_order(server.now()))
        return refused, await port.query(exit_order(server.now()))

    refused, asked = played(port_on(server), life)
    assert isinstance(refused, Refused)
    assert refused.why.startswith("-2015")
    assert refused.no_key
    assert isinstance(asked, NotFound)


@pytest.mark.parametrize("kind", ["list", "stop"])
def test_a_cancel_says_whether_the_key_may_not_do_it(server, kind):
    async def life(port):
        order = made(server.now(), "protection", kind, "sell")
        allowed = await port.cancel(order)
        server.fault("drop", answer="revoked", method="DELETE")
        return allowed, await port.cancel(order)

    allowed, refused = played(port_on(server), life)
    assert (allowed.no_key, refused.no_key) == (False, True)


def test_a_list_is_absent_only_if_each_of_its_legs_is(server):
    async def life(port):
        order = made(server.now(), "protection", "list", "sell")
        whole = await port.query(order)
        calls = len(server.venue.calls)
        real = port.client.read

        async def second_fails(*args, **more):
            if len(server.venue.calls) > calls:
                return OrderReply(left=True)
            return await real(*args, **more)

        port.client.read = second_fails
        return whole, await port.query(order)

    whole, half = played(port_on(server), life)
    assert isinstance(whole, NotFound)
    assert isinstance(half, QueryFailed)


# --- rate limits -----------------------------------------------------------------------------


def test_reads_and_entries_wait_for_a_rate_limit_and_exits_do_not(server):
    server.fault("drop", answer="429", method="GET")

    async def life(port):
        now = server.now()
        first = await port.overview(now - 60_000)
        assert port.client.quiet_until == now + 5_000
        seen = len(server.venue.calls)
        waits = (await port.overview(now), await port.submit(made(now)))
        watched = exit_order(now, state="working")
        waits = (*waits, await port.query(watched))
        assert len(server.venue.calls) == seen
        goes = (await port.submit(exit_order(now)), await port.query(exit_order(now)))
        server.clock.step(6 / 60)
        return first, waits, goes, await port.overview(now)

    first, waits, goes, after = played(port_on(server), life)
    assert first == OverviewFailed()
    assert [type(each) for each in waits] == [OverviewFailed, NotSent, QueryFailed]
    assert [type(each) for each in goes] == [Shown, Shown]
    assert after.orders


def test_reads_use_a_share_of_the_requests_and_leave_the_rest_to_orders(server):
    async def life(port):
        await port.query(exit_order(server.now()))
        return [client.rateLimit for client in port.client._clients]

    of_orders, of_reads = played(port_on(server, rateLimit=0.07), life)
    assert (of_orders, round(of_reads, 9)) == (0.07, 0.1)


def test_in_a_ban_nothing_is_sent_which_would_prolong_it(server):
    server.fault("drop", answer="418", method="GET")

    async def life(port):
        now = server.now()
        await port.overview(now)
        seen = len(server.venue.calls)
        refused = await port.submit(exit_order(now)), await port.cancel(exit_order(now))
        assert len(server.venue.calls) == seen
        server.clock.step(61 / 60)
        return refused, await port.submit(exit_order(server.now()))

    refused, after = played(port_on(server), life)
    assert [type(each) for each in refused] == [NotSent, Cancelled]
    assert isinstance(after, Shown)


# --- forms -----------------------------------------------------------------------------------


def test_numbers_go_out_and_come_back_to_the_last_digit(server):
    quantity = D("0.3000000")
    order = made(server.now(), quantity=quantity, price=D("1.001E+2"))
    answer = played(port_on(server), lambda it: it.submit(order))
    assert answer.order.quantity == quantity
    assert answer.order.fills[0].fee == quantity / 1000
    (call,) = posts(server)
    assert (call.request.quantity, call.request.price) == (quantity, D("100.1"))
    digits = b'{"a":"0.1234567890123456789","b":0.1234567890123456789}'
    reply = OrderReply(status=200, body=digits.decode())
    assert str(reply.answer["b"]) == reply.answer["a"]


def test_a_list_has_a_stop_with_a_limit_where_the_market_has_no_other(server):
    order = made(server.now(), "protection", "list", "sell")
    limited = MARKET._replace(stop_market=False, stop_gap=D("0.013"))
    assert isinstance(played(port_on(server, market=limited), lambda it: it.submit(order)), Shown)
    (call,) = posts(server)
    assert call.request.below.price == D("93.7")  # 95 less 1.3 %, on the step
    again = made(server.now(), "protection", "stop_limit", "sell", attempt=2)
    again = again._replace(price=D("93"), trigger=D("95"))
    answer = played(port_on(server), lambda it: it.submit(again))
    assert (answer.order.type, answer.order.trigger) == ("stop_limit", D("95"))


def test_an_overview_pages_by_days_and_by_ids(server, monkeypatch):
    monkeypatch.setattr(order_port, "PAGE", 2)
    venue = server.venue.venue

    async def life(port):
        now = server.now()
        for attempt in range(1, 6):
            await port.submit(made(now, attempt=attempt, quantity=D("0.1")))
        return await port.overview(now - 3 * 86_400_000)

    found = played(port_on(server), life)
    assert [order.exchange_id for order in found.orders] == [str(each) for each in venue.orders]
    assert len({fill.id for fill in found.fills}) == len(venue.trades) == 5
    assert found.base == venue.total("BTC")
    spans = [call.request for call in server.venue.calls if type(call.request) is QueryAllOrders]
    assert all(each.until - each.since < 86_400_000 for each in spans if each.since)


@pytest.mark.parametrize("path", ["openOrders", "myTrades"])
def test_a_light_look_without_an_answer_keeps_no_exit_waiting(server, path, monkeypatch):
    monkeypatch.setattr(order_port, "LOOK_S", MOMENT_S)
    server.fault("drop", answer="silence", path=path)

    async def life(port):
        async with asyncio.timeout(PATIENCE_S):
            return await port.open_orders(trades=True)

    found = played(port_on(server, seconds=60), life)
    if path == "openOrders":
        assert found == OpenOrdersFailed()
    else:
        assert (found.fills, found.unread) == ((), True)


def test_an_overview_of_a_long_position_costs_as_much_as_one_of_a_short_one(server):
    venue = server.venue.venue

    async def life(port):
        now = server.now()
        await port.submit(made(now))
        server.skew_ms = 20 * 86_400_000
        await port.submit(exit_order(server.now(), quantity=D("0.1")))
        return await port.overview(now - 60_000)

    found = played(port_on(server), life)
    assert [order.exchange_id for order in found.orders] == [str(each) for each in venue.orders]
    assert len({fill.id for fill in found.fills}) == len(found.fills) == len(venue.trades) > 1
    reads = [type(call.request) for call in server.venue.calls]
    assert (reads.count(QueryAllOrders), reads.count(QueryTrades)) == (2, 2)


def test_a_part_of_an_overview_is_read_again_and_what_stays_broken_shows_nothing(server):
    async def life(port):
        found = []
        for times in (order_port.READS - 1, order_port.READS):
            server.fault("drop", answer="html_200", path="myTrades", times=times)
            found.append(await port.overview(server.now() - 60_000))
        return found

    whole, broken = played(port_on(server), life)
    assert whole.base == server.venue.venue.total("BTC")
    assert broken == OverviewFailed()


def test_an_overview_says_from_when_on_it_is_whole(server):
    found = played(port_on(server), lambda it: it.overview(server.now() - 90 * 86_400_000))
    assert found.since == server.now() - order_port.MOST_DAYS * 86_400_000


def test_a_market_is_read_with_its_exact_steps_and_the_fee_of_the_account(server):
    async def life(port):
        before = await port.market_now()
        server.fault("steps_changed", path="account")
        changed = await port.market_now(), await port.market_now()
        server.fault("drop", answer="html_200", path="account")
        return before, changed[-1], await port.market_now()

    before, changed, broken = played(port_on(server), life)
    assert (before.symbol, before.base, before.quote) == ("BTCUSDT", "BTC", "USDT")
    assert before.lists
    assert before.is_trading
    told = server.venue.venue.market("BTCUSDT")
    market = changed.market
    assert (market.price_step, market.size_step) == (told.tick_size, told.step_size)
    assert market.price_step == 10 * before.market.price_step
    assert (market.min_size, market.min_value) == (told.min_quantity, told.min_notional)
    assert (market.taker, market.stop_market) == (D("0.001"), True)
    assert broken is None


SYMBOL = {
    "symbol": "BTCUSDT",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "filters": [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001"},
        {"filterType": "MIN_NOTIONAL", "minNotional": "5"},
    ],
    "orderTypes": ["LIMIT", "STOP_LOSS_LIMIT"],
    "status": "BREAK",
}
RATES = {"commissionRates": {"taker": "0.00095"}}


def test_a_market_that_is_closed_and_has_no_stops_at_market():
    found = spot_market("BTCUSDT", {"symbols": [SYMBOL]}, RATES)
    assert (found.lists, found.is_trading, found.market.stop_market) == (False, False, False)
    assert found.market.taker == D("0.00095")


@pytest.mark.parametrize(
    ("info", "account"),
    [
        ({"symbols": []}, RATES),
        ({"symbols": [SYMBOL, SYMBOL]}, RATES),
        ({"symbols": [{**SYMBOL, "filters": SYMBOL["filters"][1:]}]}, RATES),
        ({"symbols": [{**SYMBOL, "filters": "none"}]}, RATES),
        ({"symbols": [SYMBOL]}, {}),
        (None, RATES),
    ],
)
def test_a_market_that_is_not_whole_is_unreadable(info, account):
    with pytest.raises(Unreadable):
        spot_market("BTCUSDT", info, account)


def test_a_step_of_zero_is_no_step():
    zero = [{"filterType": "PRICE_FILTER", "tickSize": "0.0"}, *SYMBOL["filters"][1:]]
    with pytest.raises(Unreadable, match="no steps"):
        spot_market("BTCUSDT", {"symbols": [{**SYMBOL, "filters": zero}]}, RATES)


READER = SpotAnswers("BTCUSDT", "BTC", "USDT")
TRADE = {
    "symbol": "BTCUSDT",
    "id": 7,
    "orderId": 1,
    "price": "100",
    "qty": "0.1",
    "commission": "0.01",
    "commissionAsset": "BNB",
    "time": 5,
    "isBuyer": False,
}


def test_a_fee_in_a_third_coin_is_neither_pieces_nor_money():
    (fill,) = READER.trades([TRADE])
    assert (fill.side, fill.fee_in, fill.fee, fill.at) == ("sell", "other", D("0.01"), 5)


@pytest.mark.parametrize(
    "change", [{"id": None}, {"isBuyer": "no"}, {"symbol": "ETHUSDT"}, {"qty": 0.1}, {"time": "5"}]
)
def test_a_trade_that_is_not_whole_is_unreadable(change):
    with pytest.raises(Unreadable):
        READER.trades([TRADE | change])


FOREIGN = {
    "symbol": "BTCUSDT", "orderId": 9, "clientOrderId": "web_1", "status": "NEW", "side": "BUY",
    "type": "LIMIT", "origQty": "1", "price": "90", "executedQty": "0", "cummulativeQuoteQty": "0",
}  # fmt: skip


@pytest.mark.parametrize("change", [{"status": "HELD"}, {"side": "LEND"}, {"origQty": ""}])
def test_an_order_of_others_that_cannot_be_read_hides_none_of_ours(change):
    own = {**FOREIGN, "orderId": 8, "clientOrderId": client_id("r", "s1", "exit", 1)}
    first, second = READER.orders([own, FOREIGN | change])
    assert (first.exchange_id, first.filled) == ("8", D(0))
    assert (second.id, second.exchange_id, second.ending) == ("web_1", "9", None)
    with pytest.raises(Unreadable):
        READER.orders([own | change, FOREIGN])
    with pytest.raises(Unreadable):
        READER.orders([own, FOREIGN | change | {"symbol": "ETHUSDT"}])


@pytest.mark.parametrize("asked", [{"orderId": "2"}, {"origClientOrderId": "another"}])
def test_a_query_is_not_answered_by_another_order(asked):
    shown = json.loads(ORDER % (OWN, b"NEW"))
    assert READER.queried(shown, {"orderId": "1"}).id == OWN.decode()
    with pytest.raises(Unreadable):
        READER.queried(shown, asked)


@pytest.mark.parametrize("change", [{"listClientOrderId": "other"}, {"orderReports": []}])
def test_a_list_is_shown_by_its_own_answer_with_both_legs(server, change):
    order = made(0, "protection", "list", "sell")
    leg = json.loads(ORDER % (b"x", b"NEW"))
    reports = [{**leg, "clientOrderId": id} for id in order.leg_ids]
    whole = {"listClientOrderId": order.id, "orderReports": reports}
    assert len(READER.submitted(order, whole).legs) == 2
    with pytest.raises(Unreadable):
        READER.submitted(order, whole | change)


def test_a_client_goes_on_in_another_loop_and_leaves_the_sessions_of_the_first(server):
    port, first = port_on(server), asyncio.new_event_loop()
    assert isinstance(first.run_until_complete(port.submit(made(server.now()))), Shown)
    of_first = port.client._clients
    assert isinstance(played(port, lambda it: it.query(made(server.now()))), Shown)
    assert not of_first[0].session.closed
    for client in of_first:
        first.run_until_complete(client.close())
    first.close()
    assert isinstance(played(port, lambda it: it.query(made(server.now()))), Shown)


def test_a_key_that_is_missing_is_told_before_anything_is_sent(server, monkeypatch):
    port = port_on(server)
    monkeypatch.delenv("TRADENB_LOOPBACK_SECRET")
    with pytest.raises(UsageError, match="TRADENB_LOOPBACK_SECRET"):
        asyncio.run(port.submit(made(server.now())))
    assert not posts(server)


def test_an_option_that_ccxt_rejects_is_told_without_the_key(server):
    port = port_on(server, rateLimit="soon")
    with pytest.raises(UsageError, match="ccxt rejects") as told:
        asyncio.run(port.submit(made(server.now())))
    assert CREDENTIALS.secret not in str(told.value)


def test_a_single_stop_is_asked_for_and_cancelled_by_the_id_that_is_known(server):
    async def life(port):
        order = made(server.now(), "protection", "stop", "sell", trigger=D(95))
        placed = (await port.submit(order)).order
        known = order._replace(exchange_id=placed.exchange_id)
        shown = await port.query(known)
        await port.cancel(known)
        return placed, shown.order, (await port.query(order)).order

    placed, shown, ended = played(port_on(server), life)
    assert (placed.type, placed.trigger, placed.ending) == ("stop", D(95), None)
    assert shown == placed
    assert ended == placed._replace(ending="cancelled")
    named = [call.request[1:3] for call in server.venue.calls[1:]]
    assert named == [(None, 1), (None, 1), (placed.id, None)]


def test_a_check_places_nothing_and_says_what_would_be_refused(server):
    async def life(port):
        now = server.now()
        fine = [made(now), made(now, "protection", "list", "sell"), exit_order(now)]
        answers = [await port.check(order) for order in fine]
        wrong = [made(now, quantity=D("0.00001")), made(now, "protection", "list", "sell")]
        wrong[1] = wrong[1]._replace(quantity=D("0.00001"))
        return answers, [await port.check(order) for order in wrong]

    fine, wrong = played(port_on(server), life)
    assert fine == [None] * 3
    assert [type(answer) for answer in wrong] == [Refused, Refused]
    assert not server.venue.venue.orders


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, "{}", type(None)),
        (200, '{"code":-2010,"msg":"odd"}', Unclear),
        (200, "", Unclear),
        (400, '{"code":-1013,"msg":"Filter failure: LOT_SIZE"}', Refused),
    ],
)
def test_a_check_is_passed_by_a_whole_answer_without_a_code_alone(server, status, body, kind):
    port = port_on(server)

    async def ended(*args, **more):
        return OrderReply(left=True, status=status, body=body)

    port.client.order = ended
    assert type(asyncio.run(port.check(made(server.now())))) is kind


# --- secrets ---------------------------------------------------------------------------------


def test_a_key_is_in_no_answer_and_in_no_log(server, caplog):
    caplog.set_level(logging.DEBUG)
    shown = f'{{"code":-1022,"msg":"bad {CREDENTIALS.key}"}}'.encode()
    with raw_server(400, shown) as (url, seen):
        port = port_on(server, urls=redirected_urls(url))
        answer = played(port, lambda it: it.submit(made(server.now())))
    assert seen[0][1] == CREDENTIALS.key  # it was sent
    assert isinstance(answer, Refused)
    for secret in (CREDENTIALS.key, CREDENTIALS.secret):
        assert secret not in answer.why
        assert secret not in caplog.text
        assert secret not in repr((port, port.client, vars(port.client)["_options"]))


def test_a_ccxt_that_does_not_lead_to_the_testnet_sends_nothing(server, monkeypatch):
    """Older versions take the option and go on with the real exchange."""
    monkeypatch.setattr(ccxt.async_support.binance, "set_sandbox_mode", lambda self, enabled: None)
    client = OrderClient("binance", {**loopback_keys(), "sandbox": True}, now=server.now)

    async def life():
        await client.read("private_get_account", {})

    with pytest.raises(UsageError, match="has no testnet of binance"):
        asyncio.run(life())


def test_a_key_in_plain_text_is_refused(server):
    with pytest.raises(UsageError, match="env:NAME"):
        OrderClient("binance", server.credentials, now=server.now)


def test_methods_of_the_user_do_not_sign_or_send_orders(server):
    def never(*args):
        raise AssertionError

    port = port_on(server, sign=never, fetch=never)
    assert isinstance(played(port, lambda it: it.submit(made(server.now()))), Shown)


@pytest.mark.parametrize("body", ["[]", "{}", '{"balances":[{"asset":"BTC","free":1}]}'])
def test_an_account_that_is_not_whole_is_not_one(body):
    class Client:
        async def read(self, call, params):
            return OrderReply(status=200, body=body)

    assert asyncio.run(read_account(Client())) is None
