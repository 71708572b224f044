"""`SpotConnection`: one run's way to its account, and the time of the exchange."""

from __future__ import annotations

from collections.abc import Awaitable
from decimal import Decimal

from tradenb.brokers.broker import Broker
from tradenb.core.orders.answers import Answer, NotSent, Refused, Unclear
from tradenb.core.orders.order_records import Order
from tradenb.core.orders.venue import OrderMarket
from tradenb.engine.ports import Clock
from tradenb.errors import ExchangeError
from tradenb.exchanges.ccxt.server_time import ServerTime
from tradenb.exchanges.orders.order_client import OrderClient
from tradenb.exchanges.orders.order_port import KeyRefused, OrderPort, open_spot_port


class SpotConnection:
    """A port to one symbol that is opened when the exchange answers.

    Parameters
    ----------
    broker : Broker
    symbol : str
        As the exchange writes it.
    clock : Clock

    Attributes
    ----------
    trouble : str
        Why it could not be opened.
    key_refused : bool
        Because the exchange does not take the key.
    """

    def __init__(self, broker: Broker, symbol: str, clock: Clock) -> None:
        self._broker, self._symbol, self._clock = broker, symbol, clock
        self._time = ServerTime(clock.now, clock.monotonic)
        self._client = OrderClient(broker.exchange, broker.options, now=self._time.now)
        self._port: OrderPort | None = None
        self.trouble, self.key_refused = "", False

    @property
    def market(self) -> OrderMarket:
        """Steps and fees as they are now."""
        return self._opened.market

    @property
    def _opened(self) -> OrderPort:
        if self._port is None:
            raise RuntimeError("the connection is not open")
        return self._port

    def now(self) -> int:
        """Return the time of the exchange, ms UTC; at most what it is there."""
        return self._time.now()

    @property
    def clock_off_ms(self) -> int:
        """How far this machine's clock is ahead of the exchange's, at least; negative: behind."""
        return self._time.surely_ahead_ms

    async def open(self) -> SpotConnection | None:
        """Measure the time and read the market; None while the exchange does not answer."""
        try:
            if not await self._measure():
                raise ExchangeError("the exchange does not answer")
            self._port = await open_spot_port(self._client, self._broker.venue, self._symbol)
        except ExchangeError as error:
            self.trouble, self.key_refused = str(error), isinstance(error, KeyRefused)
            return None
        finally:
            if self._port is None:  # nobody closes what was not opened
                await self.close()
        return self

    async def submit(self, order: Order) -> Answer:
        """Send an order; with a broker that sends none it stays here."""
        if not self._broker.sends_orders:
            return NotSent(order.id, f"mode {self._broker.mode!r} sends no orders")
        return await self._timely(self._opened.submit(order))

    async def check(self, order: Order) -> NotSent | Refused | Unclear | None:
        """Have the exchange check an order that is not placed; None: it would be accepted."""
        if self._time.is_due:
            await self._measure()
        return await self._opened.check(order)

    async def query(self, order: Order) -> Answer:
        """Ask for an order."""
        return await self._timely(self._opened.query(order))

    async def cancel(self, order: Order) -> Answer:
        """Ask for the end of an order."""
        return await self._timely(self._opened.cancel(order))

    async def open_orders(self, *, trades: bool) -> Answer:
        """Read the open orders of the symbol; `trades`: and its newest trades."""
        return await self._timely(self._opened.open_orders(trades=trades))

    async def overview(self, since: int) -> Answer:
        """Read orders, trades and balance; measure the time first where that is due."""
        if self._time.is_due:
            await self._measure()
        return await self._timely(self._opened.overview(since))

    async def refresh_market(self) -> bool:
        """Read the steps again, which an exchange may change; tell whether they are known now."""
        found = await self._opened.market_now()
        if found is None:
            return False
        self._opened.market = found.market
        return True

    async def free(self) -> Decimal | None:
        """Return the quote currency that is not locked; None: it could not be read."""
        return await self._opened.free_quote()

    async def close(self) -> None:
        """Close the sessions."""
        await self._client.close()

    async def _timely(self, asked: Awaitable[Answer]) -> Answer:
        """Return an answer; where the exchange refused the time of a request it is measured again.

        Both of our clocks stand still while a virtual machine does. One measurement that is a
        minute off is not believed, two are.
        """
        answer = await asked
        if self._client.was_untimely:
            measured = await self._measure() or await self._measure()
            self._client.was_untimely = not measured
        return answer

    async def _measure(self) -> bool:
        return await self._time.measure(self._client.server_time)
