"""The menu of faults over HTTP is the one in memory: the same books, the same things seen."""

from __future__ import annotations

import http.client
import json
from decimal import Decimal
from urllib.parse import urlencode

import pytest

from tests.conftest import some_to_soak
from tests.live.fast import until
from tests.sources import T0, frame
from tradenb.core.timeframe import MINUTE
from tradenb.testing import ExchangeServer, ServerClock
from tradenb.testing.server.binance_requests import read_request
from tradenb.testing.server.server_account import CREDENTIALS
from tradenb.testing.server.signed_requests import KEY_HEADER
from tradenb.testing.venue.faulty_venue import FaultyVenue
from tradenb.testing.venue.spot_venue import SpotVenue
from tradenb.testing.venue.venue_faults import VenueFault, every_fault
from tradenb.testing.venue.venue_records import VenueMarket

D = Decimal
M = {"symbol": "BTCUSDT"}
ENTRY = {"side": "BUY", "type": "LIMIT", "quantity": "2", "price": "101", "timeInForce": "IOC"}
LEGS = {"aboveType": "LIMIT_MAKER", "abovePrice": "110", "aboveClientOrderId": "target-1"}
LEGS |= {"belowType": "STOP_LOSS", "belowStopPrice": "95", "belowClientOrderId": "stop-1"}
GUARD = {"side": "SELL", "quantity": "1.9", "listClientOrderId": "guard-1"}
EXIT = {"side": "SELL", "type": "MARKET", "quantity": "1.9", "newClientOrderId": "exit-1"}
LIFE = [
    ("POST", "order", {**M, **ENTRY, "newClientOrderId": "entry-1"}),
    ("GET", "order", {**M, "origClientOrderId": "entry-1"}),
    ("POST", "orderList/oco", {**M, **GUARD, **LEGS}),
    ("GET", "openOrders", M),
    ("GET", "order", {**M, "origClientOrderId": "stop-1"}),
    ("DELETE", "orderList", {**M, "listClientOrderId": "guard-1"}),
    ("POST", "order", {**M, **EXIT}),
    ("GET", "myTrades", M),
    ("GET", "account", {}),
]
STEP_MINUTES = 0.05
CANDLES = frame([(100.0, 100.0, 100.0, 100.0, 2.0)] * 4)


def venue_with(fault):
    market = VenueMarket("BTCUSDT", "BTC", "USDT", D("0.1"), D("0.1"), D("0.1"))
    spot = SpotVenue([market], {"USDT": D(1000), "BTC": D(5)})
    return FaultyVenue(spot, [VenueFault(fault.kind, fault.answer, seconds=fault.seconds)])


def in_memory(fault):
    wire, at, seen = venue_with(fault), T0 + 2 * MINUTE, []
    wire.venue.set_price("BTCUSDT", D(100), at=T0)
    for method, path, params in LIFE:
        request = read_request(method, f"api/v3/{path}", params)
        reply = wire.call(request, at=at, sent_at=at, window=5000)
        what = reply.code or "whole" if reply.form == "whole" else reply.form
        gone = what in ("silence", "reset")
        seen.append((what, None if gone else reply.status, reply.retry_after))
        at += round(STEP_MINUTES * MINUTE)
    wire.advance(at)
    return books(wire.venue), seen


def over_http(fault, expected):
    """Wait for whatever answers in memory, and where nothing comes, a moment from its arrival."""
    wire, clock = venue_with(fault), ServerClock(T0 + 2 * MINUTE)
    seen = []
    with ExchangeServer(CANDLES, clock=clock, venue=wire) as server:
        for call, (what, _, _) in zip(LIFE, expected, strict=True):
            seen.append(ask(server, *call, answers=what != "silence"))
            clock.step(STEP_MINUTES)
        wire.advance(clock.now())
    return books(wire.venue), seen


def ask(server, method, path, params, *, answers):
    text = urlencode({**params, "timestamp": server.now(), "recvWindow": 5000})
    text += f"&signature={CREDENTIALS.sign(text)}"
    in_body = method == "POST"
    host = server.url.removeprefix("http://")
    connection, count = http.client.HTTPConnection(host, timeout=60), len(server.requests)
    try:
        url = f"/api/v3/{path}" + ("" if in_body else f"?{text}")
        headers = {KEY_HEADER: CREDENTIALS.key}
        connection.request(method, url, body=text if in_body else None, headers=headers)
        if not answers:
            until(lambda: len(server.requests) > count, "the request")
            connection.sock.settimeout(0.25)
        return read(connection.getresponse())
    except TimeoutError:
        return "silence", None, None
    except ConnectionError:
        return "reset", None, None
    finally:
        connection.close()


def read(response):
    wait = response.headers.get("Retry-After")
    told = response.status, None if wait is None else int(wait)
    try:
        text = response.read().decode()
    except (ConnectionError, http.client.IncompleteRead):
        return "half_body", *told
    if not text or text == "{}":
        return ("braces" if text else "empty"), *told
    if text.startswith("<"):
        return "html", *told
    try:
        found = json.loads(text)
    except ValueError:
        return "cut_json", *told
    return (found.get("code", "whole") if isinstance(found, dict) else "whole"), *told


def books(venue):
    return list(venue.orders.values()), venue.trades, venue.total("BTC"), venue.total("USDT")


@pytest.mark.parametrize("place", some_to_soak(range(4)))
def test_every_fault_leaves_the_same_books_over_http_and_in_memory(place):
    for fault in [*every_fault()][place::4]:
        books_then, seen = in_memory(fault)
        assert (fault, *over_http(fault, seen)) == (fault, books_then, seen)
