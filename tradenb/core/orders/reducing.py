"""Reducing orders: how a position is left, in part or whole, and how each order is sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from tradenb.core.orders.client_ids import client_id, leg_ids
from tradenb.core.orders.ledger import OrderLedger, held_quantity, is_over
from tradenb.core.orders.order_actions import Cancel, OrderAction, Reconcile, Submit, Tell, Wait
from tradenb.core.orders.order_records import ZERO, DesiredPosition, Order, OrderType, Role
from tradenb.core.orders.outcomes import cancel_at, proof_at
from tradenb.core.orders.venue import OrderMarket, Venue
from tradenb.core.signal import Time
from tradenb.core.timeframe import DAY, MINUTE

RETRIES: Final = (0, 1_000, 5_000, MINUTE)
"""Waits after so many reducing orders in a row came to nothing, ms."""
CHECK_RETRIES: Final = (500, 1_000, 2_000, 4_000, 8_000, 15_000)
CHECKS_BEFORE_TELLING: Final = 3
"""After so many failed reconciliations sales are told with estimated fees."""


class Situation(NamedTuple):
    """All that an action follows from.

    Attributes
    ----------
    wanted : DesiredPosition
    ledger : OrderLedger
    venue : Venue
    market : OrderMarket
    price : Decimal
        Last price known, quote currency.
    now : int
        Time of the exchange, ms UTC; at most what it is there.
    refused : str
        Why the gate sends no entry now; "" if it does.
    """

    wanted: DesiredPosition
    ledger: OrderLedger
    venue: Venue
    market: OrderMarket
    price: Decimal
    now: Time
    refused: str = ""

    def held(self, signal_id: str) -> Decimal:
        """Return the pieces of a signal."""
        return held_quantity(self.ledger, signal_id, self.market)

    def can_sell(self, pieces: Decimal) -> bool:
        """Tell whether so many pieces are enough for an order."""
        return self.market.pieces(pieces) >= self.market.least(self.price)


def leave(now: Situation, signal: str, reason: str) -> OrderAction | None:
    """Line 6: nothing may rest; sell what is held; tell what was sold."""
    cancel = cancel_live(now, signal)
    if cancel is not None:
        return cancel
    held = now.held(signal)
    if now.can_sell(held):
        return reduce(now, signal, "exit", held, reason)
    if is_over(now.ledger, signal, now.market):
        return None
    if not now.ledger.told(signal, "entered"):
        entry = now.ledger.of(signal, "entry")
        bought = any(order.filled > 0 for order in entry)
        if not now.ledger.told(signal, "not_entered", "exited"):
            return Tell(
                "entered" if bought else "not_entered", signal, "" if bought else "flattened"
            )
    sales = [
        order for order in now.ledger.orders if order.signal_id == signal and order.side == "sell"
    ]
    return trades_first(now, signal) or Tell("exited", signal, sale_reason(sales))


def trades_first(now: Situation, signal: str) -> OrderAction | None:
    """Read the trades of sales before they are told: their fees are known by nothing else.

    Once, when they must be visible; while that fails fees are estimated.
    """
    ledger = now.ledger
    ends = [
        order.done_at or order.seen_at or 0
        for order in ledger.orders
        if order.signal_id == signal and _lacks_trades(order)
    ]
    if not ends or ledger.checks_failed >= CHECKS_BEFORE_TELLING:
        return None
    visible = max(ends) + now.venue.visible_ms
    if ledger.checked_at is not None and ledger.checked_at >= visible:
        return None
    due = max(visible, check_at(ledger))
    return reconcile_all(ledger) if now.now >= due else Wait(due)


def _lacks_trades(order: Order) -> bool:
    sent = order.side == "sell" and order.role not in ("dust", "outside")
    return sent and order.known < order.filled


def cancel_live(now: Situation, signal: str, *, keep: Order | None = None) -> OrderAction | None:
    """Cancel what lives of a signal, one order after the other, but for one.

    Of an earlier process not before the next order may be sent: protection stays until then.
    """
    for order in now.ledger.live(signal):
        if keep is not None and order.id == keep.id:
            continue
        if now.now < cancel_at(order):
            return Wait(cancel_at(order))
        return _look_first(now, signal) or Cancel(order)
    return None


def reduce(
    now: Situation,
    signal: str,
    role: Role,
    pieces: Decimal,
    reason: str = "",
    *,
    kind: OrderType = "market",
    price: Decimal | None = None,
    trigger: Decimal | None = None,
) -> OrderAction:
    """Send the next reducing order of a role, or wait where the last ones came to nothing."""
    failed = 0
    attempts = now.ledger.of(signal, role)
    for order in reversed(attempts):
        if order.filled > 0 or order.working_at is not None:
            break
        failed += 1
    if failed:
        last = attempts[-1].done_at or 0
        at = last + RETRIES[min(failed, len(RETRIES) - 1)]
        if now.now < at:
            return Wait(at)
    return send(
        now, signal, role, kind, now.market.pieces(pieces),
        price=price, trigger=trigger, reason=reason,
    )  # fmt: skip


def send(
    now: Situation,
    signal: str,
    role: Role,
    kind: OrderType,
    pieces: Decimal,
    *,
    price: Decimal | None = None,
    trigger: Decimal | None = None,
    reason: str = "",
) -> OrderAction:
    """Send an order, after a look at what an earlier process may have sent."""
    ledger, venue = now.ledger, now.venue
    attempt = max((order.attempt for order in ledger.of(signal, role)), default=0) + 1
    order = Order(
        id=client_id(ledger.run, signal, role, attempt),
        signal_id=signal,
        role=role,
        attempt=attempt,
        side="buy" if role == "entry" else "sell",
        type=kind,
        quantity=pieces,
        price=price,
        trigger=trigger,
        reason=reason,
        leg_ids=leg_ids(ledger.run, signal, attempt) if kind == "list" else (),
        sent_at=now.now,
        dies_at=now.now + venue.window_ms,
    )
    return _look_first(now, signal) or Submit(order)


def _look_first(now: Situation, signal: str) -> OrderAction | None:
    """Look at all orders before the first one of a position that an earlier process had.

    With a full disk that process could send what it could not write down. It is looked for when
    nothing of it can arrive any more; what is found is adopted by its client id.
    """
    ledger = now.ledger
    if all(order.sent_at >= ledger.started_at for order in ledger.of(signal, "entry")):
        return None
    died_at = proof_at(ledger.started_at + now.venue.window_ms, now.venue)
    if ledger.checked_at is not None and ledger.checked_at >= died_at:
        return None
    at = max(died_at, check_at(ledger))
    return reconcile_all(ledger) if now.now >= at else Wait(at)


def sale_reason(sales: list[Order]) -> str:
    """Return why pieces were sold: the exit_reason of the last sale that filled."""
    for order in reversed(sales):
        if order.filled > 0:
            return _reason_of(order)
    return "dust"


def _reason_of(order: Order) -> str:
    if order.role == "outside":
        return "closed_outside"
    if order.role != "protection":
        return order.reason or "flattened"
    target = sum((leg.filled for leg in order.legs if leg.name == "target"), ZERO)
    return "take_profit" if target * 2 > order.filled else "stop_loss"


def check_at(ledger: OrderLedger) -> Time:
    """Return when a full reconciliation may be tried again; 0: now."""
    if ledger.check_failed_at is None:
        return 0
    place = min(ledger.checks_failed, len(CHECK_RETRIES)) - 1
    return ledger.check_failed_at + CHECK_RETRIES[place]


def reconcile_all(ledger: OrderLedger) -> Reconcile:
    """Reconcile everything since the oldest order that lives, or whose trades are not all known.

    Without one since a day before the last full look: what was sent earlier had died by then. Of
    positions that are over only some are kept, and what is older than they are is not known here.
    """
    day_before = (ledger.checked_at or 0) - DAY
    since = max(ledger.started_at, day_before)
    sent = [order.sent_at for order in ledger.orders if order.sent_at]
    sent += [
        order.sent_at
        for order in ledger.past
        if order.sent_at > day_before and order.known < order.filled
    ]
    if ledger.past:
        kept = [order.sent_at for order in ledger.past if order.sent_at]
        since = max(since, min(kept, default=since))
    return Reconcile(min(sent, default=since) - MINUTE)
