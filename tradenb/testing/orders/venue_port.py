"""`VenuePort`: actions of the order machine as requests to a venue, and replies as answers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

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
from tradenb.core.orders.order_records import ZERO, Balance, Ending, FeeIn, Fill, Order, OrderType
from tradenb.core.orders.outcomes import Ended, after_query, after_submit, is_no_key
from tradenb.core.orders.snapshots import list_snapshot
from tradenb.core.orders.venue import Venue
from tradenb.testing.venue.faulty_venue import FaultyVenue
from tradenb.testing.venue.venue_faults import VenueReply
from tradenb.testing.venue.venue_records import (
    AccountAnswer,
    ListAnswer,
    OrderAnswer,
    Side,
    TestAnswer,
    VenueOrder,
    VenueTrade,
)
from tradenb.testing.venue.venue_requests import (
    CancelList,
    CancelOrder,
    Leg,
    NewList,
    NewOrder,
    QueryAccount,
    QueryAllOrders,
    QueryOpenOrders,
    QueryOrder,
    QueryTrades,
    VenueRead,
    VenueRequest,
)

_TYPES: dict[str, OrderType] = {
    "LIMIT": "ioc",
    "MARKET": "market",
    "STOP_LOSS": "stop",
    "STOP_LOSS_LIMIT": "stop_limit",
}
_ENDINGS: dict[str, Ending] = {"FILLED": "filled", "CANCELED": "cancelled", "EXPIRED": "expired"}
_PAGE = 1_000


class _Failed(Exception):
    """A part of an overview could not be read."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.text)
        self.ended = ended


