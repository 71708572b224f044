"""`ProbeAccount`: the orders of probes, and the end of whatever they leave."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final

from tradenb.brokers.closing.close_orders import Closed, Wait, close_orders
from tradenb.core.orders.answers import Answer, Overview, Refused, Shown, Unclear
from tradenb.core.orders.client_ids import PROBE_TAG
from tradenb.core.orders.order_records import ZERO, Order, OrderType, Side
from tradenb.core.orders.venue import stepped
from tradenb.core.timeframe import MINUTE
from tradenb.exchanges.orders.order_port import OrderPort
from tradenb.exchanges.orders.spot_account import read_account

NEAR: Final = Decimal("0.05")
"""Stop and target of a probe are so far from the price, as a share of it."""
FAR: Final = Decimal("0.98")
"""A purchase at this share of the price fills nothing."""
NO_POSITION: Final = "not tried: an earlier probe failed"
LOOKS: Final = 6
_LOOK_S: Final = 0.5


class Failed(Exception):
    """A rule does not hold; the words say what was seen."""


class ProbeAccount:
    """One symbol of an account that probes use.

    Parameters
    ----------
    port : OrderPort
    base : str
    price : Decimal
        Last price.
    wait : callable
        Waits a number of seconds.
    """

    def __init__(
        self, port: OrderPort, base: str, price: Decimal, *, wait: Wait = asyncio.sleep
    ) -> None:
        self.port, self.price = port, price
        self._base, self._wait = base, wait
        self._began = port.client.now()
        self._ids: set[str] = set()

    @property
    def least(self) -> Decimal:
        """The fewest pieces of an order that is not far from the price."""
        return self.port.market.least(self.price * (1 - 2 * NEAR))

    def pieces(self, wanted: Decimal) -> Decimal:
        """Return the most pieces on the step."""
        return self.port.market.pieces(wanted)

    def near(self, share: Decimal) -> Decimal:
        """Return a share of the price, on its step."""
        return stepped(self.price * share, self.port.market.price_step)

    def id(self, name: str) -> str:
        """Return the client id of a probe's order, which is cleaned up in the end."""
        key = f"{self._began} {name}".encode()
        found = PROBE_TAG + blake2b(key, digest_size=13).hexdigest()
        self._ids.add(found)
        return found

    def dates(self) -> dict[str, Any]:
        """Return when an order that is sent now is sent, and dies."""
        now = self.port.client.now()
        return {"sent_at": now, "dies_at": now + self.port.venue.window_ms}

    def order(
        self,
        name: str,
        side: Side,
        kind: OrderType,
        quantity: Decimal,
        price: Decimal | None = None,
    ) -> Order:
        """Return an order that is sent now."""
        return Order(
            id=self.id(name),
            signal_id="venue-check",
            role="entry" if side == "buy" else "exit",
            attempt=1,
            side=side,
            type=kind,
            quantity=quantity,
            price=price,
            **self.dates(),
        )

    def stop(self, name: str, quantity: Decimal) -> Order:
        """Return an order that rests below the price."""
        market, trigger = self.port.market, self.near(1 - NEAR)
        if market.stop_market:
            return self.order(name, "sell", "stop", quantity)._replace(trigger=trigger)
        limit = stepped(trigger * (1 - market.stop_gap), market.price_step)
        return self.order(name, "sell", "stop_limit", quantity, limit)._replace(trigger=trigger)

    async def overview(self) -> Overview:
        """Read orders and trades since the probes began."""
        found = await self.port.overview(self._began - MINUTE)
        if not isinstance(found, Overview):
            raise Failed("orders and trades could not be read")
        return found

    async def free(self) -> Decimal:
        """Read the pieces that are not locked."""
        account = await read_account(self.port.client)
        if account is None:
            raise Failed("the balance could not be read")
        return account.free.get(self._base, ZERO)

    async def cancelled(self, order: Order) -> str:
        """Query an order until it has ended; anything but that it was cancelled is a failure."""
        answer: Answer | None = None
        for _ in range(LOOKS):
            answer = await self.port.query(order)
            if isinstance(answer, Shown) and answer.order.ending is not None:
                break
            await self._wait(_LOOK_S)
        if not isinstance(answer, Shown) or answer.order.ending != "cancelled":
            raise Failed(f"after its cancel an order is shown as {seen(answer)}")
        return "a cancelled order is shown as cancelled"

    async def clean(self) -> Closed:
        """Cancel and sell whatever the probes left."""
        return await close_orders(
            self.port,
            self._base,
            since=self._began - MINUTE,
            mine=self._ids.__contains__,
            new_id=lambda at, number: self.id(f"clean {at} {number}"),
            wait=self._wait,
        )


def seen(answer: object) -> str:
    """Say what an exchange answered."""
    match answer:
        case Shown(order):
            state = order.ending or "open"
            return f"an order that is {state}, {order.filled:f} of {order.quantity:f} filled"
        case Refused(_, why) | Unclear(_, why):
            return why or "nothing"
        case _:
            return type(answer).__name__
