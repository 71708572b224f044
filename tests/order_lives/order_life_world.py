"""The world of one life of the order machine: a venue, the wire to it, a price and its time."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Final, NamedTuple, Protocol

from tradenb.core.orders.answers import Answer
from tradenb.core.orders.order_records import Order
from tradenb.core.orders.venue import OrderMarket, Venue, stepped
from tradenb.core.timeframe import MINUTE
from tradenb.testing.orders.venue_port import VenuePort
from tradenb.testing.venue.faulty_venue import FaultyVenue
from tradenb.testing.venue.spot_venue import SpotVenue
from tradenb.testing.venue.venue_balances import VenueFees
from tradenb.testing.venue.venue_faults import VenueFault, every_fault
from tradenb.testing.venue.venue_records import VenueMarket
from tradenb.testing.venue.venue_requests import VenueRequest

SYMBOL: Final = "BTCUSDT"
START: Final = 1_767_225_600_000
TICK: Final = 5_000


class LifePort(Protocol):
    """What a life needs of the way to a venue."""

    def submit(self, order: Order) -> Answer:
        """Send an order."""

    def query(self, order: Order) -> Answer:
        """Ask for an order."""

    def cancel(self, order: Order) -> Answer:
        """Ask for the end of an order."""

    def open_orders(self, *, trades: bool) -> Answer:
        """Read the open orders of the symbol; `trades`: and its newest trades."""

    def overview(self, since: int) -> Answer:
        """Read orders, trades and balance."""


class LifePlan(NamedTuple):
    """What a life goes through.

    Attributes
    ----------
    minutes : int
        With faults; some minutes without follow.
    faults : float
        Share of the requests that meet one.
    deaths : float
        Share of the moments at which the process could die that it does.
    disk_full : float
        Share of the actions before which the disk fills up, for a while.
    kinds : tuple of str
        The kinds of faults; empty: all.
    answers : tuple of str
        What clients see instead of the answer; empty: all.
    longest : int or None
        A position without a stop for longer, ms, is a violation.
    reads : int
        How often each part of a full look is tried.
    owned : Decimal
        Coins of the owner; with none, a balance that is late is below what is held.
    """

    minutes: int = 12
    faults: float = 0.4
    deaths: float = 0.02
    disk_full: float = 0.01
    kinds: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    longest: int | None = None
    reads: int = 3
    owned: Decimal = Decimal(2)


class LifeWorld:
    """A spot venue whose account also holds coins of its owner, and a price that wanders.

    Parameters
    ----------
    seed : int
    plan : LifePlan
    venue : Venue
        What the machine believes of the exchange.
    """

    def __init__(self, seed: int, plan: LifePlan, venue: Venue) -> None:
        self.random = Random(seed)
        self.plan, self.venue = plan, venue
        self.in_base = self.random.random() < 0.6
        market = VenueMarket(SYMBOL, "BTC", "USDT", Decimal("0.01"), Decimal("0.0001"))
        fees = VenueFees() if self.in_base else VenueFees(paid_in="BNB")
        self.exchange = SpotVenue(
            [market],
            {"USDT": Decimal(10_000), "BTC": self.plan.owned, "BNB": Decimal(50)},
            fees=fees,
            spread_ticks=self.random.choice((0, 0, 3)),
        )
        self.now = START
        self.price = Decimal(100)
        self.exchange.set_price(SYMBOL, self.price, at=self.now)
        self.wire = FaultyVenue(self.exchange, draw=self._draw)
        # An answer to a copy of the request: the first one was taken.
        menu = [*every_fault(), VenueFault("accept", "duplicate")]
        self.menu = [
            fault
            for fault in menu
            if not plan.kinds or fault.kind in plan.kinds
            if not plan.answers or fault.answer in plan.answers
        ]
        self.port: LifePort = VenuePort(
            self.wire, venue, SYMBOL, "BTC", "USDT", self._request_time, self.plan.reads
        )
        self.lag = self.random.choice((0, 50, 400))
        self.next_tick, self.next_candle = self.now + TICK, self.now + MINUTE
        self.calm = self.still = False

    def _market(self) -> OrderMarket:
        found = self.exchange.market(SYMBOL)
        return OrderMarket(
            price_step=found.tick_size,
            size_step=found.step_size,
            min_size=found.min_quantity,
            min_value=found.min_notional,
            fee_in_base=self.in_base,
        )

    def _draw(self, _request: VenueRequest, role: str | None, _at: int) -> VenueFault | None:
        if self.calm or self.random.random() >= self.plan.faults:
            return None
        fault = self.random.choice(self.menu)
        if fault.kind == "twice" and role != "entry":  # a copied sale takes coins of the owner
            return None
        seconds = self.random.choice((0.5, 2.0, fault.seconds))
        return VenueFault(fault.kind, fault.answer, seconds=seconds, times=None)

    def _request_time(self) -> int:
        usual = self.random.choice((40, 60, 90, 200, 700))
        self._pass(1_500 if self.random.random() < 0.03 else usual)
        return self.now

    def _pass(self, ms: int) -> None:
        """Let time pass, and the price wander."""
        until = self.now + ms
        while self.next_tick <= until:
            self.now = self.next_tick
            self.next_tick += TICK
            self.wire.advance(self.now)
            if not self.still:
                step = self.random.gauss(0, 1) * (8 if self.random.random() < 0.02 else 1)
                moved = self.price * (1 + Decimal(round(step, 3)) / 1_000)
                self.price = stepped(max(moved, Decimal(20)), Decimal("0.1"))
            self.exchange.move_price(SYMBOL, self.price, at=self.now)
        self.now = until
        self.wire.advance(self.now)
