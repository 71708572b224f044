"""What the end of a request proves, and when an order is queried again.

An order was refused only if a whole answer says so with a code of the exchange's own list. Every
other end leaves it open: a reset, a page of a proxy, half a body, and above all an answer that
looks fine and names no order.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tradenb.core.orders.answers import NotFound, NotSent, QueryFailed, Refused, Unclear
from tradenb.core.orders.order_records import Order
from tradenb.core.orders.venue import ABSENCE_MARGIN, Venue
from tradenb.core.signal import Time
from tradenb.core.timeframe import MINUTE


class Ended(NamedTuple):
    """How a request ended that showed no order.

    Attributes
    ----------
    left : bool
        Bytes of it may have left this machine.
    whole : bool
        The answer was whole, in the exchange's own form.
    code : str
        The exchange's own, "" if there is none.
    text : str
    """

    left: bool
    whole: bool
    code: str
    text: str


def after_submit(id: str, ended: Ended, venue: Venue) -> NotSent | Refused | Unclear:
    """Return what is known of an order whose request ended without showing it."""
    words = f"{ended.code} {ended.text}".strip()[:200]
    if not ended.left:
        return NotSent(id, words)
    if not ended.whole or _says(venue.exists, ended):
        return Unclear(id, words)
    if _says(venue.would_trigger, ended):
        return Refused(id, words, would_trigger=True)
    if ended.code not in venue.refused:
        return Unclear(id, words)
    return Refused(id, words, no_key=is_no_key(ended, venue))


def after_query(id: str, ended: Ended, venue: Venue) -> NotFound | QueryFailed:
    """Return what is known of an order whose query ended without showing it."""
    if ended.whole and ended.code in venue.not_found:
        return NotFound(id)
    return QueryFailed(id, no_key=is_no_key(ended, venue))


def is_no_key(ended: Ended, venue: Venue) -> bool:
    """Tell whether the exchange said that it does not take the key."""
    return ended.whole and ended.code in venue.no_key


def _says(sentences: frozenset[str], ended: Ended) -> bool:
    return any(each == ended.code or each in ended.text for each in sentences if each)


WAITS: Final = (500, 1_000, *(2_000,) * 12, 4_000, 8_000, 15_000)
"""Between queries that changed nothing, ms; the last for ever: who gives up loses positions.

Dense for half a minute, since pieces in doubt have no stop; then an outage costs few requests.
"""
CANCEL_WAITS: Final = (1_000, 1_000, 1_000, 2_000, 5_000, 15_000)
"""Between cancels of an order that goes on resting, ms: a key or a rate limit may refuse them."""
APART: Final = 2_000
"""Two queries that find nothing prove something only so far apart, ms."""


def proof_at(dies_at: Time, venue: Venue) -> Time:
    """Return from when on a query that finds nothing is a proof."""
    return dies_at + venue.visible_ms + ABSENCE_MARGIN


def cancel_at(order: Order) -> Time:
    """Return when the end of an order may be asked for next; 0: now."""
    if order.cancelled_at is None:
        return 0
    return order.cancelled_at + CANCEL_WAITS[min(max(order.cancels, 1), len(CANCEL_WAITS)) - 1]


def is_being_cancelled(order: Order, now: Time) -> bool:
    """Tell whether its end was asked for within the last minute."""
    return order.cancelled_at is not None and now < order.cancelled_at + MINUTE


def query_at(order: Order, venue: Venue) -> Time:
    """Return when an order may be queried next."""
    if order.queried_at is None:
        return 0
    at = order.queried_at + WAITS[min(max(order.queries, 1), len(WAITS)) - 1]
    proof = proof_at(order.dies_at, venue)
    if order.missed_at is not None:
        return max(order.missed_at + APART, at)
    return min(at, proof) if order.queried_at < proof else at
