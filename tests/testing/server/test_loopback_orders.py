"""Orders over HTTP: an unmodified ccxt against the exchange on loopback."""

from __future__ import annotations

import json
from decimal import Decimal
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import ccxt.async_support
import pytest

from tests.brokers.loopback import account, on, order
from tests.sources import T0, frame
from tests.testing.server.conftest import FALL, FLAT, HELD, RISE, ask, served
from tradenb.core.orders.client_ids import client_id
from tradenb.core.timeframe import MINUTE
from tradenb.errors import UsageError
from tradenb.testing import ExchangeServer
from tradenb.testing.server import redirected_urls as redirecting
from tradenb.testing.server.price_feed import PriceFeed
from tradenb.testing.server.redirected_urls import redirected_urls
from tradenb.testing.server.server_account import CREDENTIALS
from tradenb.testing.server.server_candles import rows_of_all
from tradenb.testing.server.signed_requests import KEY_HEADER
from tradenb.testing.venue.faulty_venue import FaultyVenue
from tradenb.testing.venue.spot_venue import SpotVenue
from tradenb.testing.venue.venue_records import VenueMarket
from tradenb.testing.venue.venue_requests import NewOrder

D = Decimal
S = "BTC/USDT"
OCO = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "quantity": "2",
    "listClientOrderId": "guard",
    "aboveType": "LIMIT_MAKER",
    "aboveClientOrderId": "target",
    "abovePrice": "110",
    "belowType": "STOP_LOSS_LIMIT",
    "belowClientOrderId": "stop",
    "belowPrice": "94",
    "belowStopPrice": "95",
    "belowTimeInForce": "GTC",
}


@pytest.mark.parametrize("sandbox", [False, True])
def test_every_group_of_ccxt_leads_to_the_server_each_by_a_path_of_its_own(server, sandbox):
    client = ccxt.async_support.binance(server.options)
    if sandbox:
        client.options["disableFuturesSandboxWarning"] = True
        client.set_sandbox_mode(True)
    groups = ccxt.async_support.binance().urls["test" if sandbox else "api"]
    found = client.urls["api"]
    assert {*groups} <= {*found}
    assert "fapiPrivateV3" in found
    assert {urlsplit(url).netloc for url in found.values()} == {urlsplit(server.url).netloc}
    assert len({*found.values()}) == len({*groups.values()})


def test_a_group_that_cannot_be_redirected_is_an_error(monkeypatch):
    tables = {"api": {"public": "https://api.binance.com/api/v3", "new": {"v1": "https://a.b/c"}}}
    monkeypatch.setattr(redirecting, "_tables", lambda: tables)
    with pytest.raises(UsageError, match=r"urls\['api'\]\['new'\]"):
        redirected_urls("http://127.0.0.1:1")


def test_what_is_not_served_is_refused_and_does_not_leave_the_machine(server):
    async def life(client):
        with pytest.raises(ccxt.OperationFailed, match="fapi/fapi/v3/balance is not served here"):
            await client.fapiPrivateV3GetBalance()

    ask(server, life)


def test_an_entry_its_protection_and_its_end_are_what_ccxt_understands():
    with served(RISE, FALL) as server:

        async def life(client):
            entry = {"timeInForce": "IOC", "newClientOrderId": "entry", "recvWindow": 3000}
            bought = await client.create_order(S, "limit", "buy", 2, 100.2, entry)
            assert (bought["status"], bought["filled"], bought["average"]) == ("closed", 2.0, 100.0)
            assert bought["fee"] == {"currency": "BTC", "cost": 0.002}
            await client.private_post_orderlist_oco(OCO)
            (target, stop) = await client.fetch_open_orders(S)
            assert (target["clientOrderId"], stop["triggerPrice"]) == ("target", 95.0)
            server.clock.step()
            server.clock.step()
            seen = await client.fetch_order(None, S, {"origClientOrderId": "target"})
            assert (seen["status"], seen["average"]) == ("closed", 110.0)
            gone = await client.fetch_order(None, S, {"origClientOrderId": "stop"})
            assert (gone["status"], gone["filled"]) == ("expired", 0.0)
            listed = await client.private_get_orderlist({"origClientOrderId": "guard"})
            assert listed["listOrderStatus"] == "ALL_DONE"
            trades = await client.fetch_my_trades(S)
            assert [(each["side"], each["price"]) for each in trades] == [
                ("buy", 100.0),
                ("sell", 110.0),
            ]
            return await client.fetch_balance()

        balance = ask(server, life)
    assert balance["BTC"]["free"] == 9.998
    assert balance["USDT"]["total"] == pytest.approx(10_000 - 200 + 220 * 0.999)


