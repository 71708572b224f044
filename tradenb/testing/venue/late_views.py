"""What a venue does not show yet, twice, or with other numbers than it had.

Its databases lag behind its matching engine.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from tradenb.core.timeframe import MINUTE
from tradenb.testing.venue.spot_venue import SpotVenue
from tradenb.testing.venue.venue_records import (
    CONDITIONAL,
    ZERO,
    AccountAnswer,
    ListAnswer,
    OrderAnswer,
    VenueOrder,
    VenueRefusal,
    VenueTrade,
)
from tradenb.testing.venue.venue_requests import (
    QueryAccount,
    QueryAllOrders,
    QueryList,
    QueryOpenLists,
    QueryOpenOrders,
    QueryOrder,
    QueryTrades,
    VenueRequest,
)

_LATELY: Final = 5 * MINUTE


class LateViews:
    """Until when which orders, statuses, trades and balances are shown late."""

    def __init__(self, venue: SpotVenue) -> None:
        self._venue = venue
        self.hidden: dict[int, int] = {}
        self.statuses: dict[int, int] = {}
        self.trades: dict[int, int] = {}
        self.balance: tuple[AccountAnswer, int] | None = None
        self.doubled_until = 0
        self.changed: dict[int, Decimal] = {}

    def seen(self, request: VenueRequest, answer: Any, at: int) -> Any:
        """Return an answer as a client gets it at this moment.

        Raises
        ------
        VenueRefusal
            When what is asked for is not shown yet.
        """
        match request:
            case QueryOrder():
                if self._is_hidden(answer.order, at):
                    raise VenueRefusal(-2013, "Order does not exist.")
                return OrderAnswer(self._order(answer.order, at))
            case QueryList():
                if any(self._is_hidden(order, at) for order in answer.orders):
                    raise VenueRefusal(-2018, "Order list does not exist.")
                return answer
            case QueryOpenOrders(symbol=symbol):
                return self._open_orders(symbol, answer, at)
            case QueryAllOrders():
                return self._orders(answer, at)
            case QueryOpenLists():
                return tuple(each for each in answer if not self._is_any_hidden(each, at))
            case QueryTrades():
                return self._trades(answer, at)
            case QueryAccount():
                if self.balance is not None and self.is_balance_late(at):
                    return self.balance[0]
        if isinstance(answer, OrderAnswer) and at < self.statuses.get(answer.order.order_id, 0):
            return OrderAnswer(self._order(answer.order, at))
        return answer

    def change_newest(self, at: int) -> None:
        """Show the newest trade at another price from now on, if it is of the last minutes."""
        for trade in self._venue.trades[-1:]:
            if at - trade.at <= _LATELY:
                price = trade.price + self._venue.market(trade.symbol).tick_size
                self.changed[trade.trade_id] = price

    def is_balance_late(self, at: int) -> bool:
        """Tell whether an older balance is shown."""
        return self.balance is not None and at < self.balance[1]

    def _is_hidden(self, order: VenueOrder, at: int) -> bool:
        return at < self.hidden.get(order.order_id, 0)

    def _is_any_hidden(self, answer: ListAnswer, at: int) -> bool:
        return any(self._is_hidden(order, at) for order in answer.orders)

    def _order(self, order: VenueOrder, at: int) -> VenueOrder:
        if at >= self.statuses.get(order.order_id, 0):
            return order
        return order._replace(
            status="NEW",
            executed=ZERO,
            spent=ZERO,
            updated_at=order.created_at,
            is_working=order.type not in CONDITIONAL,
        )

    def _orders(self, orders: tuple[VenueOrder, ...], at: int) -> tuple[VenueOrder, ...]:
        return tuple(self._order(each, at) for each in orders if not self._is_hidden(each, at))

    def _open_orders(
        self, symbol: str | None, live: tuple[VenueOrder, ...], at: int
    ) -> tuple[VenueOrder, ...]:
        late = [self._venue.orders[each] for each, until in self.statuses.items() if at < until]
        ended = (each for each in late if not each.is_live and symbol in (None, each.symbol))
        return self._orders((*live, *ended), at)

    def _trades(self, trades: tuple[VenueTrade, ...], at: int) -> tuple[VenueTrade, ...]:
        found = [
            trade._replace(price=self.changed.get(trade.trade_id, trade.price))
            for trade in trades
            if at >= max(self.hidden.get(trade.order_id, 0), self.trades.get(trade.order_id, 0))
        ]
        if at < self.doubled_until:
            found = [trade for trade in found for _ in range(2)]
        return tuple(found)
