"""`OrderLedger`: all orders of one run, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final, NamedTuple

from tradenb.core.orders.order_records import (
    ZERO,
    Balance,
    DesiredPosition,
    ExecutionReport,
    LegName,
    Order,
    Role,
    fees_in,
)
from tradenb.core.orders.venue import OrderMarket
from tradenb.core.signal import Time

NO_KEY: Final = "the exchange takes the key no more, or not for orders"
"""Disarms as long as it lasts: nobody can accept it."""
KEPT: Final = 50
"""So many orders of positions that are over are kept, or all of the last one."""


class OrderLedger(NamedTuple):
    """What one run knows of its orders; part of its document.

    Attributes
    ----------
    run : str
        Account, symbol, strategy and start; client ids follow from it.
    orders : tuple of Order
        Of positions that live, oldest first.
    past : tuple of Order
        Of positions that are over; all of a position or none.
    reports : tuple of ExecutionReport
        Those not consumed yet by the lifecycle, and all of positions that live.
    reports_made : int
        `seq` of the last report.
    dust : Decimal
        Pieces that were too few to sell; the next position carries them.
    started_at : int
        When this process took the ledger over, ms of the exchange.
    check_due : bool
        A full reconciliation comes before the next order.
    checked_at : int or None
        When the last good one began.
    checks_failed, checks_failed_since, check_failed_at : int, int or None, int or None
        Those that failed since, and when the first and the last of them did.
    looked_at : int or None
        When the last light look began, or failed; a full reconciliation is one too.
    looks_failed : int
        Light looks that failed in a row.
    short_at : int or None
        When the balance was first seen to be below what is held.
    short_held : Decimal
        What was held then.
    refusals : int
        Orders refused in a row.
    unexplained : tuple of str
        What a person has to accept before there are entries again.
    stops : tuple of str
        What disarms the account.
    trouble_at : int or None
        When the newest of these was found, by the clock of this machine.
    accepted : tuple of str
        What a person has accepted of these; it is not said again.
    market : OrderMarket or None
        Steps and fees as the order manager knew them last.
    balances : tuple of Balance
        Of the account, as the last good reconciliation saw them.
    armed_since : int or None
        Since when entries are permitted, as the run has told it; None: they are not.
    """

    run: str
    orders: tuple[Order, ...] = ()
    past: tuple[Order, ...] = ()
    reports: tuple[ExecutionReport, ...] = ()
    reports_made: int = 0
    dust: Decimal = ZERO
    started_at: Time = 0
    check_due: bool = True
    checked_at: Time | None = None
    checks_failed: int = 0
    checks_failed_since: Time | None = None
    check_failed_at: Time | None = None
    looked_at: Time | None = None
    looks_failed: int = 0
    short_at: Time | None = None
    short_held: Decimal = ZERO
    refusals: int = 0
    unexplained: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    trouble_at: Time | None = None
    accepted: tuple[str, ...] = ()
    market: OrderMarket | None = None
    balances: tuple[Balance, ...] = ()
    armed_since: Time | None = None

    def order(self, id: str) -> Order | None:
        """Return the order with a client id."""
        return next((order for order in self.orders if order.id == id), None)

    def of(self, signal_id: str, role: Role | LegName) -> tuple[Order, ...]:
        """Return the orders of a signal in a role, oldest first."""
        return tuple(
            order for order in self.orders if order.signal_id == signal_id and order.role == role
        )

    def live(self, signal_id: str) -> Iterator[Order]:
        """Give the orders of a signal that are not done."""
        return (
            order for order in self.orders if order.signal_id == signal_id and not order.is_done
        )

    def signals(self) -> tuple[str, ...]:
        """Return the ids of all signals with orders, oldest first."""
        return tuple(dict.fromkeys(order.signal_id for order in self.orders))

    def told(self, signal_id: str, *kinds: str) -> bool:
        """Tell whether the lifecycle was given a report of one of these kinds."""
        return any(
            report.signal_id == signal_id and report.kind in kinds for report in self.reports
        )

    def with_accepted(self, words: Iterable[str]) -> OrderLedger:
        """Return the ledger after a person accepted what nobody could explain; it is looked at."""
        known = {*words}
        before = (each for each in self.accepted if each not in known)
        unexplained = tuple(each for each in self.unexplained if each not in known)
        stops = tuple(each for each in self.stops if each not in known)
        return self._replace(
            unexplained=unexplained,
            stops=stops,
            trouble_at=self.trouble_at if unexplained or stops else None,
            accepted=(*before, *sorted(known - {NO_KEY}))[-KEPT:],
            check_due=True,
            check_failed_at=None,
        )

    def with_trouble(self, before: OrderLedger, now: Time) -> OrderLedger:
        """Return the ledger with the moment of what has come since `before` for a person to judge.

        `now` is that of this machine's clock, as the permissions of persons are dated by it.
        """
        trouble = {*self.unexplained, *self.stops}
        new = trouble - {*before.unexplained, *before.stops}
        undated = bool(trouble) and (self.trouble_at is None or self.trouble_at > now)
        return self._replace(trouble_at=now) if new or undated else self

    def with_order(self, order: Order) -> OrderLedger:
        """Return the ledger with an order put in, or in the place of the same one."""
        orders = list(self.orders)
        for at, known in enumerate(orders):
            if known.id == order.id:
                orders[at] = order
                break
        else:
            orders.append(order)
        return self._replace(orders=tuple(orders))


def held_quantity(ledger: OrderLedger, signal_id: str, market: OrderMarket) -> Decimal:
    """Return the pieces that the fills of a signal add up to; never below 0.

    A purchase whose trades are not known yet is counted less the highest fee.
    """
    held = ZERO
    for order in ledger.orders:
        if order.signal_id != signal_id:
            continue
        if order.side == "sell":
            held -= order.filled
        else:
            held += order.filled - base_fee(order, market)
    return max(held, ZERO)


def base_fee(order: Order, market: OrderMarket) -> Decimal:
    """Return the fee of a purchase that was taken in pieces, as far as is known or at most."""
    known = fees_in(order, "base")
    if order.role == "dust" or not market.fee_in_base:
        return known
    return known + max(order.filled - order.known, ZERO) * market.taker


def is_over(ledger: OrderLedger, signal_id: str, market: OrderMarket) -> bool:
    """Tell whether a signal has ended for good: it was told, nothing rests and nothing is held."""
    return (
        ledger.told(signal_id, "exited", "not_entered")
        and not any(ledger.live(signal_id))
        and held_quantity(ledger, signal_id, market) == 0
    )


def is_flat(ledger: OrderLedger | None, wanted: DesiredPosition | None) -> bool:
    """Tell whether nothing of a run is left at the exchange: all was told, and nothing rests."""
    known = () if ledger is None else ledger.signals()
    held = wanted is not None and wanted.want != "flat"
    signals = (*known, wanted.signal_id) if held and wanted is not None else known
    if ledger is None:
        return not signals
    return all(order.is_done for order in ledger.orders) and all(
        ledger.told(signal, "exited", "not_entered") for signal in signals
    )


def pruned(ledger: OrderLedger, heard: int, wanted: str, market: OrderMarket) -> OrderLedger:
    """Return the ledger with what is over moved to the past.

    Parameters
    ----------
    heard : int
        `seq` of the last report that the lifecycle consumed.
    wanted : str
        The signal of the desired position.
    """
    over = {
        signal
        for signal in ledger.signals()
        if signal != wanted
        and is_over(ledger, signal, market)
        and all(report.seq <= heard for report in ledger.reports if report.signal_id == signal)
    }
    if not over:
        return ledger
    past = [*ledger.past, *(order for order in ledger.orders if order.signal_id in over)]
    while len(past) > KEPT and past[0].signal_id != past[-1].signal_id:
        past = [order for order in past if order.signal_id != past[0].signal_id]
    return ledger._replace(
        orders=tuple(order for order in ledger.orders if order.signal_id not in over),
        past=tuple(past),
        reports=tuple(report for report in ledger.reports if report.signal_id not in over),
    )


def restarted(ledger: OrderLedger, now: Time) -> OrderLedger:
    """Return the ledger as another process takes it over: what was being sent is in doubt."""
    orders = tuple(
        order
        if order.is_done
        else order._replace(
            state="unknown" if order.state == "sending" else order.state,
            query_due=True,
            queries=0,
            queried_at=None,
        )
        for order in ledger.orders
    )
    return ledger._replace(
        orders=orders,
        started_at=now,
        check_due=True,
        checks_failed=0,
        checks_failed_since=None,
        check_failed_at=None,
        looked_at=None,
        looks_failed=0,
        short_at=None,
    )


def rewound(ledger: OrderLedger, now: Time) -> OrderLedger:
    """Return the ledger after the time of the exchange went back: nothing waits for what was later.

    Only the death of a request stays where it was: until then it may be accepted.
    """

    def earlier(at: Time | None) -> Time | None:
        return None if at is None else min(at, now)

    orders = tuple(
        order._replace(
            sent_at=min(order.sent_at, now), missed_at=earlier(order.missed_at),
            queried_at=earlier(order.queried_at), seen_at=earlier(order.seen_at),
            working_at=earlier(order.working_at), done_at=earlier(order.done_at),
            cancelled_at=earlier(order.cancelled_at),
        )
        for order in ledger.orders
    )  # fmt: skip
    return ledger._replace(
        orders=orders, started_at=min(ledger.started_at, now), check_due=True,
        checked_at=earlier(ledger.checked_at), check_failed_at=earlier(ledger.check_failed_at),
        checks_failed_since=earlier(ledger.checks_failed_since),
        looked_at=earlier(ledger.looked_at), short_at=None,
    )  # fmt: skip


def changed_orders(
    before: OrderLedger, after: OrderLedger, *, trades: bool = False
) -> tuple[Order, ...]:
    """Return the orders that are new, or have another state or filled more.

    `trades`: also those of which more trades are known, of positions that are over as well.
    """

    def course(order: Order) -> tuple[object, ...]:
        return order.state, order.ending, order.filled, trades and len(order.fills)

    known = {order.id: course(order) for order in before.orders}
    changed = (order for order in after.orders if known.get(order.id) != course(order))
    past = {order.id: course(order) for order in before.past if trades}
    late = (order for order in after.past if course(order) != past.get(order.id, course(order)))
    return (*late, *changed)
