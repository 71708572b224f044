"""What must hold in every life, judged by the books of the venue."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from tradenb.core.orders.client_ids import is_ours, role_of
from tradenb.core.orders.ledger import OrderLedger, held_quantity
from tradenb.core.orders.order import ZERO, DesiredPosition
from tradenb.core.orders.protection import covering
from tradenb.core.orders.venue import OrderMarket
from tradenb.testing.venue.faulty_venue import FaultyVenue
from tradenb.testing.venue.venue_records import VenueOrder
from tradenb.testing.venue.venue_requests import NewOrder


class OrderChecks:
    """The checks of one life.

    Attributes
    ----------
    found : list of str
        What was violated.
    """

    def __init__(self, wire: FaultyVenue, base: str) -> None:
        self.wire, self.exchange, self.base = wire, wire.venue, base
        self.found: list[str] = []
        self._entries_at_kill: int | None = None

    def _ours(self) -> list[VenueOrder]:
        return [order for order in self.exchange.orders.values() if is_ours(order.client_id)]

    def _bought(self) -> Decimal:
        """Return what our purchases brought, less fees in pieces."""
        ours = {order.order_id for order in self._ours()}
        total = ZERO
        for trade in self.exchange.trades:
            if trade.order_id in ours and trade.side == "BUY":
                total += trade.quantity - (trade.fee if trade.fee_asset == self.base else ZERO)
        return total

    def always(self, killed: bool) -> None:
        """Check what holds after each step."""
        ours = self._ours()
        entries: defaultdict[str, int] = defaultdict(int)
        for order in ours:
            if order.side == "BUY":
                entries[order.client_id] += 1
                if order.is_live:
                    self.found.append(f"entry {order.client_id} rests")
        for id, count in entries.items():
            if count > 1 and id not in self._copied():
                self.found.append(f"entry {id} was accepted {count} times")
        if killed:
            if self._entries_at_kill is None:
                self._entries_at_kill = len(entries)
            elif len(entries) > self._entries_at_kill:
                self.found.append("an entry after the kill")
        sold = sum((order.executed for order in ours if order.side == "SELL"), ZERO)
        resting = self._may_sell(ours)
        if sold + resting > self._bought():
            self.found.append(f"sold {sold} and may sell {resting}, bought {self._bought()}")

    def _copied(self) -> set[str | None]:
        """Return the ids of entries that the wire delivered twice."""
        return {
            call.request.client_id
            for call in self.wire.calls
            if call.fault is not None and call.fault.kind == "twice"
            if isinstance(call.request, NewOrder)
        }

    def _may_sell(self, ours: list[VenueOrder]) -> Decimal:
        of_list: dict[int, Decimal] = {}
        single = ZERO
        for order in ours:
            if order.side == "SELL" and order.is_live:
                if order.list_id < 0:
                    single += order.remaining
                else:
                    most = max(of_list.get(order.list_id, ZERO), order.remaining)
                    of_list[order.list_id] = most
        return single + sum(of_list.values(), ZERO)

    def protected(
        self, ledger: OrderLedger, wanted: DesiredPosition, market: OrderMarket, price: Decimal
    ) -> None:
        """Check that what is held at rest is protected, or too little to sell."""
        for signal in ledger.signals():
            held = held_quantity(ledger, signal, market)
            if market.pieces(held) < market.least(price):
                continue
            if covering(ledger, signal, held, market) is None:
                self.found.append(f"{held} of {signal} are not protected at rest ({wanted.want})")

    def at_rest(self, ledger: OrderLedger, market: OrderMarket, price: Decimal) -> None:
        """Check that the ledger has what the exchange has."""
        live = [order for order in self._ours() if order.is_live]
        if live:
            self.found.append(f"{len(live)} orders rest though nothing is wanted")
        known = {order.id for order in (*ledger.orders, *ledger.past)}
        legs = {id for order in (*ledger.orders, *ledger.past) for id in order.leg_ids}
        for order in self._ours():
            if order.client_id not in known | legs:
                self.found.append(f"{role_of(order.client_id)} order is not in the ledger")
        sold = sum((order.executed for order in self._ours() if order.side == "SELL"), ZERO)
        held = sum((held_quantity(ledger, each, market) for each in ledger.signals()), ledger.dust)
        outside = sum(
            (order.filled for order in (*ledger.orders, *ledger.past) if order.role == "outside"),
            ZERO,
        )
        if held != self._bought() - sold - outside:
            self.found.append(f"ledger has {held}, exchange {self._bought() - sold - outside}")
        if held >= market.least(price) + market.size_step:
            self.found.append(f"{held} pieces are left")
