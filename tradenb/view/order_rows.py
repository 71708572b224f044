"""An order in words, as the tables of the dashboard and of the command line show it."""

from __future__ import annotations

from typing import Final

from tradenb.core.orders.order_records import Order
from tradenb.core.signal import Time
from tradenb.core.timeframe import iso
from tradenb.view.formatting import price

ORDER_HEAD: Final = ("sent (UTC)", "role", "order", "state", "filled", "note")


def order_row(order: Order) -> tuple[str, ...]:
    """Return the cells of an order, below `ORDER_HEAD`; of dust, which nobody sent, when it was."""
    if order.role == "dust":
        what = "left over (too small to sell)" if order.side == "sell" else "taken over from before"
        words = f"{order.quantity.normalize():f} {what}"
        return (_second(order.done_at), order.role, words, order.state, "", order.why or "")
    if order.ending == "gone":
        words = f"{order.quantity.normalize():f} that no trade shows"
        return (_second(order.done_at), order.role, words, "gone", "", order.why or "")
    attempt = f" {order.attempt}" if order.attempt > 1 else ""
    filled = ""
    if order.filled:
        average = float(order.value / order.filled)
        filled = f"{order.filled.normalize():f} at {price(average)}"
    return (
        _second(order.sent_at),
        order.role + attempt,
        f"{order.side} {order.quantity.normalize():f} {_terms(order)}",
        order.ending.replace("_", " ") if order.ending else order.state,
        filled,
        order.why or "",
    )


def _second(at: Time | None) -> str:
    return iso(at // 1_000 * 1_000) if at else ""


def _terms(order: Order) -> str:
    limit = "" if order.price is None else price(float(order.price))
    trigger = "" if order.trigger is None else price(float(order.trigger))
    match order.type:
        case "ioc":
            return f"up to {limit}" if order.side == "buy" else f"down to {limit}"
        case "market":
            return "at market"
        case "stop":
            return f"if {trigger} is touched"
        case "stop_limit":
            return f"if {trigger} is touched, at {limit} or better"
        case "list":
            return f"stop {trigger}, target {limit}"
