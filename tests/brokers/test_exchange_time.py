"""The time of the exchange jumps, or our clocks stood still: it is measured again at once."""

from __future__ import annotations

import asyncio

import pytest

import tradenb as tn
from tests.brokers.accounts import D
from tests.order_lives.live_order_life import SYMBOL
from tests.sources import MINUTE, T0, frame
from tests.testing.server.conftest import FLAT, HELD
from tradenb.brokers.spot_connection import SpotConnection
from tradenb.clock import SystemClock
from tradenb.core.orders.answers import OpenOrders, OpenOrdersFailed, Refused, Shown
from tradenb.core.orders.client_ids import client_id
from tradenb.core.orders.order_records import Order
from tradenb.testing import ExchangeServer


@pytest.fixture
def server():
    with ExchangeServer(frame([FLAT] * 60), now=T0 + 20 * MINUTE, balances=HELD) as made:
        yield made


def after_a_jump(server, jump, *actions):
    """The answers to some actions, once the time of the exchange has jumped."""
    given = server.broker(tn.Account(cash=500, percent=20))

    async def life():
        connection = SpotConnection(given, SYMBOL, SystemClock())
        port = await connection.open()
        server.skew_ms = jump
        found = [await action(port) for action in actions]
        await port.close()
        return found

    return asyncio.run(life())


def sale(attempt):
    def sell(port):
        now = port.now()
        made = Order(
            id=client_id("r", "s1", "exit", attempt), signal_id="s1", role="exit",
            attempt=attempt, side="sell", type="market", quantity=D("0.5"), sent_at=now,
            dies_at=now + 3_000,
        )  # fmt: skip
        return port.submit(made)

    return sell


def looks(port):
    return port.open_orders(trades=False)


@pytest.mark.parametrize("jump", [10_000, -10_000, 90_000], ids="{} ms".format)
def test_one_sale_is_refused_and_the_next_one_goes(server, jump):
    refused, shown = after_a_jump(server, jump, sale(1), sale(2))
    assert isinstance(refused, Refused)
    assert refused.why.startswith("-1021")
    assert isinstance(shown, Shown)
    assert shown.order.ending == "filled"


def test_one_look_fails_and_the_next_one_goes(server):
    failed, seen = after_a_jump(server, 10_000, looks, looks)
    assert isinstance(failed, OpenOrdersFailed)
    assert isinstance(seen, OpenOrders)


def test_a_time_that_is_not_told_is_asked_for_again(server):
    def unheard(port):
        server.trouble("unavailable", times=2, path="time")
        return sale(1)(port)

    first, second, third = after_a_jump(server, 10_000, unheard, sale(2), sale(3))
    assert isinstance(first, Refused)
    assert isinstance(second, Refused)
    assert isinstance(third, Shown)


@pytest.mark.parametrize("refuses", ["time", "account", "exchangeInfo"])
def test_what_could_not_be_opened_leaves_no_session_open(server, refuses):
    given = server.broker(tn.Account(cash=500, percent=20))
    server.trouble("unavailable", times=None, path=refuses)

    async def life():
        connection = SpotConnection(given, SYMBOL, SystemClock())
        assert await connection.open() is None
        return connection

    connection = asyncio.run(life())
    assert connection._client._clients == ()
    assert not connection.key_refused
    assert connection.trouble.startswith("the exchange does not ")


def test_a_refused_key_is_told_apart_from_an_exchange_that_is_away(server):
    given = server.broker(tn.Account(cash=500, percent=20))
    server.fault("drop", answer="revoked", times=None)

    async def life():
        connection = SpotConnection(given, SYMBOL, SystemClock())
        assert await connection.open() is None
        return connection.key_refused, connection.trouble

    refused, words = asyncio.run(life())
    assert refused
    assert words.startswith("the exchange refuses the key: ")
