"""`LoopbackPort`: a venue reached as the real one is, by ccxt over HTTP, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

from tradenb.core.orders.answers import Answer
from tradenb.core.orders.order_records import Order
from tradenb.core.orders.venue import OrderMarket, Venue
from tradenb.core.timeframe import DAY
from tradenb.exchanges.orders.order_client import OrderClient
from tradenb.exchanges.orders.order_port import OrderPort
from tradenb.exchanges.orders.order_reply import OrderReply
from tradenb.testing.server.exchange_server import ExchangeServer
from tradenb.testing.server.server_account import loopback_keys
from tradenb.testing.venue.faulty_venue import FaultyVenue

SILENCE_S: Final = 1.0
_LONG: Final = 3_650 * DAY


class _Clock:
    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now


class _TimedClient(OrderClient):
    """A client whose requests take virtual time."""

    pass_time: Callable[[], object] = staticmethod(lambda: None)

    async def _send(self, *args: Any, **more: Any) -> OrderReply:
        self.pass_time()
        return await super()._send(*args, **more)


class LoopbackPort:
    """The way to one symbol of a venue, as `VenuePort` is; a context manager.

    Parameters
    ----------
    wire : FaultyVenue
        Its prices are its owner's; no candles move them.
    venue : Venue
    market : OrderMarket
    symbol, base, quote : str
    now : callable
        Time of the exchange, ms UTC.
    lag : int, default 0
        So much later does the client believe it is, ms.
    pass_time : callable, optional
        Called before each request.
    """

    def __init__(
        self,
        wire: FaultyVenue,
        venue: Venue,
        market: OrderMarket,
        *,
        symbol: str,
        base: str,
        quote: str,
        now: Callable[[], int],
        lag: int = 0,
        pass_time: Callable[[], object] | None = None,
    ) -> None:
        import pandas as pd

        opens = pd.to_datetime([now() + _LONG], unit="ms", utc=True).floor("min")
        prices = {key: [1.0] for key in ("open", "high", "low", "close", "volume")}
        candles = pd.DataFrame(prices, index=opens)
        self.server = ExchangeServer(candles, symbols=symbol, clock=_Clock(now), venue=wire)
        self._now = lambda: now() - lag
        self._pass_time = pass_time or (lambda: None)
        self._market = market
        self._made = (venue, symbol, base, quote)
        self._loop = asyncio.new_event_loop()
        self.port: OrderPort

    def __enter__(self) -> LoopbackPort:
        """Begin to listen."""
        self.server.start()
        # The limiter of ccxt waits in real time.
        options = {**self.server.options, **loopback_keys(), "rateLimit": 0.001}
        client = _TimedClient("binance", options, now=self._now, seconds=SILENCE_S)
        client.pass_time = self._pass_time
        venue, symbol, base, quote = self._made
        self.port = OrderPort(client, venue, self._market, symbol=symbol, base=base, quote=quote)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening."""
        self._loop.run_until_complete(self.port.client.close())
        self._loop.close()
        self.server.close()

    def submit(self, order: Order) -> Answer:
        """Send an order."""
        return self._loop.run_until_complete(self.port.submit(order))

    def query(self, order: Order) -> Answer:
        """Ask for an order."""
        return self._loop.run_until_complete(self.port.query(order))

    def cancel(self, order: Order) -> Answer:
        """Ask for the end of an order."""
        return self._loop.run_until_complete(self.port.cancel(order))

    def open_orders(self, *, trades: bool) -> Answer:
        """Read the open orders of the symbol; `trades`: and its newest trades."""
        return self._loop.run_until_complete(self.port.open_orders(trades=trades))

    def overview(self, since: int) -> Answer:
        """Read orders, trades and balance."""
        return self._loop.run_until_complete(self.port.overview(since))
