"""When an order is queried again, and from when on "not found" begins to prove something."""

from __future__ import annotations

from typing import Final

from tradenb.core.orders.order import Order
from tradenb.core.orders.venue import ABSENCE_MARGIN, Venue
from tradenb.core.signal import Time

WAITS: Final = (500, 1_000, 2_000, 4_000, 8_000, 15_000)
"""Between queries that changed nothing, ms; the last for ever: who gives up loses positions."""
APART: Final = 2_000
"""Two queries that find nothing prove something only so far apart, ms."""


def proof_at(dies_at: Time, venue: Venue) -> Time:
    """Return from when on a query that finds nothing is a proof."""
    return dies_at + venue.visible_ms + ABSENCE_MARGIN


def query_at(order: Order, venue: Venue) -> Time:
    """Return when an order may be queried next."""
    if order.queried_at is None:
        return 0
    at = order.queried_at + WAITS[min(max(order.queries, 1), len(WAITS)) - 1]
    proof = proof_at(order.dies_at, venue)
    if order.missed_at is not None:
        return max(order.missed_at + APART, order.queried_at + WAITS[0])
    return min(at, proof) if order.queried_at < proof else at
