"""Binance's JSON about spot orders as snapshots of ours.

A response that does not say all that is needed, in the form that is known, is `Unreadable`. Numbers
are read from text, never through a float.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from tradenb.core.orders.answers import OrderSnapshot
from tradenb.core.orders.client_ids import is_ours
from tradenb.core.orders.order_records import Balance, Ending, FeeIn, Fill, Order, OrderType, Side
from tradenb.core.orders.snapshots import list_snapshot

_TYPES: Final[dict[str, OrderType]] = {
    "LIMIT": "ioc",
    "MARKET": "market",
    "STOP_LOSS": "stop",
    "STOP_LOSS_LIMIT": "stop_limit",
}
_ENDINGS: Final[dict[str, Ending | None]] = {
    "NEW": None,
    "PENDING_NEW": None,
    "PARTIALLY_FILLED": None,
    "PENDING_CANCEL": None,
    "FILLED": "filled",
    "CANCELED": "cancelled",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
    "REJECTED": "refused",
}
_SIDES: Final[dict[str, Side]] = {"BUY": "buy", "SELL": "sell"}


class Unreadable(Exception):
    """A response is not in the form that is known."""


class SpotAnswers(NamedTuple):
    """The reader of one symbol's answers.

    Attributes
    ----------
    symbol : str
        As the exchange writes it.
    base, quote : str
    """

    symbol: str
    base: str
    quote: str

    def submitted(self, order: Order, answer: Any) -> OrderSnapshot:
        """Return what a request for an order was answered with.

        Raises
        ------
        Unreadable
            When it does not show this order.
        """
        if order.type == "list":
            return self._list(order, answer)
        snapshot = self.order(answer)
        if snapshot.id != order.id:
            raise Unreadable("the answer is about another order")
        side = order.side
        at = _whole(answer, "transactTime")
        fills = tuple(
            self._fill(fill, snapshot.exchange_id, fill.get("tradeId"), side, at)
            for fill in rows_of(answer.get("fills", []))
        )
        return snapshot._replace(fills=fills)

    def queried(self, answer: Any, params: dict[str, str]) -> OrderSnapshot:
        """Return the order that was asked for by `params`."""
        snapshot = self.order(answer)
        if params.get("orderId", snapshot.exchange_id) != snapshot.exchange_id:
            raise Unreadable("the answer is about another order")
        if params.get("origClientOrderId", snapshot.id) != snapshot.id:
            raise Unreadable("the answer is about another order")
        return snapshot

    def order(self, shown: Any) -> OrderSnapshot:
        """Return one order, without its trades."""
        if not isinstance(shown, dict) or shown.get("symbol") != self.symbol:
            raise Unreadable("the answer shows no order of this symbol")
        status, side = str(shown.get("status")), str(shown.get("side"))
        if status not in _ENDINGS or side not in _SIDES:
            raise Unreadable(f"the answer has status {status:.20} and side {side:.20}")
        list_id = shown.get("orderListId", -1)
        return OrderSnapshot(
            id=text_of(shown, "clientOrderId"),
            exchange_id=str(_whole(shown, "orderId")),
            ending=_ENDINGS[status],
            filled=number_of(shown, "executedQty"),
            value=max(number_of(shown, "cummulativeQuoteQty"), Decimal(0)),
            list_id="" if list_id == -1 else str(list_id),
            side=_SIDES[side],
            type=_TYPES.get(str(shown.get("type")), "market"),
            quantity=number_of(shown, "origQty"),
            price=number_of(shown, "price") or None,
            trigger=(number_of(shown, "stopPrice") or None) if "stopPrice" in shown else None,
        )

    def orders(self, answer: Any) -> list[OrderSnapshot]:
        """Return a page of orders; of others that cannot be read the ids, as if they rested."""
        return [self._listed(each) for each in rows_of(answer)]

    def trades(self, answer: Any) -> list[Fill]:
        """Return a page of trades."""
        found = []
        for row in rows_of(answer):
            if row.get("symbol") != self.symbol or type(row.get("isBuyer")) is not bool:
                raise Unreadable("the answer shows no trade of this symbol")
            side: Side = "buy" if row["isBuyer"] else "sell"
            order_id = str(_whole(row, "orderId"))
            found.append(self._fill(row, order_id, row.get("id"), side, _whole(row, "time")))
        return found

    def balances_of(self, answer: Any) -> tuple[Balance, Balance]:
        """Return what the account has of the base and of the quote currency."""
        if not isinstance(answer, dict):
            raise Unreadable("the answer shows no balances")
        rows = rows_of(answer.get("balances"))

        def balance(asset: str) -> Balance:
            own = [row for row in rows if row.get("asset") == asset]
            free = sum((number_of(row, "free") for row in own), Decimal(0))
            return Balance(asset, free, sum((number_of(row, "locked") for row in own), Decimal(0)))

        return balance(self.base), balance(self.quote)

    def free_quote_of(self, answer: Any) -> Decimal:
        """Return the quote currency of the account that is not locked."""
        return self.balances_of(answer)[1].free

    def _listed(self, shown: dict[str, Any]) -> OrderSnapshot:
        try:
            return self.order(shown)
        except Unreadable:
            id = text_of(shown, "clientOrderId")
            if is_ours(id) or shown.get("symbol") != self.symbol:
                raise
            return OrderSnapshot(id, str(_whole(shown, "orderId")), None)

    def _list(self, order: Order, answer: Any) -> OrderSnapshot:
        if not isinstance(answer, dict) or answer.get("listClientOrderId") != order.id:
            raise Unreadable("the answer shows no list, or another one")
        legs = {leg.id: leg for leg in self.orders(answer.get("orderReports"))}
        if {*legs} != {*order.leg_ids}:
            raise Unreadable("the answer shows other legs")
        stop, target = (legs[id] for id in order.leg_ids)
        return list_snapshot(order.id, stop, target)

    def _fill(self, row: Any, order_id: str, trade_id: Any, side: Side, at: int) -> Fill:
        if type(trade_id) is not int:
            raise Unreadable("a trade has no id")
        currencies: dict[str, FeeIn] = {self.base: "base", self.quote: "quote"}
        asset = text_of(row, "commissionAsset")
        return Fill(
            id=str(trade_id),
            exchange_id=order_id,
            at=at,
            side=side,
            quantity=number_of(row, "qty"),
            price=number_of(row, "price"),
            fee=number_of(row, "commission"),
            fee_in=currencies.get(asset, "other"),
            fee_asset="" if asset in currencies else asset,
        )


def rows_of(found: Any) -> list[dict[str, Any]]:
    """Return a list of records."""
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise Unreadable("the answer is not a list of records")
    return found


def text_of(row: dict[str, Any], name: str) -> str:
    """Return a text that is not empty."""
    found = row.get(name)
    if not isinstance(found, str) or not found:
        raise Unreadable(f"the answer has no {name}")
    return found


def _whole(row: dict[str, Any], name: str) -> int:
    found = row.get(name)
    if type(found) is not int:
        raise Unreadable(f"the answer has no {name}")
    return found


def number_of(row: dict[str, Any], name: str) -> Decimal:
    """Return a number that is written as text."""
    found = row.get(name)
    try:
        number = Decimal(found) if isinstance(found, str) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        raise Unreadable(f"the answer has no {name}")
    return number
