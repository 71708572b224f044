"""What a person must hear of now; it follows from the ledger, so nothing is told that is over."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from tradenb.core.orders.ledger import NO_KEY, OrderLedger, held_quantity
from tradenb.core.orders.order_records import ZERO
from tradenb.core.orders.outcomes import is_being_cancelled
from tradenb.core.orders.protection import uncovered_since
from tradenb.core.orders.venue import OrderMarket
from tradenb.core.signal import Time
from tradenb.core.timeframe import iso

AlarmName = Literal[
    "unprotected", "unknown_outcome", "cannot_exit", "unexplained", "stopped", "no_answers",
    "key_refused", "tripped", "no_market", "not_saved", "conflict", "locked_out", "failed",
    "would_refuse", "fee_left_out",
]  # fmt: skip
UNPROTECTED: Final = 10_000
DOUBT: Final = 60_000
FAILED_EXITS: Final = 3
FAILED_CANCELS: Final = 5
FAILED_CHECKS: Final = 5
CURES: Final[dict[AlarmName, str]] = {
    "unprotected": "Look at the exchange; after 30 s without a stop it is sold",
    "unknown_outcome": "Nothing to do: it is queried until its end is known",
    "cannot_exit": "Sell by hand at the exchange; it is noticed",
    "unexplained": "Find out why, then arm again: that accepts it",
    "stopped": "Find out who else uses the key, then arm again: that accepts it",
    "no_answers": "Look whether the exchange is reachable and the key valid",
    "key_refused": "Make it valid, or `tradenb reconcile NAME --new-key` with a new one; then arm",
    "tripped": "Find out why, then arm again with a new code",
    "no_market": "Look whether the exchange is reachable, and whether it takes OCO orders there",
    "not_saved": "Make room on the disk; exits and stops go on, entries wait",
    "conflict": "Decide with `tradenb resolve`",
    "locked_out": "This process sends nothing more for it; end the run here",
    "failed": "Look at the log; it is tried again",
    "fee_left_out": "Subtract it yourself, or have fees taken in the coins that are traded",
    "would_refuse": "Nothing was sent; put it right before you arm an account",
}
"""What to do about each alarm, in a sentence; docs/orders.md has a section of each name."""
OF_THE_PROCESS: Final[frozenset[AlarmName]] = frozenset(
    {"key_refused", "no_market", "not_saved", "failed"}
)
"""Those that follow from no file: a process has to say them to others."""


class Alarm(NamedTuple):
    """An alarm of one run.

    Attributes
    ----------
    name : str
    words : str
        What is wrong, with the value; the same words as long as it lasts.
    since : int or None
        ms UTC.
    about : str
        Which signal or order it is, where there may be several.
    """

    name: AlarmName
    words: str
    since: Time | None = None
    about: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Name and subject: one alarm lasts until it is over, and is told once."""
        return self.name, self.about

    @property
    def text(self) -> str:
        """What is wrong, since when, and what to do."""
        since = "" if self.since is None else f" since {iso(self.since)} UTC"
        return f"{self.words}{since}. {CURES[self.name]} (docs/orders.md, {self.name})"


def alarms(ledger: OrderLedger, market: OrderMarket, now: Time) -> tuple[Alarm, ...]:
    """Return all alarms of a ledger that are on now."""
    return tuple(_alarms(ledger, market, now))


def _alarms(ledger: OrderLedger, market: OrderMarket, now: Time) -> Iterator[Alarm]:
    for signal in ledger.signals():
        held = held_quantity(ledger, signal, market)
        pieces = f"{market.pieces(held).normalize():f} pieces"
        since = uncovered_since(ledger, signal, held, market)
        if since is not None and now - since >= UNPROTECTED:
            words = f"{pieces} have no stop at the exchange"
            since = uncovered_since(ledger, signal, held, market, of_process=False)
            yield Alarm("unprotected", words, since, signal)
        failed = 0
        for order in ledger.orders:
            if order.signal_id == signal and order.role in ("exit", "part") and order.is_done:
                failed = 0 if order.filled > 0 else failed + 1
        if failed >= FAILED_EXITS:
            words = f"{failed} orders to sell {pieces} failed"
            yield Alarm("cannot_exit", words, about=signal)
        yield from _unpriced(ledger, signal)
    for order in ledger.orders:
        rests = order.cancels >= FAILED_CANCELS and is_being_cancelled(order, now)
        if rests and not order.is_done and NO_KEY not in ledger.stops:
            words = f"the exchange does not cancel {order.role} order {order.id}, which rests"
            yield Alarm("cannot_exit", words, about=order.id)
        if order.is_in_doubt and now - order.sent_at >= DOUBT:
            words = f"the outcome of {order.role} order {order.id} is unknown"
            yield Alarm("unknown_outcome", words, order.sent_at, order.id)
    if ledger.checks_failed >= FAILED_CHECKS:
        words = f"{ledger.checks_failed} reconciliations in a row brought no answer"
        yield Alarm("no_answers", words, ledger.checks_failed_since)
    for words in ledger.unexplained:
        yield Alarm("unexplained", words, about=words)
    for words in ledger.stops:
        yield (
            Alarm("key_refused", words) if words == NO_KEY else Alarm("stopped", words, about=words)
        )


def _unpriced(ledger: OrderLedger, signal: str) -> Iterator[Alarm]:
    """Tell of fees in a third coin whose price is not known: they are in no result."""
    fees: dict[str, Decimal] = {}
    for order in ledger.orders:
        for fill in order.fills if order.signal_id == signal else ():
            if fill.fee_in == "other" and fill.fee_value is None:
                fees[fill.fee_asset] = fees.get(fill.fee_asset, ZERO) + fill.fee
    for asset, fee in fees.items():
        words = f"a fee of {fee:f} {asset or 'of a third coin'} is not in the result of {signal}"
        yield Alarm("fee_left_out", words, about=f"{signal} {asset}")
