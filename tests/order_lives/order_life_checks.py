"""What must hold in every life, judged by the books of the venue."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from tradenb.core.orders.answers import Answer, OpenOrders, Overview
from tradenb.core.orders.client_ids import is_ours, role_of
from tradenb.core.orders.ledger import OrderLedger, held_quantity
from tradenb.core.orders.order_actions import Tell
from tradenb.core.orders.order_records import ZERO, Order
from tradenb.core.orders.venue import OrderMarket
from tradenb.testing.venue.faulty_venue import FaultyVenue
from tradenb.testing.venue.venue_records import STOPS, VenueOrder
from tradenb.testing.venue.venue_requests import NewOrder


class OrderChecks:
    """The checks of one life.

    Attributes
    ----------
    found : list of str
        What was violated.
    tells : list of Tell
        What the lifecycle was told, also by processes that died before they wrote it down.
    exposed_since : int or None
        Since when pieces are without a stop now, ms.
    spans : list of int
        For how long positions were without a stop while the process lived, ms.
    """

    def __init__(self, wire: FaultyVenue, base: str) -> None:
        self.wire, self.exchange, self.base = wire, wire.venue, base
        self.found: list[str] = []
        self.tells: list[Tell] = []
        self.spans: list[int] = []
        self.exposed_since: int | None = None
        self._entries_at_kill: int | None = None
        self._checked = (0, 0, 0)
        self._forgotten: dict[str, Order] = {}
        self._shown: set[str] = set()
        self._judged: set[str] = set()

    def forgot(self, before: OrderLedger, after: OrderLedger) -> None:
        """Remember the orders of old positions that a ledger keeps no longer."""
        kept = {order.id for order in after.past}
        self._forgotten |= {order.id: order for order in before.past if order.id not in kept}

    def heard(self, answer: Answer | Tell) -> None:
        """Remember which trades with other numbers than they had were shown."""
        if isinstance(answer, Overview | OpenOrders):
            changed = {str(id) for id in self.wire.changed_trades}
            self._shown |= changed & {fill.id for fill in answer.fills}

    def wrote(self) -> None:
        """Judge what was shown: it was heard, and the document was written since."""
        self._judged |= self._shown

    def restarted(self) -> None:
        """Judge nothing that only a dead process has seen: old trades are not read again."""
        self._shown = set()

    def _all(self, ledger: OrderLedger) -> list[Order]:
        """Return the orders of a ledger, and those that it kept once."""
        kept = [*ledger.orders, *ledger.past]
        ids = {order.id for order in kept}
        return kept + [order for id, order in self._forgotten.items() if id not in ids]

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

    def always(self, killed: bool, now: int, least: Decimal) -> None:
        """Check what holds after each step; `least` pieces can be sold."""
        key = (len(self.exchange.orders), len(self.exchange.trades), len(self.wire.calls))
        if key == self._checked and killed == (self._entries_at_kill is not None):
            return
        self._checked = key
        ours = self._ours()
        entries = Counter(order.client_id for order in ours if order.side == "BUY")
        if any(order.is_live for order in ours if order.side == "BUY"):
            self.found.append("an entry rests")
        copied = self._copied()
        self.found += [
            f"entry {id} was accepted {count} times"
            for id, count in entries.items()
            if count > 1 and id not in copied
        ]
        if killed:
            if self._entries_at_kill is None:
                self._entries_at_kill = len(entries)
            elif len(entries) > self._entries_at_kill:
                self.found.append("an entry after the kill")
        bought = self._bought()
        sold = sum((order.executed for order in ours if order.side == "SELL"), ZERO)
        resting = self._may_sell(ours)
        if sold + resting > bought:
            self.found.append(f"sold {sold} and may sell {resting}, bought {bought}")
        stops = sum((each.remaining for each in ours if each.is_live and each.type in STOPS), ZERO)
        self._watch(now, bought - sold - stops >= least and not self.owner_sold)

    def _watch(self, now: int, exposed: bool) -> None:
        """Remember for how long pieces were without a stop."""
        if exposed and self.exposed_since is None:
            self.exposed_since = now
        elif not exposed and self.exposed_since is not None:
            self.spans.append(now - self.exposed_since)
            self.exposed_since = None

    def covered(self, longest: int) -> None:
        """Check for how long pieces were without a stop."""
        if max(self.spans, default=0) > longest:
            self.found.append(f"{max(self.spans) // 1_000} s without a stop")

    def died(self, ms: int) -> None:
        """Leave the time without a process out of what was without a stop."""
        if self.exposed_since is not None:
            self.exposed_since += ms

    @property
    def owner_sold(self) -> bool:
        """Whether pieces were sold by hand, so that nobody can tell whose they were."""
        return any(
            call.fault is not None and call.fault.kind == "manual_sale" for call in self.wire.calls
        )

    def _copied(self) -> set[str]:
        """Return the ids of entries that the wire delivered twice."""
        return {
            call.request.client_id or ""
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

    def protected(self, ledger: OrderLedger, market: OrderMarket, price: Decimal) -> None:
        """Check that stops at the exchange cover what is held at rest, if it can be sold."""
        held = sum((held_quantity(ledger, each, market) for each in ledger.signals()), ZERO)
        stops = sum(
            (order.remaining for order in self._ours() if order.is_live and order.type in STOPS),
            ZERO,
        )
        if market.pieces(held) >= market.least(price) and stops <= held - market.size_step:
            self.found.append(f"{held} are held at rest, stops cover {stops}")

    def at_rest(self, ledger: OrderLedger, market: OrderMarket, price: Decimal) -> None:
        """Check that the ledger has what the exchange has."""
        live = [order for order in self._ours() if order.is_live]
        if live:
            self.found.append(f"{len(live)} orders rest though nothing is wanted")
        orders = self._all(ledger)
        known = {order.id for order in orders}
        legs = {id for order in orders for id in order.leg_ids}
        for order in self._ours():
            if order.client_id not in known | legs:
                self.found.append(f"{role_of(order.client_id)} order is not in the ledger")
        sold = sum((order.executed for order in self._ours() if order.side == "SELL"), ZERO)
        held = sum((held_quantity(ledger, each, market) for each in ledger.signals()), ledger.dust)
        outside = sum(
            (order.filled for order in orders if order.role == "outside"),
            ZERO,
        )
        there = self._bought() - sold - outside
        if held > there or (held < there and not self.owner_sold):  # who may have sold dust
            self.found.append(f"ledger has {held}, exchange {there}")
        if held >= market.least(price) + market.size_step:
            self.found.append(f"{held} pieces are left")
        self._compare_trades(ledger)

    def _compare_trades(self, ledger: OrderLedger) -> None:
        """Check that the ledger has the trades of the exchange, or a person was asked."""
        asked = " ".join((*ledger.unexplained, *ledger.accepted))
        changed = self.wire.changed_trades
        trades = {
            str(trade.trade_id): trade._replace(price=changed.get(trade.trade_id, trade.price))
            for trade in self.exchange.trades
        }
        for order in (*ledger.orders, *ledger.past):
            for fill in order.fills:
                trade = trades[fill.id]
                is_same = (fill.quantity, fill.price) == (trade.quantity, trade.price)
                if is_same or fill.id not in self._judged:
                    continue
                if order.role != "outside" and order.id not in asked:
                    self.found.append(f"trade {fill.id} is another, and nobody was asked")

    def told(self, ledger: OrderLedger, sold: Decimal) -> None:
        """Check that the lifecycle was told what happened, all of it, once."""
        orders = self._all(ledger)
        left = sum(
            (order.filled for order in orders if order.side == "sell" and order.role != "dust"),
            ZERO,
        )
        if sold != left and not ledger.stops:
            self.found.append(f"{left} pieces were sold, {sold} told")
        copied = self._copied()
        counts = Counter(
            order.client_id for order in self._ours() if order.side == "BUY" and order.executed
        )
        if any(counts[id] > 1 for id in copied) and not ledger.stops:
            self.found.append("an entry was copied, and nobody was told")
        accepted = Counter(
            order.signal_id for order in orders if order.role == "entry" and self._filled(order.id)
        )
        copies = sum(1 for order in orders if order.id.startswith("copy-"))
        if any(count > 1 for count in accepted.values()) and not copies:
            self.found.append("a signal was entered twice")
        refused = {tell.signal_id for tell in self.tells if tell.kind == "not_entered"}
        for order in orders:
            filled = self._filled(order.id)
            if order.role == "entry" and order.signal_id in refused and filled:
                self.found.append(f"{order.signal_id} was told not to be entered, and was")

    def _filled(self, id: str) -> bool:
        return any(order.client_id == id and order.executed for order in self._ours())
