"""What the exchange, or the way to it, said: the inputs of `apply`.

A call that failed is one of these too. It never means "there is none".
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from tradenb.core.orders.order_records import ZERO, Balance, Ending, Fill, Leg, OrderType, Side
from tradenb.core.signal import Time

NEWEST_TRADES: Final = 100
"""So many trades of the symbol a light look reads."""


class OrderSnapshot(NamedTuple):
    """An order as the exchange shows it.

    Attributes
    ----------
    id : str
        Client id; of a list the id of the list.
    exchange_id : str
    ending : str or None
        None: it rests.
    filled, value : Decimal
        Pieces, and their worth in quote currency.
    legs : tuple of Leg
        Of a list.
    fills : tuple of Fill
        If the answer carries them.
    list_id : str
        Of a leg: exchange id of its list.
    side, type, quantity, price, trigger
        As in `Order`; needed of orders only that are not known here.
    """

    id: str
    exchange_id: str
    ending: Ending | None
    filled: Decimal = ZERO
    value: Decimal = ZERO
    legs: tuple[Leg, ...] = ()
    fills: tuple[Fill, ...] = ()
    list_id: str = ""
    side: Side = "sell"
    type: OrderType = "market"
    quantity: Decimal = ZERO
    price: Decimal | None = None
    trigger: Decimal | None = None


class NotSent(NamedTuple):
    """No byte of the request has left."""

    id: str
    why: str


class Refused(NamedTuple):
    """The exchange said, with a code of its own, that the order was not accepted.

    `would_trigger`: because the price is beyond its stop or its target already; `no_key` as of
    `QueryFailed`.
    """

    id: str
    why: str
    would_trigger: bool = False
    no_key: bool = False


class Unclear(NamedTuple):
    """A request to make an order ended without a proof of anything."""

    id: str
    why: str


class Shown(NamedTuple):
    """The exchange showed an order: the answer to a request, a query or a cancel."""

    order: OrderSnapshot


class NotFound(NamedTuple):
    """A query by client id ended with the exchange's own "there is no such order"."""

    id: str


class QueryFailed(NamedTuple):
    """A query brought no answer; `no_key`: because the exchange does not take the key for it."""

    id: str
    no_key: bool = False


class Cancelled(NamedTuple):
    """A cancel was asked for, however it ended: what became of the order, a query tells.

    `no_key` as of `QueryFailed`.
    """

    id: str
    no_key: bool = False


class OpenOrders(NamedTuple):
    """What a light look reads, of one symbol.

    Attributes
    ----------
    orders : tuple of OrderSnapshot
        All that rest, those of others as well; legs of lists one by one.
    fills : tuple of Fill
        Its newest trades, those of others as well, if they were asked for.
    asked_at : int
        The exchange time before the first of the requests, ms UTC.
    unread : bool
        The trades were asked for and could not be read.
    """

    orders: tuple[OrderSnapshot, ...]
    fills: tuple[Fill, ...]
    asked_at: Time
    unread: bool = False


class OpenOrdersFailed(NamedTuple):
    """What rests could not be read, so nothing is known; `no_key` as of `QueryFailed`."""

    no_key: bool = False


class Overview(NamedTuple):
    """All that a full reconciliation reads, of one symbol.

    Attributes
    ----------
    orders : tuple of OrderSnapshot
        All since that moment, resting or not, those of others as well; legs of lists one by one.
    fills : tuple of Fill
        All trades since the moment that was asked for.
    base : Decimal
        Pieces of the account, free and locked.
    since, asked_at : int
        The moment, and the exchange time before the first of the requests, ms UTC.
    balances : tuple of Balance
        Of the two assets of the symbol.
    """

    orders: tuple[OrderSnapshot, ...]
    fills: tuple[Fill, ...]
    base: Decimal
    since: Time
    asked_at: Time
    balances: tuple[Balance, ...] = ()


class OverviewFailed(NamedTuple):
    """One of its requests failed, so nothing is known; `no_key` as of `QueryFailed`."""

    no_key: bool = False


Answer = (
    NotSent
    | Refused
    | Unclear
    | Shown
    | NotFound
    | QueryFailed
    | Cancelled
    | OpenOrders
    | OpenOrdersFailed
    | Overview
    | OverviewFailed
)