class VenuePort(NamedTuple):
    """The way to one symbol of a venue.

    Attributes
    ----------
    wire : FaultyVenue
    venue : Venue
    symbol, base, quote : str
    now : callable
        Time of the exchange, ms; each request passes some of it.
    reads : int
        How often each part of a full look is tried.
    """

    wire: FaultyVenue
    venue: Venue
    symbol: str
    base: str
    quote: str
    now: Callable[[], int]
    reads: int = 3

    def submit(self, order: Order) -> Answer:
        """Send an order."""
        sent_at = order.sent_at
        window = order.dies_at - sent_at
        reply = self._call(self._request(order), sent_at=sent_at, window=window)
        found = reply.received
        match found:
            case OrderAnswer():
                return Shown(self._snapshot(found.order, found.trades))
            case ListAnswer():
                return Shown(self._of_list(order.id, found))
        return after_submit(order.id, _ended(reply), self.venue)

    def check(self, order: Order) -> NotSent | Refused | Unclear | None:
        """Have an order checked that is not placed; of a list its stop alone."""
        made = order._replace(type="stop", price=None) if order.type == "list" else order
        request = self._request(made)
        if not isinstance(request, NewOrder):
            raise TypeError(f"{order.type} orders are not checked")
        reply = self._call(request._replace(is_test=True), sent_at=order.sent_at)
        if isinstance(reply.received, TestAnswer):
            return None
        return after_submit(order.id, _ended(reply), self.venue)

    def query(self, order: Order) -> Answer:
        """Ask for an order; for a list by its legs, which alone tell what was filled."""
        if order.type != "list":
            return self._query(order.id, self._named(order))
        asked = [
            self._query(order.id, QueryOrder(self.symbol, client_id=id)) for id in order.leg_ids
        ]
        shown = [answer.order for answer in asked if isinstance(answer, Shown)]
        if len(shown) == len(asked):
            return Shown(list_snapshot(order.id, *shown))
        failed = [answer for answer in asked if isinstance(answer, QueryFailed)]
        return QueryFailed(order.id) if shown and not failed else (*failed, *asked)[0]

    def cancel(self, order: Order) -> Answer:
        """Ask for the end of an order; what became of it, a query tells."""
        if order.type == "list":
            reply = self._call(CancelList(self.symbol, client_id=order.id))
        else:
            named = self._named(order)
            reply = self._call(
                CancelOrder(self.symbol, client_id=named.client_id, order_id=named.order_id)
            )
        return Cancelled(order.id, is_no_key(_ended(reply), self.venue))

    def open_orders(self, *, trades: bool) -> Answer:
        """Read the open orders of the symbol, and its newest trades, as the port over HTTP does."""
        asked_at = self.now()
        try:
            orders = self._read(QueryOpenOrders(self.symbol), tries=1)
        except _Failed as error:
            return OpenOrdersFailed(no_key=is_no_key(error.ended, self.venue))
        found = OpenOrders(tuple(self._snapshot(each) for each in orders), (), asked_at)
        if not trades:
            return found
        try:
            newest = self._read(QueryTrades(self.symbol, limit=NEWEST_TRADES), tries=1)
        except _Failed:
            return found._replace(unread=True)
        return found._replace(fills=tuple(self._fill(each) for each in newest))

    def overview(self, since: int) -> Answer:
        """Read balance, orders and trades, as the port over HTTP does."""
        asked_at = self.now()
        since = max(since, asked_at - 86_000_000)
        try:
            account: AccountAnswer = self._read(QueryAccount())
            orders = self._pages(QueryAllOrders(self.symbol, since=since, limit=_PAGE))
            trades = self._pages(QueryTrades(self.symbol, since=since, limit=_PAGE))
        except _Failed as error:
            return OverviewFailed(no_key=is_no_key(error.ended, self.venue))
        known = {each.asset: Balance(*each) for each in account.balances}
        balances = tuple(known.get(each) or Balance(each, ZERO) for each in (self.base, self.quote))
        return Overview(
            orders=tuple(self._snapshot(each) for each in orders),
            fills=tuple(self._fill(each) for each in trades),
            base=balances[0].free + balances[0].locked,
            since=since,
            asked_at=asked_at,
            balances=balances,
        )

    def free_quote(self) -> Decimal | None:
        """Return the money that no order has locked; None: it could not be read."""
        account = self._call(QueryAccount()).received
        if not isinstance(account, AccountAnswer):
            return None
        return sum((each.free for each in account.balances if each.asset == self.quote), ZERO)

    def _call(
        self, request: VenueRequest, *, sent_at: int | None = None, window: int = 5_000
    ) -> VenueReply:
        return self.wire.call(request, at=self.now(), sent_at=sent_at, window=window)

    def _read(self, request: VenueRead, *, tries: int | None = None) -> Any:
        """Read for a full look; tried again at once, since all of it is needed."""
        for _ in range(tries or self.reads):
            reply = self._call(request)
            if reply.received is not None:
                return reply.received
        raise _Failed(_ended(reply))

    def _query(self, id: str, request: QueryOrder) -> Answer:
        reply = self._call(request)
        if isinstance(reply.received, OrderAnswer):
            return Shown(self._snapshot(reply.received.order)._replace(id=id))
        return after_query(id, _ended(reply), self.venue)

    def _named(self, order: Order) -> QueryOrder:
        if order.exchange_id is None:
            return QueryOrder(self.symbol, client_id=order.id)
        return QueryOrder(self.symbol, order_id=int(order.exchange_id))

    def _pages(self, request: QueryAllOrders | QueryTrades) -> list[Any]:
        found: list[Any] = []
        while True:
            page = self._read(request)
            found += page
            if len(page) < _PAGE:
                return found
            last: Any = page[-1]
            last_id = last.order_id if isinstance(request, QueryAllOrders) else last.trade_id
            request = request._replace(since=None, from_id=last_id + 1)

    def _request(self, order: Order) -> NewOrder | NewList:
        side: Side = "BUY" if order.side == "buy" else "SELL"
        match order.type:
            case "ioc":
                return NewOrder(
                    self.symbol, side, "LIMIT", order.quantity, order.id, order.price,
                    time_in_force="IOC",
                )  # fmt: skip
            case "market":
                return NewOrder(self.symbol, side, "MARKET", order.quantity, order.id)
            case "stop":
                return NewOrder(
                    self.symbol, side, "STOP_LOSS", order.quantity, order.id,
                    stop_price=order.trigger,
                )  # fmt: skip
            case "stop_limit":
                return NewOrder(
                    self.symbol, side, "STOP_LOSS_LIMIT", order.quantity, order.id, order.price,
                    stop_price=order.trigger, time_in_force="GTC",
                )  # fmt: skip
            case "list":
                stop, target = order.leg_ids
                return NewList(
                    self.symbol, side, order.quantity, Leg("LIMIT_MAKER", target, order.price),
                    Leg("STOP_LOSS", stop, stop_price=order.trigger), order.id,
                )  # fmt: skip

    def _snapshot(self, order: VenueOrder, trades: tuple[VenueTrade, ...] = ()) -> OrderSnapshot:
        return OrderSnapshot(
            id=order.client_id,
            exchange_id=str(order.order_id),
            ending=_ENDINGS.get(order.status),
            filled=order.executed,
            value=order.spent,
            fills=tuple(self._fill(each) for each in trades),
            list_id="" if order.list_id < 0 else str(order.list_id),
            side="buy" if order.side == "BUY" else "sell",
            type=_TYPES.get(order.type, "market"),
            quantity=order.quantity,
            price=order.price or None,
            trigger=order.stop_price or None,
        )

    def _of_list(self, id: str, found: ListAnswer) -> OrderSnapshot:
        above, below = (self._snapshot(order) for order in found.orders)
        return list_snapshot(id, stop=below, target=above)

    def _fill(self, trade: VenueTrade) -> Fill:
        currencies: dict[str, FeeIn] = {self.base: "base", self.quote: "quote"}
        return Fill(
            id=str(trade.trade_id),
            exchange_id=str(trade.order_id),
            at=trade.at,
            side="buy" if trade.side == "BUY" else "sell",
            quantity=trade.quantity,
            price=trade.price,
            fee=trade.fee,
            fee_in=currencies.get(trade.fee_asset, "other"),
            fee_asset="" if trade.fee_asset in currencies else trade.fee_asset,
        )


def _ended(reply: VenueReply) -> Ended:
    whole = reply.form == "whole" and reply.code is not None
    return Ended(left=True, whole=whole, code=str(reply.code or ""), text=reply.text)
