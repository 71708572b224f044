"""An exchange on loopback with an account, at a moment of its clock, and clients of ccxt on it."""

from __future__ import annotations

import asyncio
import contextlib

import ccxt.async_support
import pytest

from tests.sources import T0, frame
from tradenb.core.timeframe import MINUTE
from tradenb.testing import ExchangeServer, ServerClock

FLAT = (100.0, 100.5, 99.5, 100.0, 2.0)
RISE = (100.0, 111.0, 99.5, 110.0, 2.0)
FALL = (110.0, 110.5, 88.0, 90.0, 2.0)
HELD = {"USDT": 10_000, "BTC": 10}


@contextlib.contextmanager
def served(*rows, balances=HELD, **more):
    """A server whose clock stands where the third candle opens; then come the given ones."""
    candles = frame([FLAT, FLAT, FLAT, *(rows or (FLAT, FLAT))])
    clock = ServerClock(T0 + 2 * MINUTE)
    with ExchangeServer(candles, clock=clock, balances=balances, **more) as server:
        yield server


def ask(server, life, **options):
    """Run a coroutine function with an unmodified client of ccxt that has the server's time."""

    async def run():
        own = {"enableRateLimit": False, **server.options, **server.credentials, **options}
        own.pop("cache", None)
        client = ccxt.async_support.binance(own)
        client.milliseconds = server.now
        try:
            await client.load_markets()
            return await life(client)
        finally:
            await client.close()

    return asyncio.run(run())


@pytest.fixture
def server():
    with served() as made:
        yield made
