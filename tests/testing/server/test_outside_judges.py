"""Code of others judges the exchange on loopback: ccxt's own assertions, and two more clients."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.sources import T0, frame
from tests.testing.server.conftest import HELD, ask
from tradenb.core.timeframe import MINUTE
from tradenb.testing import ExchangeServer

S = "BTC/USDT"
LIST = {
    "symbol": "BTCUSDT",
    "side": "SELL",
    "quantity": "2",
    "aboveType": "LIMIT_MAKER",
    "abovePrice": "110",
    "belowType": "STOP_LOSS_LIMIT",
    "belowPrice": "94",
    "belowStopPrice": "95",
    "belowTimeInForce": "GTC",
}


def ccxts_own(name):
    """An assertion of the installed ccxt; some versions come without."""
    module = pytest.importorskip(f"ccxt.test.exchange.base.{name}", exc_type=ImportError)
    return getattr(module, name)


def test_ccxts_own_assertions_accept_orders_trades_and_balances(server):
    assert_order, assert_trade = ccxts_own("test_order"), ccxts_own("test_trade")
    assert_balance = ccxts_own("test_balance")

    async def life(client):
        now = client.milliseconds() + MINUTE
        server.fault("partial", method="POST", times=1)
        made = [
            await client.create_order(S, "limit", "buy", 1, 100.2, {"timeInForce": "IOC"}),
            await client.create_order(S, "market", "buy", 1),
            await client.create_order(S, "limit", "sell", 1, 120),
            await client.create_order(S, "stop_loss_limit", "sell", 1, 94, {"stopPrice": 95}),
            await client.create_order(S, "limit", "sell", 1, 130, {"postOnly": True}),
        ]
        await client.private_post_orderlist_oco(LIST)
        made += await client.fetch_open_orders(S)
        made.append(await client.cancel_order(made[2]["id"], S))
        made += await client.fetch_orders(S)
        assert {each["status"] for each in made} == {"open", "closed", "canceled", "expired"}
        for order in made:
            # ccxt lists the states of Binance as expired, too; its assertion does not know it.
            known = {"status": True} if order["status"] == "expired" else {}
            assert_order(client, known, "createOrder", order, S, now)
        trades = await client.fetch_my_trades(S)
        assert len(trades) == 2
        for trade in trades:
            assert_trade(client, {}, "fetchMyTrades", trade, S, now, False)
        assert_balance(client, {}, "fetchBalance", await client.fetch_balance())

    ask(server, life)


@pytest.fixture
def now_server():
    """On the clock of this machine, which these clients sign with."""
    candles = frame([(100.0, 100.0, 100.0, 100.0, 2.0)] * 12)
    with ExchangeServer(candles, now=T0 + 2 * MINUTE, balances=HELD) as made:
        yield made


def test_the_official_client_places_queries_and_cancels(now_server):
    spot = pytest.importorskip("binance.spot", exc_type=ImportError)
    error = pytest.importorskip("binance.error")
    own = now_server.credentials
    client = spot.Spot(own["apiKey"], own["secret"], base_url=now_server.url, timeout=10)
    assert abs(client.time()["serverTime"] - time.time() * 1000) < 10_000
    assert client.exchange_info(symbol="BTCUSDT")["symbols"][0]["ocoAllowed"]
    entry = {"timeInForce": "IOC", "quantity": 2, "price": 100.2, "newClientOrderId": "entry"}
    bought = client.new_order("BTCUSDT", "BUY", "LIMIT", **entry)
    assert (bought["status"], bought["fills"][0]["commissionAsset"]) == ("FILLED", "BTC")
    assert client.new_order_test("BTCUSDT", "BUY", "MARKET", quantity=1) == {}
    assert client.get_order("BTCUSDT", origClientOrderId="entry")["executedQty"] == "2.00000000"
    guard = client.new_oco_order(**LIST, listClientOrderId="guard")
    assert [each["type"] for each in guard["orderReports"]] == ["LIMIT_MAKER", "STOP_LOSS_LIMIT"]
    assert len(client.get_open_orders("BTCUSDT")) == 2
    assert client.get_oco_order(origClientOrderId="guard")["listOrderStatus"] == "EXECUTING"
    ended = client.cancel_oco_order("BTCUSDT", listClientOrderId="guard")
    assert ended["listOrderStatus"] == "ALL_DONE"
    client.new_order("BTCUSDT", "SELL", "MARKET", quantity=1)
    assert len(client.my_trades("BTCUSDT")) == 2
    assert len(client.get_orders("BTCUSDT")) == 4
    held = {each["asset"]: each for each in client.account()["balances"]}
    assert held["BTC"]["free"] == "10.99800000"
    assert client.api_key_permissions()["enableWithdrawals"] is False
    rest = client.new_order("BTCUSDT", "SELL", "LIMIT", timeInForce="GTC", quantity=1, price=120)
    assert client.cancel_order("BTCUSDT", orderId=rest["orderId"])["status"] == "CANCELED"
    with pytest.raises(error.ClientError) as caught:
        client.get_order("BTCUSDT", orderId=99)
    assert (caught.value.status_code, caught.value.error_code) == (400, -2013)
    client.session.close()


@pytest.fixture
def closed_loop():
    """A loop for a client that would make one and leave it open, for some later test to find."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.mark.usefixtures("closed_loop")
def test_python_binance_places_queries_and_cancels(now_server):
    module = pytest.importorskip("binance.client", exc_type=ImportError)
    exceptions = pytest.importorskip("binance.exceptions")
    own = now_server.credentials
    client = module.Client(own["apiKey"], own["secret"], ping=False)
    client.API_URL, client.MARGIN_API_URL = f"{now_server.url}/api", f"{now_server.url}/sapi"
    bought = client.order_limit_buy(
        symbol="BTCUSDT", quantity=2, price="100.2", timeInForce="IOC", newClientOrderId="entry"
    )
    assert (bought["status"], bought["executedQty"]) == ("FILLED", "2.00000000")
    assert client.create_test_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=1) == {}
    assert client.get_order(symbol="BTCUSDT", origClientOrderId="entry")["status"] == "FILLED"
    guard = client.create_oco_order(**LIST)
    assert len(client.get_open_orders(symbol="BTCUSDT")) == 2
    leg = guard["orders"][0]["orderId"]
    assert client.cancel_order(symbol="BTCUSDT", orderId=leg)["listOrderStatus"] == "ALL_DONE"
    spent = client.order_market_buy(symbol="BTCUSDT", quoteOrderQty=150)
    assert spent["cummulativeQuoteQty"] == "150.00000000"
    assert len(client.get_my_trades(symbol="BTCUSDT")) == 2
    assert len(client.get_all_orders(symbol="BTCUSDT")) == 4
    assert client.get_asset_balance(asset="BTC")["free"] == "13.49650000"
    with pytest.raises(exceptions.BinanceAPIException) as caught:
        client.create_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity=500)
    assert (caught.value.status_code, caught.value.code) == (400, -2010)
    client.close_connection()
