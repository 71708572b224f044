"""`OrderPort`: orders to Binance spot, and what is known after each request."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeVar

from tradenb.core.orders.answers import (
    NEWEST_TRADES,
    Answer,
    Cancelled,
    NotSent,
    OpenOrders,
    OpenOrdersFailed,
    OrderSnapshot,
    Overview,
    OverviewFailed,
    QueryFailed,
    Refused,
    Shown,
    Unclear,
)
from tradenb.core.orders.order_records import Fill, Order
from tradenb.core.orders.outcomes import Ended, after_query, after_submit, is_no_key
from tradenb.core.orders.snapshots import list_snapshot
from tradenb.core.orders.venue import OrderMarket, Venue
from tradenb.core.timeframe import DAY
from tradenb.errors import ExchangeError
from tradenb.exchanges.orders.fee_values import FeeValues
from tradenb.exchanges.orders.order_client import OrderClient
from tradenb.exchanges.orders.order_reply import OrderReply
from tradenb.exchanges.orders.spot_answers import SpotAnswers, Unreadable
from tradenb.exchanges.orders.spot_markets import SpotMarket, spot_market
from tradenb.exchanges.orders.spot_requests import (
    Params,
    leg_params,
    list_params,
    named,
    order_params,
)

T = TypeVar("T", OrderSnapshot, Fill)
Part = TypeVar("Part")
READS: Final = 3
"""Each part of an overview is tried so often."""
LOOK_S: Final = 3.0
"""A request of a light look ends after so long: what is to be sent waits for it."""
PAGE: Final = 1_000
MOST_DAYS: Final = 30
"""An overview goes back so far at most; it says from when on it is whole."""


class KeyRefused(ExchangeError):
    """The exchange does not take the key, or not from here."""


class _Failed(Exception):
    """A part of an overview could not be read."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.text)
        self.ended = ended


