"""A live run with a position at an exchange, to which something happens that nobody told it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import tradenb as tn
from tests.order_lives.live_order_life import ACCOUNT, SYMBOL, OrderWorld
from tests.sources import frame, minute
from tradenb.brokers.arming.arm_file import read_arm
from tradenb.core.orders.client_ids import client_id, is_ours, leg_ids
from tradenb.core.orders.ledger import OrderLedger, held_quantity
from tradenb.core.orders.order_records import Order, Role
from tradenb.core.rules import Rules
from tradenb.live.live_run import LiveRun, record_of
from tradenb.testing.orders.venue_connection import VenueConnection
from tradenb.testing.venue.faulty_venue import FaultyVenue
from tradenb.testing.venue.venue_faults import VenueFault
from tradenb.testing.venue.venue_records import VenueOrder
from tradenb.testing.venue.venue_requests import Leg, NewList, NewOrder
from tradenb.testing.world.simulated_world import Action, Process

FoundBy = Literal["start", "light look", "full look"]
D = Decimal
FAR = 1 << 60
MOST_CALLS = 400
ENTRY, HELD, FALL = 75, 77, 80
"""Minutes: the entry, the moment at which a position is held and protected, a fall to the stop."""
ENDS: dict[FoundBy, int] = {"start": 84, "light look": 83, "full look": 95}
"""Full looks are at the start, after the entry, and ten minutes later."""
LIFE = ("entering", "rejected", "opened", "partial", "closed")
ALL: tuple[FoundBy, ...] = ("start", "light look", "full look")


class Row(NamedTuple):
    """A row of the table in docs/orders.md.

    Attributes
    ----------
    name : str
    happens : callable
        Lets it happen.
    expected : callable
        Asserts what is made of it.
    found_by : tuple of str
    at : int
        Minute at which it happens.
    falls : bool
        The price falls to the stop afterwards.
    dies_in : str or None
        To be found at a start: the process dies with the first order of this role, which has met
        what happened. None: it happens while no process lives.
    first : callable, optional
        What happens when the position is held and protected, some minutes before.
    """

    name: str
    happens: Callable[[Case], object]
    expected: Callable[[Case], object]
    found_by: tuple[FoundBy, ...] = ALL
    at: int = HELD
    falls: bool = False
    dies_in: Role | None = None
    first: Callable[[Case], object] = lambda case: None


@tn.strategy("orders-rows", every="15m", history="30m")
def once(ctx: Any) -> Any:
    if ctx.state.get("done"):
        return None
    ctx.state["done"] = True
    return tn.long(take_profit=tn.percent(2), stop_loss=tn.percent(1))


class Case:
    """One row, found in one way."""

    def __init__(self, row: Row, found_by: FoundBy) -> None:
        self.row, self.found_by = row, found_by
        fallen = 98.5 if row.falls else 100.0
        prices = [100.0] * FALL + [fallen] * 60
        opens = [100.0, *prices]
        rows = [
            (opens[i], max(opens[i], price), min(opens[i], price), price, 1_000.0)
            for i, price in enumerate(prices)
        ]
        source = tn.frame_exchange({SYMBOL: frame(rows)})
        rules = Rules(fee_percent=0.1, slippage_percent=0.0)
        self.world = OrderWorld(source, once, start=minute(60) + 2_500, rules=rules)
        self.world.exchange.tells_time = False
        self.venue, self.wire = self.world.venue, self.world.wire
        self.wire.call = self._call  # type: ignore[method-assign]
        self.process: Process | None = None
        self._dies = False

    def _call(self, *args: Any, **more: Any) -> Any:
        assert len(self.wire.calls) < MOST_CALLS, "a storm of requests"
        return FaultyVenue.call(self.wire, *args, **more)

    def play(self) -> None:
        """Live until it was found."""
        self.world.arm()
        at = minute(self.row.at) + 20_000
        dies = self.found_by == "start"
        self._dies = dies and self.row.dies_in is not None
        self.process = self.world.process()
        later = max(self.row.at - HELD, 0)
        end = minute(later + ENDS["light look" if dies else self.found_by])
        actions = [
            Action(minute(HELD) + 20_000, lambda _: self.row.first(self)),
            Action(at, self._happens),
        ]
        assert self.process.live(end, actions[self.row.at <= HELD :]) is not dies
        if dies:
            self.process = self.world.process()
            assert self.process.live(minute(ENDS["start" if self.row.at == HELD else "full look"]))

    def _happens(self, process: Process) -> None:
        self.world.feed.advance(self.now)
        self.row.happens(self)
        if self.found_by == "start" and not self._dies:
            process.kill()

    # --- what can happen -------------------------------------------------------------------------

    @property
    def now(self) -> int:
        return self.world.clock.true_now()

    def meet(self, role: Role, fault: VenueFault) -> None:
        """Let the next order of a role meet a fault; a process that shall die dies of it."""

        def draw(request: Any, of: str | None, at: int) -> VenueFault | None:
            del at
            if of != role or fault.met or not isinstance(request, NewOrder | NewList):
                return None
            if self._dies and self.process is not None:
                self._dies = False
                self.process.kill()
            return fault

        self.wire._draw = draw

    def cancel_by_hand(self) -> None:
        """Cancel what rests, as the owner does on the web page."""
        for order in self.venue.live_orders(SYMBOL)[:1]:
            self.venue.cancel_by_hand(order.order_id, at=self.now)

    def place(self, request: NewOrder | NewList) -> None:
        """Place an order that this run did not send."""
        self.venue.handle(request, at=self.now)

    def place_protection(self, attempt: int, quantity: Decimal, stop_at: str = "99") -> None:
        """Place stop and target under the client ids that the run would give them."""
        run, signal = self.running.run, self.signal
        stop, target = leg_ids(run, signal, attempt)
        above = Leg("LIMIT_MAKER", target, D(102))
        below = Leg("STOP_LOSS", stop, stop_price=D(stop_at))
        id = client_id(run, signal, "protection", attempt)
        self.place(NewList(SYMBOL, "SELL", quantity, above, below, id))

    # --- what is known ---------------------------------------------------------------------------

    @property
    def handle(self) -> LiveRun:
        """The run, of a process that lives or has just died."""
        assert self.process is not None
        return self.process.runs[0]

    @property
    def running(self) -> OrderLedger:
        """The ledger in memory, of a process that lives or has just died."""
        found = record_of(self.handle).ledger
        assert found is not None
        return found

    @property
    def ledger(self) -> OrderLedger:
        """The ledger on disk, after all."""
        checkpoint = self.world.checkpoint(self.world.wanted[0])
        assert checkpoint is not None
        assert checkpoint.ledger is not None
        return checkpoint.ledger

    @property
    def state(self) -> Any:
        checkpoint = self.world.checkpoint(self.world.wanted[0])
        assert checkpoint is not None
        return checkpoint.state

    @property
    def signal(self) -> str:
        return self.events[0].signal_id or ""

    @property
    def events(self) -> list[Any]:
        events = self.world.events(self.world.wanted[0])
        return [event for event in events if event.kind in LIFE]

    @property
    def told(self) -> list[tuple[str, str | None]]:
        """Kinds and reasons of all events."""
        return [(event.kind, event.exit_reason) for event in self.events]

    @property
    def tripped(self) -> str:
        """Why the account is armed no more; "" while it is."""
        arm = read_arm(self.world.disk, self.world.home, ACCOUNT).arm
        assert arm is not None
        return arm.tripped

    def orders(self, role: Role) -> tuple[Order, ...]:
        ledger = self.ledger
        return tuple(each for each in (*ledger.past, *ledger.orders) if each.role == role)

    def sent(self, role: Role) -> list[VenueOrder]:
        """The orders of ours that the exchange has accepted; of lists the stops."""
        digit = {"entry": "1", "protection": "4", "exit": "3"}[role]
        ours = [order for order in self.venue.orders.values() if is_ours(order.client_id)]
        return [order for order in ours if order.client_id[6] == digit]

    @property
    def held(self) -> Decimal:
        """The pieces of the run, by its ledger."""
        ledger = self.ledger
        connection = VenueConnection(self.wire, self.world.feed, SYMBOL, lambda: self.now)
        held = (held_quantity(ledger, id, connection.market) for id in ledger.signals())
        return sum(held, D(0))

    @property
    def covered(self) -> Decimal:
        """The pieces that resting stops cover."""
        live = self.venue.live_orders(SYMBOL)
        return sum((order.remaining for order in live if order.type == "STOP_LOSS"), D(0))

    def is_protected(self) -> bool:
        """Whether all that is held has a stop, and nothing more."""
        return D(0) <= self.held - self.covered < D("0.0001") and self.covered > 0
