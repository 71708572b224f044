"""A way to one symbol of an account for commands that look or clean up, outside of any run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from tradenb.brokers.broker import VENUES
from tradenb.clock import SystemClock
from tradenb.errors import ExchangeError, unknown
from tradenb.exchanges.ccxt.server_time import ServerTime
from tradenb.exchanges.orders.order_client import OrderClient
from tradenb.exchanges.orders.order_port import OrderPort
from tradenb.exchanges.orders.spot_answers import Unreadable
from tradenb.exchanges.orders.spot_markets import SpotMarket, spot_market


class AccountPort(NamedTuple):
    """An open way to a symbol.

    Attributes
    ----------
    port : OrderPort
    market : SpotMarket
        As it was when the way was opened.
    clock_ahead_ms : int
        How far this machine's clock is ahead of the exchange's.
    clock_unsure_ms : int
        How far that may be from the truth: half of the quickest answer's way.
    """

    port: OrderPort
    market: SpotMarket
    clock_ahead_ms: int
    clock_unsure_ms: int


@asynccontextmanager
async def account_port(
    exchange: str, options: Mapping[str, Any], symbol: str
) -> AsyncIterator[AccountPort]:
    """Open the way to a symbol, and close it in the end.

    Raises
    ------
    ExchangeError
        When the exchange does not answer, or does not take the key.
    """
    if exchange not in VENUES:
        raise unknown("exchange for orders", exchange, VENUES)
    clock = SystemClock()
    time = ServerTime(clock.now, clock.monotonic)
    client = OrderClient(exchange, options, now=time.now)
    try:
        if not await time.measure(client.server_time):
            raise ExchangeError(f"{exchange} does not say its time; is it reachable?")
        info = await client.read("public_get_exchangeinfo", {"symbol": symbol})
        account = await client.read("private_get_account", {})
        try:
            market = spot_market(symbol, info.answer, account.answer)
        except Unreadable as error:
            words = account.ended.text if account.answer is None else str(error)
            raise ExchangeError(f"{exchange} gave no account for {symbol}: {words}") from None
        venue = VENUES[exchange]._replace(lists=market.lists)
        port = OrderPort(
            client, venue, market.market, symbol=symbol, base=market.base, quote=market.quote
        )
        yield AccountPort(port, market, time.ahead_ms or 0, time.unsure_ms)
    finally:
        await client.close()
