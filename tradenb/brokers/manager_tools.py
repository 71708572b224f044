"""What an `OrderManager` needs: a run, the way to its symbol at the exchange, and tools."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, Protocol

from tradenb.brokers.arming.permission import Permission
from tradenb.brokers.order_news import TellEvent
from tradenb.core.orders.answers import Answer
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_alarms import Alarm
from tradenb.core.orders.order_records import DesiredPosition, Order
from tradenb.core.orders.venue import OrderMarket
from tradenb.engine.ports import Clock

NO_MARKET: Final = "the exchange shows no market with OCO orders"


class Port(Protocol):
    """The way to one symbol of an account."""

    @property
    def market(self) -> OrderMarket:
        """Steps and fees as they are now."""

    async def submit(self, order: Order) -> Answer:
        """Send an order."""

    async def query(self, order: Order) -> Answer:
        """Ask for an order."""

    async def cancel(self, order: Order) -> Answer:
        """Ask for the end of an order."""

    async def open_orders(self, *, trades: bool) -> Answer:
        """Read the open orders of the symbol; `trades`: and its newest trades."""

    async def overview(self, since: int) -> Answer:
        """Read orders, trades and balance."""

    async def refresh_market(self) -> bool:
        """Read the steps again; tell whether they are known now."""

    async def close(self) -> None:
        """Close the sessions."""


class ManagedRun(Protocol):
    """What a manager needs of a live run."""

    id: str
    ledger: OrderLedger | None
    alarms: tuple[Alarm, ...]
    commit_lock: asyncio.Lock
    quiet_ms: int  # so long before it began nothing was sent for it

    @property
    def known_ledger(self) -> OrderLedger | None:
        """Its orders; before the manager has begun those that it was opened with."""

    @property
    def desired(self) -> DesiredPosition | None:
        """What the state on disk wants; None: there is no such state, or it is in doubt."""

    @property
    def heard(self) -> int:
        """The last report of orders that acted in the state on disk."""

    @property
    def last_price(self) -> float | None:
        """Market price at the cursor."""

    @property
    def ledger_name(self) -> str | None:
        """Account, symbol, strategy and start; None before there is a state on disk."""


class Tools(NamedTuple):
    """What a manager works with.

    Attributes
    ----------
    open_port : callable
        Opens the way to the exchange; None while it cannot be reached.
    exchange_now : callable
        Time of the exchange, ms UTC; at most what it is there.
    clock : Clock
    commit : callable
        Puts a ledger on disk beside the last committed state; whether it survives a power loss.
    gate : callable
        Asks for an entry, and keeps the account locked until its context is left.
    note : callable
        Tells the account what the run has.
    tell : callable
        Tells of an alarm, and of a permission that begins or ends.
    update : callable
        Tells of orders that have changed.
    permission : callable
        Whether entries are permitted now.
    killed : callable
        Whether the kill switch is on.
    assure : callable
        Raises StateLocked if another process has the run, and nothing else.
    accepted : callable
        Takes the words that a person has accepted.
    why_closed : callable
        Why there is no way to the exchange, and whether because it refuses the key.
    """

    open_port: Callable[[], Awaitable[Port | None]]
    exchange_now: Callable[[], int]
    clock: Clock
    commit: Callable[[OrderLedger], Awaitable[bool]]
    gate: Callable[[DesiredPosition, OrderLedger, OrderLedger, OrderMarket], Any]
    note: Callable[[OrderLedger, OrderMarket], None]
    tell: TellEvent
    update: Callable[[tuple[Order, ...]], None]
    permission: Callable[[], Permission]
    killed: Callable[[], bool]
    assure: Callable[[], None]
    accepted: Callable[[], tuple[str, ...]] = tuple
    why_closed: Callable[[], tuple[str, bool]] = lambda: (NO_MARKET, False)