def test_cancels_test_orders_permissions_and_the_older_list_are_served(server):
    async def life(client):
        rested = await client.create_order(S, "limit", "sell", 1, 120, {"newClientOrderId": "r"})
        cancelled = await client.cancel_order(None, S, {"origClientOrderId": "r"})
        assert (rested["status"], cancelled["status"]) == ("open", "canceled")
        stop = await client.create_order(S, "stop_loss_limit", "sell", 1, 94, {"stopPrice": 95})
        assert stop["timestamp"] == server.now()
        assert (await client.cancel_order(stop["id"], S))["id"] == stop["id"]
        await client.create_order(S, "market", "buy", 5000, None, {"test": True})
        spent = await client.create_order(S, "market", "buy", 1, None, {"cost": 150})
        assert (spent["filled"], spent["cost"]) == (1.5, 150.0)
        old = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "1", "price": "110"}
        made = await client.private_post_order_oco(old | {"stopPrice": "95"})
        assert [each["type"] for each in made["orderReports"]] == ["LIMIT_MAKER", "STOP_LOSS"]
        assert len(await client.private_get_openorderlist()) == 1
        ended = await client.private_delete_orderlist(
            {"symbol": "BTCUSDT", "orderListId": made["orderListId"]}
        )
        assert ended["orderReports"][0]["origClientOrderId"] == made["orders"][0]["clientOrderId"]
        assert len(await client.fetch_orders(S)) == 5
        return await client.sapi_get_account_apirestrictions()

    assert ask(server, life)["enableWithdrawals"] is False


async def refusal(call, expected=ccxt.BaseError):
    with pytest.raises(expected) as caught:
        await call
    return str(caught.value)


@pytest.mark.parametrize(
    ("options", "code", "expected"),
    [
        ({"apiKey": "other"}, "-2015", ccxt.AuthenticationError),
        ({"secret": "other"}, "-1022", ccxt.AuthenticationError),
        ({"timeDifference": 6000}, "-1021", ccxt.InvalidNonce),
        ({"timeDifference": -1000}, "-1021", ccxt.InvalidNonce),
    ],
)
def test_a_request_with_another_key_signature_or_time_is_refused(server, options, code, expected):
    async def life(client):
        for name, value in options.items():
            if name == "timeDifference":
                client.options |= {name: value, "recvWindow": 5000}
            else:
                setattr(client, name, value)
        return await refusal(client.fetch_open_orders(S), expected)

    assert code in ask(server, life)


def test_a_malformed_parameter_is_refused(server):
    codes = {
        ("side", "BUYING"): "-1117",
        ("type", "STOP"): "-1116",
        ("timeInForce", "GTX"): "-1115",
        ("quantity", "many"): "-1100",
        ("quantity", "-1"): "-1100",
        ("quantity", ""): "-1105",
        ("symbol", "NOPE"): "-1121",
    }

    async def life(client):
        order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        order |= {"quantity": "1", "price": "90"}
        lacking = {name: value for name, value in order.items() if name != "symbol"}
        assert "-1102" in await refusal(client.private_post_order(lacking))
        nothing = {"symbol": "BTCUSDT", "orderId": "first"}
        assert "-1100" in await refusal(client.private_get_order(nothing))
        return {
            (name, value): await refusal(client.private_post_order(order | {name: value}))
            for name, value in codes
        }

    told = ask(server, life)
    assert [code for code in codes if codes[code] not in told[code]] == []
    assert server.venue.venue.orders == {}


def test_a_request_without_key_signature_or_time_is_refused(server):
    keyed = {KEY_HEADER: CREDENTIALS.key}
    assert asked(server, "order?symbol=BTCUSDT", {}) == (401, -2014)
    assert asked(server, "order?symbol=BTCUSDT", keyed) == (400, -1102)
    text = "symbol=BTCUSDT&timestamp=now"
    signed = f"order?{text}&signature={CREDENTIALS.sign(text)}"
    assert asked(server, signed, keyed) == (400, -1102)


def asked(server, path, headers):
    try:
        urlopen(Request(f"{server.url}/api/v3/{path}", headers=headers))
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())["code"]


def test_without_an_account_nothing_signed_is_served():
    with served(balances=None) as server:
        told = ask(server, lambda client: refusal(client.fetch_balance()))
        assert "account is not served here" in told
        with pytest.raises(UsageError, match="has no account"):
            server.fault("drop")


def test_an_account_of_ones_own_has_the_symbols_of_the_candles():
    venue = FaultyVenue(SpotVenue([VenueMarket("ETHUSDT", "ETH", "USDT")], {}))
    with pytest.raises(UsageError, match="same symbols"):
        ExchangeServer(frame([FLAT]), venue=venue)
    with pytest.raises(UsageError, match="not both"):
        ExchangeServer(frame([FLAT]), venue=venue, balances=HELD)


LOST = ["silence", "reset", "half_body"]
BLURRED = ["cut_json", "empty", "html_200", "braces"]
TOLD = ["html_403", "html_502", "504", "-1000", "-1001", "-1006", "-1007"]


