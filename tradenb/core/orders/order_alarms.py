"""What a person must hear of now; it follows from the ledger, so nothing is told that is over."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from tradenb.core.orders.ledger import OrderLedger, held_quantity
from tradenb.core.orders.protection import uncovered_since
from tradenb.core.orders.venue import OrderMarket
from tradenb.core.signal import Time

AlarmName = Literal[
    "unprotected", "unknown_outcome", "cannot_exit", "unexplained", "stopped", "no_answers"
]
UNPROTECTED: Final = 10_000
DOUBT: Final = 60_000
FAILED_EXITS: Final = 3
FAILED_CHECKS: Final = 5


class Alarm(NamedTuple):
    """An alarm of one run.

    Attributes
    ----------
    name : str
    words : str
        A sentence with the value; docs/orders.md says what to do.
    since : int or None
        ms UTC.
    """

    name: AlarmName
    words: str
    since: Time | None = None


def alarms(ledger: OrderLedger, market: OrderMarket, now: Time) -> tuple[Alarm, ...]:
    """Return all alarms that are on now."""
    found: list[Alarm] = []
    for signal in ledger.signals():
        held = held_quantity(ledger, signal, market)
        since = uncovered_since(ledger, signal, held, market)
        if since is not None and now - since >= UNPROTECTED:
            words = f"{held} pieces have no stop at the exchange for {(now - since) // 1_000} s"
            found.append(Alarm("unprotected", words, since))
        failed = 0
        for order in ledger.orders:
            if order.signal_id == signal and order.role in ("exit", "part") and order.is_done:
                failed = 0 if order.filled > 0 else failed + 1
        if failed >= FAILED_EXITS:
            found.append(Alarm("cannot_exit", f"{failed} orders to sell {held} pieces failed"))
    for order in ledger.orders:
        if order.is_in_doubt and now - order.sent_at >= DOUBT:
            words = f"the outcome of {order.role} order {order.id} is unknown"
            found.append(Alarm("unknown_outcome", words, order.sent_at))
    if ledger.checks_failed >= FAILED_CHECKS:
        words = f"{ledger.checks_failed} reconciliations in a row brought no answer"
        found.append(Alarm("no_answers", words, ledger.check_failed_at))
    found += [Alarm("unexplained", words) for words in ledger.unexplained]
    found += [Alarm("stopped", words) for words in ledger.stops]
    return tuple(found)
