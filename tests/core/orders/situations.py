"""Ledgers and situations of the order machine that tests start from."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tradenb.core.orders.apply import apply, intended
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.next_action import next_action
from tradenb.core.orders.order_actions import OrderAction, Submit, Tell
from tradenb.core.orders.order_records import DesiredPosition, Order
from tradenb.core.orders.reducing import Situation
from tradenb.core.orders.venue import BINANCE_SPOT, OrderMarket

NOW = 1_767_225_600_000
MARKET = OrderMarket(
    price_step=Decimal("0.01"), size_step=Decimal("0.001"), min_size=Decimal("0.001"),
    min_value=Decimal(5), fee_in_base=False,
)  # fmt: skip
ENTER = DesiredPosition(
    want="enter", signal_id="s1", since=NOW, quantity=Decimal(2), limit=Decimal("100.2"),
    stop=Decimal(95), target=Decimal(110),
)  # fmt: skip
HOLD = ENTER._replace(want="hold")
EXIT = ENTER._replace(want="exit", reason="strategy")


def order(role: str = "entry", attempt: int = 1, **values: Any) -> Order:
    """An order of s1; an entry of two pieces at 100 that was filled, if nothing else is said."""
    usual: dict[str, Any] = {
        "id": f"{role}-{attempt}",
        "signal_id": "s1",
        "side": "buy" if role == "entry" else "sell",
        "type": {"entry": "ioc", "protection": "stop"}.get(role, "market"),
        "quantity": Decimal(2),
        "trigger": Decimal(95) if role == "protection" else None,
        "sent_at": NOW,
        "dies_at": NOW + 3_000,
        "seen_at": NOW,
    }
    if role == "entry":
        usual |= {"state": "done", "ending": "filled", "filled": Decimal(2)}
        usual |= {"value": Decimal(200), "done_at": NOW}
    return Order(role=role, attempt=attempt, **(usual | values))  # type: ignore[arg-type]


def working(role: str = "protection", attempt: int = 1, **values: Any) -> Order:
    """An order that rests since a minute."""
    return order(role, attempt, state="working", working_at=NOW, exchange_id="7", **values)


def ledger(*orders: Order, told: tuple[str, ...] = (), **values: Any) -> OrderLedger:
    """A ledger that was checked a moment ago, and told the lifecycle some reports."""
    usual: dict[str, Any] = {"check_due": False, "checked_at": NOW + 4_002, "started_at": NOW - 1}
    usual["looked_at"] = NOW
    found = OrderLedger("sandbox BTCUSDT dip 0", orders=orders, **(usual | values))
    for kind in told:
        found = apply(found, Tell(kind, "s1"), BINANCE_SPOT, MARKET, NOW)  # type: ignore[arg-type]
    return found


def situation(found: OrderLedger, wanted: DesiredPosition = HOLD, **values: Any) -> Situation:
    usual: dict[str, Any] = {"now": NOW + 5_000, "price": Decimal(100), "market": MARKET}
    return Situation(wanted, found, BINANCE_SPOT, **(usual | values))


def action(found: OrderLedger, wanted: DesiredPosition = HOLD, **values: Any) -> OrderAction:
    return next_action(situation(found, wanted, **values))


def heard(found: OrderLedger, answer: Any, at: int = NOW + 5_000) -> OrderLedger:
    return apply(found, answer, BINANCE_SPOT, MARKET, at)


def sent(found: OrderLedger, submit: OrderAction) -> OrderLedger:
    assert isinstance(submit, Submit)
    return intended(found, submit.order)
