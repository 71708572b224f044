"""When an account is disarmed without a person: entries end, protection and exits go on."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from tradenb.core.orders.gate import HOUR, Arm
from tradenb.core.orders.ledger import OrderLedger, held_quantity
from tradenb.core.orders.order_records import ZERO
from tradenb.core.orders.protection import uncovered_since
from tradenb.core.orders.venue import OrderMarket
from tradenb.core.signal import Time

REFUSALS: Final = 3
"""So many refusals in a row end a permission."""
UNKNOWN: Final = 5
"""So many unknown outcomes in an hour end a permission."""
UNPROTECTED: Final = 60_000
"""A position without a stop for longer, ms, ends a permission."""


class Findings(NamedTuple):
    """What a run and its account show now.

    Attributes
    ----------
    day_result : Decimal
        Of the account: realised and open since midnight UTC, quote currency.
    sent : tuple of int
        When orders of the account were sent, ms UTC.
    unknown : tuple of int
        When outcomes of orders of the account became unknown, ms UTC.
    refusals : int
        Orders of the run that were refused in a row.
    stops : tuple of str
        What reconciliation found that nobody may go on with: `OrderLedger.stops`.
    clock_off_ms : int
        How far this machine's time of the exchange may be off.
    window_ms : int
        How long a request is valid; see `Venue.window_ms`.
    unprotected_since : int or None
        Since when a position of the run has no stop, ms UTC.
    """

    day_result: Decimal = ZERO
    sent: tuple[Time, ...] = ()
    unknown: tuple[Time, ...] = ()
    refusals: int = 0
    stops: tuple[str, ...] = ()
    clock_off_ms: int = 0
    window_ms: int = 3_000
    unprotected_since: Time | None = None


def trips(arm: Arm, findings: Findings, now: Time) -> tuple[str, ...]:
    """Return all reasons to end a permission now, as clauses; empty: it goes on.

    Parameters
    ----------
    now : int
        ms UTC.
    """
    found = [*findings.stops]
    if -findings.day_result >= arm.max_daily_loss:
        found.append(
            f"{-findings.day_result:f} lost today, max_daily_loss is {arm.max_daily_loss:f} (the "
            "loss counts until 00:00 UTC: until then arm with a higher max_daily_loss)"
        )
    if findings.refusals >= REFUSALS:
        found.append(f"{findings.refusals} orders were refused in a row")
    if (unknown := _lately(findings.unknown, now)) >= UNKNOWN:
        found.append(
            f"the outcome of {unknown} orders became unknown within an hour; each counts that long"
        )
    if (sent := _lately(findings.sent, now)) > arm.orders_an_hour:
        found.append(
            f"{sent} orders were sent within an hour, orders_an_hour is {arm.orders_an_hour}; "
            "each counts that long"
        )
    if abs(findings.clock_off_ms) * 3 > findings.window_ms:
        found.append(f"the clock is off by {abs(findings.clock_off_ms)} ms")
    since = findings.unprotected_since
    if since is not None and now - since > UNPROTECTED:
        found.append(f"a position has no stop at the exchange for {(now - since) // 1_000} s")
    return tuple(found)


def unprotected_since(ledger: OrderLedger, market: OrderMarket) -> Time | None:
    """Return since when a position of a ledger has no stop; None: each has one."""
    found = (
        uncovered_since(ledger, id, held_quantity(ledger, id, market), market)
        for id in ledger.signals()
    )
    return min((since for since in found if since is not None), default=None)


def _lately(times: tuple[Time, ...], now: Time) -> int:
    return sum(1 for at in times if at > now - HOUR)
