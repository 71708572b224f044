"""What a venue answers, written as Binance's JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tradenb.testing.venue.venue_records import (
    CONDITIONAL,
    AccountAnswer,
    Answer,
    KeyAnswer,
    ListAnswer,
    OrderAnswer,
    TestAnswer,
    VenueOrder,
    VenueTrade,
)
from tradenb.testing.venue.venue_requests import CancelList, CancelOrder, NewOrder, VenueRequest


def json_of(request: VenueRequest, answer: Answer, params: dict[str, str]) -> Any:
    """Return the JSON of an answer.

    Parameters
    ----------
    request : VenueRequest
    answer : record
    params : dict of str
        Of the request; `newOrderRespType` says how much a new order is answered with.
    """
    match answer:
        case TestAnswer():
            return {}
        case OrderAnswer(order=order, trades=trades):
            if isinstance(request, NewOrder):
                return _new_order(order, trades, params.get("newOrderRespType"))
            if isinstance(request, CancelOrder):
                return _report(order, order.cancel_id)
            return _order(order)
        case ListAnswer():
            return _list(request, answer)
        case AccountAnswer():
            return _account(answer)
        case KeyAnswer():
            return _key(answer)
    return [_element(each) for each in answer]


def _element(found: VenueOrder | VenueTrade | ListAnswer) -> dict[str, Any]:
    match found:
        case VenueOrder():
            return _order(found)
        case VenueTrade():
            return _trade(found)
        case ListAnswer():
            return _list_head(found)


def _amount(value: Decimal) -> str:
    return f"{value:.8f}"


def _report(order: VenueOrder, cancel_id: str | None = None) -> dict[str, Any]:
    """Return what all answers about an order have."""
    found: dict[str, Any] = {
        "symbol": order.symbol,
        "orderId": order.order_id,
        "orderListId": order.list_id,
        "clientOrderId": order.client_id,
        "price": _amount(order.price),
        "origQty": _amount(order.quantity),
        "executedQty": _amount(order.executed),
        "origQuoteOrderQty": _amount(order.quote_quantity),
        "cummulativeQuoteQty": _amount(order.spent),
        "status": order.status,
        "timeInForce": order.time_in_force,
        "type": order.type,
        "side": order.side,
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "transactTime": order.updated_at,
    }
    if order.stop_price:
        found["stopPrice"] = _amount(order.stop_price)
    if order.status == "CANCELED":
        found["origClientOrderId"] = order.client_id
        found["clientOrderId"] = cancel_id or f"cancel-{order.order_id}"
    return found


def _new_order(
    order: VenueOrder, trades: tuple[VenueTrade, ...], kind: str | None
) -> dict[str, Any]:
    kind = kind or ("FULL" if order.type in {"LIMIT", "MARKET"} else "ACK")
    found = _report(order)
    if order.type not in CONDITIONAL:
        found["workingTime"] = order.created_at
    if kind == "ACK":
        names = ("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")
        return {name: found[name] for name in names}
    if kind == "FULL":
        found["fills"] = [
            {
                "price": _amount(trade.price),
                "qty": _amount(trade.quantity),
                "commission": _amount(trade.fee),
                "commissionAsset": trade.fee_asset,
                "tradeId": trade.trade_id,
            }
            for trade in trades
        ]
    return found


def _order(order: VenueOrder) -> dict[str, Any]:
    """Return an order as it is queried; its client id stays the first one."""
    found = _report(order) | {"clientOrderId": order.client_id}
    for name in ("transactTime", "origClientOrderId"):
        found.pop(name, None)
    return found | {
        "stopPrice": _amount(order.stop_price),
        "icebergQty": _amount(Decimal(0)),
        "time": order.created_at,
        "updateTime": order.updated_at,
        "isWorking": order.is_working or not order.is_live,
        "workingTime": order.updated_at,
    }


def _trade(trade: VenueTrade) -> dict[str, Any]:
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "orderListId": trade.list_id,
        "price": _amount(trade.price),
        "qty": _amount(trade.quantity),
        "quoteQty": _amount(trade.price * trade.quantity),
        "commission": _amount(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": trade.at,
        "isBuyer": trade.side == "BUY",
        "isMaker": trade.is_maker,
        "isBestMatch": True,
    }


def _list(request: VenueRequest, answer: ListAnswer) -> dict[str, Any]:
    found = _list_head(answer)
    if isinstance(request, CancelList | CancelOrder):
        found["orderReports"] = [_report(each, each.cancel_id) for each in answer.orders]
    elif not hasattr(request, "list_id"):
        found["orderReports"] = [_report(each) for each in answer.orders]
    return found


def _list_head(answer: ListAnswer) -> dict[str, Any]:
    held = answer.list
    return {
        "orderListId": held.list_id,
        "contingencyType": "OCO",
        "listStatusType": "EXEC_STARTED" if held.is_live else "ALL_DONE",
        "listOrderStatus": "EXECUTING" if held.is_live else "ALL_DONE",
        "listClientOrderId": held.client_id,
        "transactionTime": held.updated_at,
        "symbol": held.symbol,
        "orders": [
            {"symbol": each.symbol, "orderId": each.order_id, "clientOrderId": each.client_id}
            for each in answer.orders
        ],
    }


def _account(answer: AccountAnswer) -> dict[str, Any]:
    maker, taker = answer.maker_fee, answer.taker_fee
    return {
        "makerCommission": int(maker * 10_000),
        "takerCommission": int(taker * 10_000),
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": _amount(maker),
            "taker": _amount(taker),
            "buyer": _amount(Decimal(0)),
            "seller": _amount(Decimal(0)),
        },
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": answer.at,
        "accountType": "SPOT",
        "balances": [
            {"asset": each.asset, "free": _amount(each.free), "locked": _amount(each.locked)}
            for each in answer.balances
        ],
        "permissions": ["SPOT"],
        "uid": 1,
    }


def _key(answer: KeyAnswer) -> dict[str, Any]:
    return {
        "ipRestrict": True,
        "createTime": 0,
        "enableReading": True,
        "enableWithdrawals": answer.can_withdraw,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": False,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
        "enableSpotAndMarginTrading": answer.can_trade,
        "enablePortfolioMarginTrading": False,
    }
