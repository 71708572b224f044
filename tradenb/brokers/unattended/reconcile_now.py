"""`tradenb reconcile`: what the exchange has now, held against what a document says.

Looking changes nothing: a run with a process puts right by itself what it finds, at the latest
every 10 minutes, and `tradenb guard` does so for the others. Only `accepted` changes something.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final, NamedTuple

from tradenb.brokers.broker import Broker
from tradenb.brokers.broker_file import recorded_broker
from tradenb.brokers.spot_connection import SpotConnection
from tradenb.brokers.unattended.document_run import DocumentRun
from tradenb.core.orders.answers import OrderSnapshot, Overview, OverviewFailed
from tradenb.core.orders.client_ids import is_ours
from tradenb.core.orders.gate import sends_orders
from tradenb.core.orders.ledger import NO_KEY, OrderLedger, held_quantity
from tradenb.core.orders.order_records import ZERO, Order
from tradenb.core.orders.reconciliation.reconcile import reconciled
from tradenb.core.orders.reducing import reconcile_all
from tradenb.core.orders.venue import OrderMarket, Venue
from tradenb.core.signal import Time
from tradenb.engine.ports import Clock
from tradenb.errors import ExchangeError, StateError, StateLocked
from tradenb.exchanges.orders.order_port import KeyRefused
from tradenb.store.control import leave_accepted
from tradenb.store.document.ledger_record import ledger_from_record
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import Filesystem
from tradenb.store.journal.order_journal import OrderJournal
from tradenb.store.paths import Home, Key

BrokerOf = Callable[[Filesystem, Home, str], Broker]
ACCEPT_S: Final = 30.0
_LOOK_S: Final = 0.5


class Difference(NamedTuple):
    """One thing that is not the same here and there, and what becomes of it."""

    what: str
    here: str
    there: str
    then: str


class Comparison(NamedTuple):
    """A run and its account at the exchange.

    Attributes
    ----------
    key : Key
    account : str
    differences : tuple of Difference
    open : tuple of str
        What only a person can accept.
    seen : str
        What was looked at, in words.
    """

    key: Key
    account: str
    differences: tuple[Difference, ...]
    open: tuple[str, ...]
    seen: str


async def compared(
    filesystem: Filesystem,
    home: Home,
    clock: Clock,
    key: Key,
    *,
    broker_of: BrokerOf = recorded_broker,
) -> Comparison:
    """Read orders, trades and balance of a run at its exchange, and compare its document.

    Raises
    ------
    StateError
        When the run has no orders, or it is unknown how to reach its account.
    ExchangeError
        When the exchange does not answer.
    """
    account, ledger = ledger_of(filesystem, home, key)
    seen = await seen_at(broker_of(filesystem, home, account), clock, key.symbol, ledger)
    found, unknown = differences(ledger, seen)
    return Comparison(key, account, found, unknown, seen.words)


class Seen(NamedTuple):
    """What an exchange has of a symbol: all orders and trades since a moment, and the pieces."""

    overview: Overview
    market: OrderMarket
    venue: Venue
    now: Time

    @property
    def words(self) -> str:
        """What was looked at."""
        orders, fills, base = self.overview.orders, self.overview.fills, self.overview.base
        return f"{len(orders)} orders, {len(fills)} trades, {_text(base)} pieces"

    @property
    def resting(self) -> tuple[str, ...]:
        """The orders that rest, in words."""
        return tuple(_resting(each) for each in self.overview.orders if each.ending is None)


async def seen_at(broker: Broker, clock: Clock, symbol: str, ledger: OrderLedger) -> Seen:
    """Read an exchange since the oldest order that a ledger may need.

    Raises
    ------
    ExchangeError
        When it does not answer.
    """
    opened: Any = SpotConnection(broker, symbol, clock)
    if broker.connect is not None:
        opened = broker.connect(symbol, clock)
    try:
        port = await opened.open()
        seen = None if port is None else await port.overview(reconcile_all(ledger).since)
        if port is None or not isinstance(seen, Overview):
            refused = isinstance(seen, OverviewFailed) and seen.no_key
            if refused or getattr(opened, "key_refused", False):
                raise KeyRefused(
                    f"the exchange refuses the key of {broker.id}; make it valid, or set the new "
                    "one and use --new-key (docs/orders.md, key_refused)"
                )
            raise ExchangeError(f"{broker.id} cannot be read; is the exchange reachable?")
        return Seen(seen, port.market, broker.venue, port.now())
    finally:
        await opened.close()


def differences(ledger: OrderLedger, seen: Seen) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
    """Return what is not the same in a ledger and at the exchange, and what nobody can explain."""
    overview, market = seen.overview, seen.market
    after = reconciled(ledger, overview, seen.venue, market, seen.now)
    found = (
        *_of_orders(ledger, after, overview),
        *_of_others(overview),
        *_of_pieces(ledger, overview, market),
    )
    return found, (*after.unexplained, *after.stops)


def ledger_of(filesystem: Filesystem, home: Home, key: Key) -> tuple[str, OrderLedger]:
    """Return the account of a run and its orders, by its document and its order journal.

    Raises
    ------
    StateError
        When it has none.
    """
    found = read_document(filesystem, home.document(key))
    body = None
    if found is not None and sends_orders(found.body["account"]):
        body = OrderJournal(filesystem, home.orders(key)).recovered(found.body)
    if body is None or body.get("ledger") is None:
        raise StateError(f"{key.id} has no orders under {home.root}")
    return body["account"], ledger_from_record(body["ledger"])


def _of_orders(before: OrderLedger, after: OrderLedger, seen: Overview) -> Iterator[Difference]:
    """Give the orders of ours of which the exchange knows more, or nothing."""
    listed = {snapshot.id for snapshot in seen.orders}
    for order in after.orders:
        known = before.order(order.id)
        name = f"{order.role} order {order.id}"
        if known is None:
            yield Difference(name, "not known", _state(order), "is taken in")
        elif (known.state, known.filled, known.legs) != (order.state, order.filled, order.legs):
            yield Difference(name, _state(known), _state(order), "the ledger follows")
        elif not order.is_done and listed.isdisjoint((order.id, *order.leg_ids)):
            yield Difference(name, _state(known), "not shown", "is queried until that is proved")


def _of_others(seen: Overview) -> Iterator[Difference]:
    """Give the orders of others that rest there."""
    for snapshot in seen.orders:
        if not is_ours(snapshot.id) and snapshot.ending is None:
            name = f"order {snapshot.exchange_id} of somebody else"
            yield Difference(name, "-", _resting(snapshot), "is left alone")


def _of_pieces(ledger: OrderLedger, seen: Overview, market: OrderMarket) -> Iterator[Difference]:
    held = (held_quantity(ledger, signal, market) for signal in ledger.signals())
    ours = sum(held, ledger.dust)
    if seen.base < ours:
        then = "sold by somebody else, if it is still so in 10 s"
        yield Difference("pieces", _text(ours), _text(seen.base), then)
    elif seen.base > ours > ZERO:
        then = "the rest is the owner's, and is never sold"
        yield Difference("pieces", _text(ours), _text(seen.base), then)


def _state(order: Order) -> str:
    return f"{order.ending or order.state}, {_text(order.filled)} of {_text(order.quantity)} filled"


def _resting(snapshot: OrderSnapshot) -> str:
    return f"{snapshot.side} {_text(snapshot.quantity)} rests"


def _text(value: Decimal) -> str:
    return f"{value.normalize():f}"


async def accepted(
    filesystem: Filesystem,
    home: Home,
    clock: Clock,
    found: Comparison,
    *,
    sleep: Callable[[float], Any] = asyncio.sleep,
) -> str:
    """Take what nobody can explain as the owner's own; return in words what came of it.

    Raises
    ------
    StateError
        When it cannot be written.
    """
    try:
        with DocumentRun(filesystem, home, found.key, clock) as run:
            ledger = run.known_ledger
            if ledger is not None:
                run.commit_ledger(ledger.with_accepted(found.open))
            return "accepted"
    except StateLocked:
        leave_accepted(filesystem, home, found.key, found.open)
    ends = clock.monotonic() + ACCEPT_S
    while clock.monotonic() < ends:
        _, ledger = ledger_of(filesystem, home, found.key)
        # That of the key is over once the key works.
        if {*found.open} - {*ledger.accepted} <= {NO_KEY} - {*ledger.stops}:
            return "accepted by the process that has the run"
        await sleep(_LOOK_S)
    return "left for the process that has the run, which has not taken it yet; does it hang?"