class OrderPort:
    """The way to one symbol of an account on Binance spot.

    Each method returns an answer, whatever happened on the way; none of them sends a request for
    an order a second time.

    Parameters
    ----------
    client : OrderClient
    venue : Venue
    market : OrderMarket
        An attribute; the owner sets it anew when the exchange has changed its steps.
    symbol : str
        As the exchange writes it: "BTCUSDT".
    base, quote : str
    """

    def __init__(
        self,
        client: OrderClient,
        venue: Venue,
        market: OrderMarket,
        *,
        symbol: str,
        base: str,
        quote: str,
    ) -> None:
        self.client, self.venue, self.market, self.symbol = client, venue, market, symbol
        self._answers = SpotAnswers(symbol, base, quote)
        self._fees = FeeValues(client, quote)

    def __repr__(self) -> str:
        return f"<OrderPort {self.client.name} {self.symbol}>"

    async def submit(self, order: Order) -> Answer:
        """Send an order, which is in a committed ledger; it dies at `order.dies_at`."""
        try:
            call, params = self._request(order)
        except ValueError as error:
            return NotSent(order.id, str(error))
        reply = await self.client.order(
            call, params, dies_at=order.dies_at, urgent=order.side == "sell"
        )
        try:
            shown = self._answers.submitted(order, reply.answer)
        except Unreadable:
            return after_submit(order.id, reply.ended, self.venue)
        return Shown(shown._replace(fills=await self._fees.valued(shown.fills)))

    async def check(self, order: Order) -> NotSent | Refused | Unclear | None:
        """Have the exchange check an order that is not placed; None: it would be accepted.

        Of a list its legs are checked one by one.
        """
        if order.type == "list":
            each = [*leg_params(order, self.symbol, self.market)]
        else:
            each = [order_params(order, self.symbol)]
        for params in each:
            reply = await self.client.order("private_post_order_test", params, urgent=False)
            if not isinstance(reply.answer, dict):
                return after_submit(order.id, reply.ended, self.venue)
        return None

    async def query(self, order: Order) -> Answer:
        """Ask for an order; for a list by its legs, which alone tell what was filled."""
        urgent = _is_urgent(order)
        if order.type != "list":
            return await self._query(order.id, named(order, self.symbol), urgent=urgent)
        asked = [
            await self._query(
                order.id, {"symbol": self.symbol, "origClientOrderId": id}, urgent=urgent
            )
            for id in order.leg_ids
        ]
        shown = [answer.order for answer in asked if isinstance(answer, Shown)]
        if len(shown) == len(asked):
            return Shown(list_snapshot(order.id, *shown))
        failed = [answer for answer in asked if isinstance(answer, QueryFailed)]
        return QueryFailed(order.id) if shown and not failed else (*failed, *asked)[0]

    async def cancel(self, order: Order) -> Answer:
        """Ask for the end of an order; what became of it, a query tells."""
        urgent = order.side == "sell"
        if order.type == "list":
            params = {"symbol": self.symbol, "listClientOrderId": order.id}
            reply = await self.client.order("private_delete_orderlist", params, urgent=urgent)
        else:
            params = named(order, self.symbol)
            reply = await self.client.order("private_delete_order", params, urgent=urgent)
        return Cancelled(order.id, is_no_key(reply.ended, self.venue))

    async def open_orders(self, *, trades: bool) -> Answer:
        """Read the open orders of the symbol; `trades`: and its newest trades."""
        asked_at, params = self.client.now(), {"symbol": self.symbol}
        read = self._answers
        try:
            orders = await self._look("private_get_openorders", params, read.orders)
        except _Failed as error:
            return OpenOrdersFailed(no_key=is_no_key(error.ended, self.venue))
        found = OpenOrders(tuple(orders), (), asked_at)
        if not trades:
            return found
        params["limit"] = str(NEWEST_TRADES)
        try:
            fills = await self._look("private_get_mytrades", params, read.trades)
        except _Failed:
            return found._replace(unread=True)
        return found._replace(fills=tuple(fills))

    async def overview(self, since: int) -> Answer:
        """Read balance, orders and trades; `since` is ms UTC.

        In this order: of a sale meanwhile the orders may know what the balance does not, which
        looks like more pieces, and never the balance alone, which looks like missing ones.
        """
        asked_at = self.client.now()
        since = max(since, asked_at - MOST_DAYS * DAY)
        try:
            balances = await self._read("private_get_account", {}, self._answers.balances_of)
            orders = await self._pages(
                "private_get_allorders", since, asked_at, "orderId", self._answers.orders
            )
            fills = await self._pages(
                "private_get_mytrades", since, asked_at, "fromId", self._answers.trades
            )
        except _Failed as error:
            return OverviewFailed(no_key=is_no_key(error.ended, self.venue))
        base = balances[0].free + balances[0].locked
        fills = [*await self._fees.valued(fills)]
        return Overview(tuple(orders), tuple(fills), base, since, asked_at, balances)

    async def market_now(self) -> SpotMarket | None:
        """Read the market with its steps and the fee of the account; None: it could not be read."""
        info = await self.client.read("public_get_exchangeinfo", {"symbol": self.symbol})
        account = await self.client.read("private_get_account", {})
        try:
            return spot_market(self.symbol, info.answer, account.answer)
        except Unreadable:
            return None

    async def free_quote(self) -> Decimal | None:
        """Return the quote currency that is not locked; None: it could not be read."""
        reply = await self.client.read("private_get_account", {})
        try:
            return self._answers.free_quote_of(reply.answer)
        except Unreadable:
            return None

    def _request(self, order: Order) -> tuple[str, Params]:
        if order.type == "list":
            return "private_post_orderlist_oco", list_params(order, self.symbol, self.market)
        return "private_post_order", order_params(order, self.symbol)

    async def _query(self, id: str, params: Params, *, urgent: bool) -> Answer:
        reply: OrderReply = await self.client.read("private_get_order", params, urgent=urgent)
        try:
            return Shown(self._answers.queried(reply.answer, params)._replace(id=id))
        except Unreadable:
            return after_query(id, reply.ended, self.venue)

    async def _look(self, call: str, params: Params, read: Callable[[Any], Part]) -> Part:
        """Read a part of a light look; the next one is soon."""
        reply = await self.client.read(call, params, seconds=LOOK_S)
        with contextlib.suppress(Unreadable):
            return read(reply.answer)
        raise _Failed(reply.ended)

    async def _read(self, call: str, params: Params, read: Callable[[Any], Part]) -> Part:
        """Read a part of an overview; tried again at once, since all of it is needed."""
        for _ in range(READS):
            reply = await self.client.read(call, params)
            with contextlib.suppress(Unreadable):
                return read(reply.answer)
        raise _Failed(reply.ended)

    async def _pages(
        self, call: str, since: int, until: int, next_id: str, read: Callable[[Any], list[T]]
    ) -> list[T]:
        """Read all since a moment: days until one has something, and all that follows by ids.

        So a position of weeks costs no more than one of hours.
        """
        found: list[T] = []
        params = {"symbol": self.symbol, "limit": str(PAGE)}
        for day in range(since, until + 1, DAY):
            span = {"startTime": str(day), "endTime": str(day + DAY - 1)}
            page = await self._read(call, params | span, read)
            found += page
            while len(page) >= PAGE or (page and day + DAY <= until):
                last = max(_id_of(each) for each in page)
                page = await self._read(call, {**params, next_id: str(last + 1)}, read)
                found += page
                if len(page) < PAGE:
                    return found
        return found


async def open_spot_port(client: OrderClient, venue: Venue, symbol: str) -> OrderPort:
    """Return the way to a symbol.

    Raises
    ------
    KeyRefused
        When the exchange does not take the key.
    ExchangeError
        When its market cannot be read, or stop and target cannot rest there as one order.
    """
    info = await client.read("public_get_exchangeinfo", {"symbol": symbol})
    account = await client.read("private_get_account", {})
    if is_no_key(account.ended, venue):
        raise KeyRefused(f"the exchange refuses the key: {account.ended.text}")
    try:
        found = spot_market(symbol, info.answer, account.answer)
    except Unreadable as error:
        why = info.ended.text if info.answer is None else account.ended.text
        words = str(error) if None not in (info.answer, account.answer) else why
        raise ExchangeError(
            f"the exchange does not show {symbol} and its account: {words}"
        ) from None
    if venue.lists and not found.lists:
        raise ExchangeError(f"the exchange takes no OCO orders for {symbol}")
    return OrderPort(client, venue, found.market, symbol=symbol, base=found.base, quote=found.quote)


def _is_urgent(order: Order) -> bool:
    """Tell whether a query stands before a sale, so that it does not wait for a rate limit."""
    return order.side == "sell" and (order.state != "working" or order.query_due)


def _id_of(found: OrderSnapshot | Fill) -> int:
    return int(found.exchange_id if isinstance(found, OrderSnapshot) else found.id)
