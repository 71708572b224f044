"""`VenueConnection`: a live run's way to a venue in memory, in the time of its clock.

It is to a simulated run what `SpotConnection` is to a real one: requests take time, prices go on
meanwhile, and everything that a `FaultyVenue` can do wrong, it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

from tradenb.core.orders.answers import Answer, NotSent, Refused, Unclear
from tradenb.core.orders.order_records import Order
from tradenb.core.orders.venue import BINANCE_SPOT, OrderMarket
from tradenb.testing.orders.venue_port import VenuePort
from tradenb.testing.server.price_feed import PriceFeed
from tradenb.testing.venue.faulty_venue import FaultyVenue

REQUEST_S = 0.08


class VenueConnection:
    """One symbol of a venue.

    Parameters
    ----------
    wire : FaultyVenue
    feed : PriceFeed
        Moves its prices.
    symbol : str
    now : callable
        Time of the venue, ms UTC.
    answers : callable, optional
        Whether the venue can be reached when the way is opened.
    sleep : callable, optional
        Lets the seconds pass that a request takes.
    """

    def __init__(
        self,
        wire: FaultyVenue,
        feed: PriceFeed,
        symbol: str,
        now: Callable[[], int],
        *,
        answers: Callable[[], bool] = lambda: True,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sleep = sleep
        self._answers = answers
        self._wire, self._feed, self._symbol, self._true_now = wire, feed, symbol, now
        found = wire.venue.market(symbol)
        self._quote = found.quote
        self._port = VenuePort(wire, BINANCE_SPOT, symbol, found.base, found.quote, self._passed)

    @property
    def market(self) -> OrderMarket:
        """Steps and fees as they are now."""
        found = self._wire.venue.market(self._symbol)
        return OrderMarket(
            price_step=found.tick_size,
            size_step=found.step_size,
            min_size=found.min_quantity,
            min_value=found.min_notional,
        )

    def now(self) -> int:
        """Return the time of the venue."""
        return self._true_now()

    @property
    def clock_off_ms(self) -> int:
        """How far the clock of the machine is ahead of the venue's: it is the same one."""
        return 0

    async def open(self) -> VenueConnection | None:
        """Return the open way; None where the venue cannot be reached."""
        await self._pass()
        return self if self._answers() else None

    async def submit(self, order: Order) -> Answer:
        """Send an order."""
        await self._pass()
        answer = self._port.submit(order)
        await self._pass()
        return answer

    async def check(self, order: Order) -> NotSent | Refused | Unclear | None:
        """Have an order checked that is not placed."""
        await self._pass()
        return self._port.check(order)

    async def query(self, order: Order) -> Answer:
        """Ask for an order."""
        await self._pass()
        return self._port.query(order)

    async def cancel(self, order: Order) -> Answer:
        """Ask for the end of an order."""
        await self._pass()
        return self._port.cancel(order)

    async def open_orders(self, *, trades: bool) -> Answer:
        """Read the open orders of the symbol; `trades`: and its newest trades."""
        await self._pass()
        return self._port.open_orders(trades=trades)

    async def overview(self, since: int) -> Answer:
        """Read orders, trades and balance."""
        await self._pass()
        return self._port.overview(since)

    async def refresh_market(self) -> bool:
        """Know the steps."""
        return True

    async def free(self) -> Decimal | None:
        """Return the money that no order has locked; None: it could not be read."""
        await self._pass()
        return self._port.free_quote()

    async def close(self) -> None:
        """Close nothing."""

    def _passed(self) -> int:
        now = self._true_now()
        self._feed.advance(now)
        return now

    async def _pass(self) -> None:
        await self._sleep(REQUEST_S)
