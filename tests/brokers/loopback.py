"""An account on loopback whose time a test moves, and the way to it by an unmodified ccxt."""

from __future__ import annotations

import asyncio
import contextlib

from tests.brokers.accounts import D
from tests.sources import T0, frame
from tests.testing.server.conftest import FLAT, HELD
from tradenb.core.orders.order_records import Order
from tradenb.core.orders.venue import BINANCE_SPOT
from tradenb.core.timeframe import MINUTE
from tradenb.exchanges.orders.order_client import OrderClient
from tradenb.exchanges.orders.order_port import OrderPort
from tradenb.exchanges.orders.spot_markets import spot_market
from tradenb.testing import ExchangeServer
from tradenb.testing.server.server_account import loopback_keys


class Clock:
    """Stands still until somebody waits."""

    def __init__(self, start):
        self.at = start

    def now(self):
        return self.at

    async def wait(self, seconds):
        self.at += round(seconds * 1000)


@contextlib.contextmanager
def account(*rows, balances=HELD, **more):
    """A server with an account, and its clock."""
    clock = Clock(T0 + 2 * MINUTE)
    candles = frame([FLAT, FLAT, FLAT, *(rows or [FLAT] * 20)])
    with ExchangeServer(candles, clock=clock, balances=balances, **more) as server:
        yield server, clock


def on(server, clock, life):
    """Run a coroutine function with a port of BTCUSDT."""

    async def run():
        options = {**server.options, **loopback_keys(), "rateLimit": 0.001}
        client = OrderClient("binance", options, now=clock.now, seconds=30.0)
        try:
            info = await client.read("public_get_exchangeinfo", {"symbol": "BTCUSDT"})
            told = await client.read("private_get_account", {})
            found = spot_market("BTCUSDT", info.answer, told.answer)
            port = OrderPort(
                client, BINANCE_SPOT, found.market, symbol="BTCUSDT", base="BTC", quote="USDT"
            )
            return await life(port)
        finally:
            await client.close()

    return asyncio.run(run())


def order(id, role="entry", *, now, **values):
    """A market order over 2 pieces, if nothing else is said."""
    side = "buy" if role == "entry" else "sell"
    usual = {"side": side, "type": "market", "quantity": D(2), "sent_at": now}
    return Order(
        id=id, signal_id="s1", role=role, attempt=1, **usual | {"dies_at": now + 3_000} | values
    )