@pytest.mark.parametrize("kind", ["drop", "accept"])
def test_an_answer_is_lost_over_http_as_it_is_in_memory(server, kind):
    async def life(client):
        return {answer: await lost(client, answer) for answer in (*LOST, *BLURRED, *TOLD)}

    async def lost(client, answer):
        server.fault(kind, answer=answer, method="POST")
        order = (S, "limit", "buy", 1, 100.2, {"timeInForce": "IOC", "newClientOrderId": answer})
        try:
            shown = (await client.create_order(*order))["id"]
        except ccxt.BaseError:
            shown = "raised"
        try:
            found = await client.fetch_order(None, S, {"origClientOrderId": answer})
        except ccxt.OrderNotFound:
            return shown, None
        return shown, found["status"]

    truth = "closed" if kind == "accept" else None
    assert ask(server, life, timeout=1000) == {
        **dict.fromkeys((*LOST, *TOLD), ("raised", truth)),
        **dict.fromkeys(BLURRED, (None, truth)),
    }


def test_a_refusal_is_what_ccxt_takes_it_for(server):
    expected = {
        "balance": ccxt.InsufficientFunds,
        "duplicate": ccxt.InvalidOrder,
        "would_trigger": ccxt.OrderImmediatelyFillable,
        "filter": ccxt.InvalidOrder,
        "skew": ccxt.InvalidNonce,
        "revoked": ccxt.AuthenticationError,
        "429": ccxt.DDoSProtection,
        "418": ccxt.DDoSProtection,
    }

    async def life(client):
        for answer, error in expected.items():
            server.fault("drop", answer=answer, path="order")
            await refusal(client.create_order(S, "market", "buy", 1), error)

    ask(server, life)
    assert server.venue.venue.orders == {}


def test_time_is_the_servers_alone(server):
    server.fault("late", method="POST", seconds=30, answer="504")

    async def life(client):
        window = {"recvWindow": 60_000, "newClientOrderId": "e"}
        with pytest.raises(ccxt.NetworkError):
            await client.create_order(S, "market", "buy", 1, None, window)
        with pytest.raises(ccxt.OrderNotFound):
            await client.fetch_order(None, S, {"origClientOrderId": "e"})
        server.clock.step(0.5)
        return await client.fetch_order(None, S, {"origClientOrderId": "e"})

    assert ask(server, life)["timestamp"] == T0 + 2 * MINUTE + 30_000


def test_tickers_and_books_show_what_orders_trade_at():
    market = VenueMarket("BTCUSDT", "BTC", "USDT", D("0.1"))
    venue = FaultyVenue(SpotVenue([market], {"USDT": D(1000)}, spread_ticks=2))
    with served(balances=None, venue=venue) as server:

        async def life(client):
            bids = await client.fetch_bids_asks()
            book = await client.fetch_order_book(S)
            one = await client.fetch_ticker(S)
            bought = await client.create_order(S, "market", "buy", 1)
            shown = [(bids[S]["bid"], bids[S]["ask"]), (one["bid"], one["ask"])]
            return [*shown, (book["bids"][0][0], book["asks"][0][0])], bought["average"]

        shown, paid = ask(server, life)
    assert {*shown} == {(99.8, 100.2)}
    assert paid == 100.2


def test_steps_that_change_are_in_the_markets(server):
    server.fault("steps_changed", path="account")

    async def life(client):
        before = client.markets[S]["precision"]["amount"]
        await client.fetch_balance()
        return before, (await client.load_markets(True))[S]["precision"]["amount"]

    before, after = ask(server, life)
    assert after == pytest.approx(10 * before)


@pytest.mark.parametrize("share", [None, 0.4])
def test_prices_that_are_looked_at_often_or_once_fill_the_same(share):
    rows = dict(rows_of_all({"BTCUSDT": frame([FLAT, RISE, FALL, RISE])}, []))

    def filled(moments):
        market = VenueMarket("BTCUSDT", "BTC", "USDT", D("0.01"), D("0.01"), D("0.01"))
        venue = FaultyVenue(SpotVenue([market], {"USDT": D(1000), "BTC": D(10)}))
        feed = PriceFeed(venue, rows, volume_share=share)
        feed.advance(T0 + 1)
        for name, side, price in (("a", "SELL", 105), ("b", "BUY", 95), ("c", "SELL", 110)):
            order = NewOrder("BTCUSDT", side, "LIMIT", D("0.5"), name, D(price), None, "GTC")
            venue.call(order, at=T0 + 1)
        for moment in moments:
            feed.advance(moment)
        orders = venue.venue.orders.values()
        return [(each.status, each.executed, each.average) for each in orders]

    end = T0 + 4 * MINUTE
    assert (
        filled([end])
        == filled(range(T0, end + 1, 1777))
        == filled([T0, *range(T0, end + 1, 60_000)])
    )


def test_a_fault_of_a_role_meets_orders_of_that_role():
    entry = client_id("a run", "s1", "entry", 1)

    async def life(port):
        return await port.submit(order(entry, now=clock.now()))

    with account() as (server, clock):
        other = server.fault("drop", answer="504", role="exit", times=1)
        fault = server.fault("accept", answer="504", role="entry", times=1)
        on(server, clock, life)
        assert (fault.met, other.met) == (1, 0)
        assert [each.client_id for each in server.venue.venue.orders.values()] == [entry]
