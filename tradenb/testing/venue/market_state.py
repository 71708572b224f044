"""A market at a moment: its last price, what can still be traded there, and at which prices.

A taker trades at the last price, worse by `spread_ticks`, and by a tick more for each
`level_quantity`. What there is to trade until the next price can be limited.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from tradenb.testing.venue.venue_filters import floored
from tradenb.testing.venue.venue_records import WITH_PRICE, ZERO, Side, VenueMarket, VenueOrder

_LEAST: Final = Decimal("1e-12")


@dataclass(slots=True)
class MarketState:
    """A market, its last price, what can still be traded there, and the live orders."""

    market: VenueMarket
    spread_ticks: int = 0
    level_quantity: Decimal | None = None
    last: Decimal | None = None
    available: Decimal | None = None
    live: dict[int, None] = field(default_factory=dict)

    def taker_price(self, side: Side, *, level: int = 0) -> Decimal:
        """Return at which price somebody who does not wait trades; level 0 comes first."""
        by = (self.spread_ticks + level) * self.market.tick_size
        last = self.last or ZERO
        return last + by if side == "BUY" else last - by

    def cost_of(self, quantity: Decimal) -> Decimal:
        """Return what a purchase at once would cost, without fees."""
        size, level, cost = self.level_quantity, 0, ZERO
        while quantity > 0:
            part = quantity if size is None else min(size, quantity)
            cost += part * self.taker_price("BUY", level=level)
            quantity, level = quantity - part, level + 1
        return cost

    def quantity_for(self, value: Decimal) -> Decimal:
        """Return how much a value buys at once, without fees, in whole steps."""
        size, level, bought = self.level_quantity, 0, ZERO
        while True:
            price = self.taker_price("BUY", level=level)
            part = floored(value / price, self.market.step_size)
            if size is None or part <= size:
                return bought + part
            bought, value, level = bought + size, value - size * price, level + 1

    def room(self, quantity: Decimal) -> Decimal:
        """Return how much of a quantity can still be traded."""
        if self.available is None or self.available >= quantity:
            return quantity
        return max(ZERO, floored(self.available, self.market.step_size))

    def can_fill(self, order: VenueOrder) -> bool:
        """Tell whether an order would be filled at once, and wholly."""
        if self.room(order.remaining) < order.remaining:
            return False
        if order.type not in WITH_PRICE:
            return True
        size = self.level_quantity
        level = 0 if size is None else int((order.remaining - _LEAST) // size)
        return fits(order.side, self.taker_price(order.side, level=level), order.price)


def fits(side: Side, price: Decimal, limit: Decimal) -> bool:
    """Tell whether a price is not worse than a limit."""
    return price <= limit if side == "BUY" else price >= limit
