"""Reports: what the lifecycle is told, made of the fills of a signal."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from tradenb.core.orders.ledger import OrderLedger, held_quantity
from tradenb.core.orders.order_actions import Tell
from tradenb.core.orders.order_records import ZERO, ExecutionReport, Order, fees_in
from tradenb.core.orders.venue import OrderMarket
from tradenb.core.signal import Time


def told(ledger: OrderLedger, tell: Tell, market: OrderMarket, now: Time) -> OrderLedger:
    """Return the ledger with a report for the lifecycle; pieces too few to sell become dust."""
    signal = tell.signal_id
    match tell.kind:
        case "entered":
            if ledger.dust > 0:
                carried = Order(
                    id=f"dust-{signal}", signal_id=signal, role="dust", attempt=1, side="buy",
                    type="market", quantity=ledger.dust, filled=ledger.dust, state="done",
                    ending="filled", done_at=now,
                )  # fmt: skip
                ledger = ledger._replace(orders=(*ledger.orders, carried), dust=ZERO)
            bought = ledger.of(signal, "entry")
            filled = _sum(order.filled for order in bought)
            value = _sum(order.value for order in bought)
            report = ExecutionReport(
                seq=ledger.reports_made + 1,
                at=now,
                kind="entered",
                signal_id=signal,
                quantity=held_quantity(ledger, signal, market),
                average=value / filled if filled else None,
                fees=_sum(fees_in(order, "quote") for order in bought),
                estimated=any(order.known < order.filled for order in bought),
            )
        case "not_entered":
            report = ExecutionReport(
                ledger.reports_made + 1, now, "not_entered", signal, reason=tell.reason
            )
        case _:
            report = _of_sales(ledger, tell, now)
    ledger = ledger._replace(
        reports=(*ledger.reports, report), reports_made=ledger.reports_made + 1
    )
    return _with_dust(ledger, signal, market, now) if tell.kind == "exited" else ledger


def _of_sales(ledger: OrderLedger, tell: Tell, now: Time) -> ExecutionReport:
    """Return the report of what was sold since the last one."""
    signal = tell.signal_id
    sales = [
        order
        for order in ledger.orders
        if order.signal_id == signal and order.side == "sell" and order.role != "dust"
    ]
    before = [
        report
        for report in ledger.reports
        if report.signal_id == signal and report.kind == "reduced"
    ]
    quantity = _sum(order.filled for order in sales) - _sum(each.quantity for each in before)
    value = _sum(order.value for order in sales) - _sum(
        each.quantity * (each.average or ZERO) for each in before
    )
    fees = _sum(fees_in(order, "quote") for order in sales) - _sum(each.fees for each in before)
    return ExecutionReport(
        seq=ledger.reports_made + 1,
        at=now,
        kind=tell.kind,
        signal_id=signal,
        quantity=quantity,
        average=value / quantity if quantity > 0 else None,
        fees=fees,
        reason=tell.reason,
        estimated=any(order.known < order.filled for order in sales),
    )


def _with_dust(ledger: OrderLedger, signal: str, market: OrderMarket, now: Time) -> OrderLedger:
    rest = held_quantity(ledger, signal, market)
    if rest <= 0:
        return ledger
    passed = Order(
        id=f"rest-{signal}", signal_id=signal, role="dust", attempt=1, side="sell", type="market",
        quantity=rest, filled=rest, state="done", ending="filled", done_at=now,
    )  # fmt: skip
    return ledger._replace(orders=(*ledger.orders, passed), dust=ledger.dust + rest)


def _sum(values: Iterable[Decimal]) -> Decimal:
    return sum(values, ZERO)
