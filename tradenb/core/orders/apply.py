"""`apply`: what the exchange said, put into the ledger, and what the lifecycle is told of it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, assert_never

from tradenb.core.orders.answers import (
    Answer,
    Cancelled,
    NotFound,
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
from tradenb.core.orders.ledger import NO_KEY, OrderLedger, held_quantity
from tradenb.core.orders.order_actions import Tell
from tradenb.core.orders.order_records import ZERO, Ending, ExecutionReport, Order, fees_in
from tradenb.core.orders.outcomes import APART, is_being_cancelled, proof_at
from tradenb.core.orders.reconciliation.reconcile import looked, reconciled
from tradenb.core.orders.snapshots import adopted, copied, is_copy, shown, stopped
from tradenb.core.orders.venue import OrderMarket, Venue
from tradenb.core.signal import Time
from tradenb.core.timeframe import iso

LOOKS_BEFORE_CHECK: Final = 3
"""After so many light looks in a row that failed all is looked at."""


def intended(ledger: OrderLedger, order: Order) -> OrderLedger:
    """Return the ledger with an order that is about to be sent; it is committed before that."""
    return ledger.with_order(order)


def apply(
    ledger: OrderLedger, answer: Answer | Tell, venue: Venue, market: OrderMarket, now: Time
) -> OrderLedger:
    """Return the ledger after an answer.

    Parameters
    ----------
    now : int
        Time of the exchange when the answer was there, ms UTC; at most what it was.
    """
    match answer:
        case NotSent():
            return _ended(ledger, answer.id, "not_sent", answer.why, now)
        case Refused():
            ending: Ending = "would_trigger" if answer.would_trigger else "refused"
            after = _refused(_ended(ledger, answer.id, ending, answer.why, now))
            return _without_key(after, answer)
        case Unclear():
            return _unclear(ledger, answer)
        case Shown():
            return _shown(ledger, answer.order, now)
        case NotFound():
            return _not_found(ledger, answer.id, venue, now)
        case QueryFailed():
            return _not_answered(ledger, answer, now)
        case Cancelled():
            return _without_key(_cancelled(ledger, answer.id, now), answer)
        case OpenOrders():
            after = looked(ledger, answer, venue, now)
            return _unread(ledger, after) if answer.unread else after
        case Overview():
            return reconciled(ledger, answer, venue, market, now)
        case OverviewFailed() | OpenOrdersFailed():
            return _not_looked(ledger, answer, now)
        case Tell():
            return _told(ledger, answer, market, now)
        case _:
            assert_never(answer)


def _without_key(ledger: OrderLedger, answer: Refused | Cancelled | OverviewFailed) -> OrderLedger:
    """Disarm where the exchange refuses the key; a query alone only has all looked at."""
    return stopped(ledger, NO_KEY) if answer.no_key else ledger


def _ended(ledger: OrderLedger, id: str, ending: Ending, why: str, now: Time) -> OrderLedger:
    order = ledger.order(id)
    if order is None or order.is_done:
        return ledger
    return ledger.with_order(
        order._replace(state="done", ending=ending, why=why, done_at=now, query_due=False)
    )


def _refused(ledger: OrderLedger) -> OrderLedger:
    """Have all that lives looked at before the next order: a refusal means that the world moved.

    While pieces seem to be missing it is known why an order is refused: that disarms nothing.
    """
    orders = tuple(
        order if order.is_done else order._replace(query_due=True, queries=0, queried_at=None)
        for order in ledger.orders
    )
    count = ledger.refusals + (ledger.short_at is None)
    return ledger._replace(orders=orders, check_due=True, refusals=count)


def _unclear(ledger: OrderLedger, answer: Unclear) -> OrderLedger:
    order = ledger.order(answer.id)
    if order is None or order.is_done:
        return ledger
    doubted = order._replace(state="unknown", why=answer.why, query_due=True)
    return ledger.with_order(doubted)._replace(check_due=True)


def _shown(ledger: OrderLedger, snapshot: OrderSnapshot, now: Time) -> OrderLedger:
    order = ledger.order(snapshot.id) or adopted(ledger, snapshot)
    if order is None:
        return ledger
    if is_copy(order, snapshot):
        return copied(ledger, order, snapshot, now)
    after = shown(order, snapshot, now)
    refusals = 0 if order.is_in_doubt else ledger.refusals
    return ledger.with_order(after)._replace(refusals=refusals)


def _not_answered(ledger: OrderLedger, answer: QueryFailed, now: Time) -> OrderLedger:
    """Count a query without an answer; one that says the key is not valid has all looked at."""
    ledger = ledger._replace(check_due=ledger.check_due or answer.no_key)
    order = ledger.order(answer.id)
    if order is None:
        return ledger
    return ledger.with_order(order._replace(queries=order.queries + 1, queried_at=now))


def _not_looked(
    ledger: OrderLedger, answer: OverviewFailed | OpenOrdersFailed, now: Time
) -> OrderLedger:
    """Count a look without an answer; after some light ones all is looked at."""
    if isinstance(answer, OverviewFailed):
        since = now if ledger.checks_failed_since is None else ledger.checks_failed_since
        ledger = ledger._replace(
            checks_failed=ledger.checks_failed + 1,
            checks_failed_since=since,
            check_failed_at=now,
            check_due=True,
        )
        return _without_key(ledger, answer)
    failed = ledger.looks_failed + 1
    due = ledger.check_due or answer.no_key or failed >= LOOKS_BEFORE_CHECK
    return ledger._replace(looked_at=now, looks_failed=failed, check_due=due)


def _unread(before: OrderLedger, after: OrderLedger) -> OrderLedger:
    """Count a look whose trades could not be read as one without an answer; exits go on."""
    failed = before.looks_failed + 1
    due = after.check_due or failed >= LOOKS_BEFORE_CHECK
    return after._replace(looks_failed=failed, check_due=due)


def _cancelled(ledger: OrderLedger, id: str, now: Time) -> OrderLedger:
    order = ledger.order(id)
    if order is None or order.is_done:
        return ledger
    cancels = order.cancels + 1 if is_being_cancelled(order, now) else 1
    return ledger.with_order(
        order._replace(
            state="cancelling", cancelled_at=now, cancels=cancels, query_due=True, queries=0,
            queried_at=None,
        )
    )  # fmt: skip


def _not_found(ledger: OrderLedger, id: str, venue: Venue, now: Time) -> OrderLedger:
    order = ledger.order(id)
    if order is None or order.is_done:
        return ledger
    order = order._replace(queries=order.queries + 1, queried_at=now)
    apart = order.missed_at is None or now >= order.missed_at + APART
    if now >= proof_at(order.dies_at, venue) and apart:
        order = order._replace(misses=order.misses + 1, missed_at=now, queries=0)
    return ledger.with_order(order)


# --- reports: what the lifecycle is told, made of the fills of a signal --------------------------


def _told(ledger: OrderLedger, tell: Tell, market: OrderMarket, now: Time) -> OrderLedger:
    """Return the ledger with a report for the lifecycle; pieces too few to sell become dust."""
    signal = tell.signal_id
    # A clock may be set back; reports act in the order in which they were made.
    now = max(now, max((report.at for report in ledger.reports), default=0))
    match tell.kind:
        case "entered":
            if ledger.dust > 0:
                carried = Order(
                    id=f"dust-{signal}", signal_id=signal, role="dust", attempt=1, side="buy",
                    type="market", quantity=ledger.dust, filled=ledger.dust, state="done",
                    ending="filled", done_at=now,
                )  # fmt: skip
                ledger = ledger._replace(orders=(*ledger.orders, carried), dust=ZERO)
            report = _of_purchases(ledger, signal, market, now)
        case "not_entered":
            words = tell.words
            if tell.reason == "limits":  # told at a later candle, where much may have changed
                words = f"at {iso(now // 1_000 * 1_000)[11:]} UTC: {words}"
            report = ExecutionReport(
                ledger.reports_made + 1, now, "not_entered", signal, reason=tell.reason,
                words=words,
            )  # fmt: skip
        case _:
            report = _of_sales(ledger, tell, market, now)
    ledger = ledger._replace(
        reports=(*ledger.reports, report), reports_made=ledger.reports_made + 1
    )
    return _with_dust(ledger, signal, market, now) if tell.kind == "exited" else ledger


def _of_purchases(
    ledger: OrderLedger, signal: str, market: OrderMarket, now: Time
) -> ExecutionReport:
    """Report what the orders of an entry have bought."""
    bought = ledger.of(signal, "entry")
    filled = _sum(order.filled for order in bought)
    value = _sum(order.value for order in bought)
    sold = _sum(
        order.filled
        for order in ledger.orders
        if order.signal_id == signal and order.side == "sell"
    )
    return ExecutionReport(
        seq=ledger.reports_made + 1,
        at=now,
        kind="entered",
        signal_id=signal,
        quantity=held_quantity(ledger, signal, market) + sold,
        average=value / filled if filled else None,
        value=value,
        fees=_sum(fees_in(order, "quote") for order in bought),
        estimated=any(order.known < order.filled for order in bought),
        carried=_sum(order.filled for order in ledger.of(signal, "dust") if order.side == "buy"),
    )


def _sale_fees(order: Order, rate: Decimal) -> Decimal:
    """Return the fees of a sale; of pieces whose trades nobody showed at the rate of the market."""
    known = fees_in(order, "quote")
    if order.role == "outside" or order.known >= order.filled:
        return known
    return known + (order.filled - order.known) * order.value / order.filled * rate


def _gone(sales: Iterable[Order], before: Iterable[ExecutionReport]) -> str:
    """Return how pieces are counted that nobody sold, as far as no report before has told it."""
    told = "; ".join(report.words for report in before)
    found = (order.why for order in sales if order.ending == "gone" and order.why)
    return "; ".join(words for words in found if words not in told)


def _is_guess(order: Order) -> bool:
    """Tell whether nobody showed the trades of all that was sold."""
    return not order.fills if order.role == "outside" else order.known < order.filled


def _of_sales(ledger: OrderLedger, tell: Tell, market: OrderMarket, now: Time) -> ExecutionReport:
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
    value = _sum(order.value for order in sales) - _sum(each.value for each in before)
    rate = market.taker
    fees = _sum(_sale_fees(order, rate) for order in sales) - _sum(each.fees for each in before)
    return ExecutionReport(
        seq=ledger.reports_made + 1,
        at=now,
        kind=tell.kind,
        signal_id=signal,
        quantity=quantity,
        average=value / quantity if quantity > 0 else None,
        value=value,
        fees=fees,
        reason=tell.reason,
        words=_gone(sales, before),
        estimated=any(_is_guess(order) for order in sales),
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
