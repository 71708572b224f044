"""One fault at one stage of one position, over HTTP by an unmodified ccxt, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from tests.order_lives.loopback_port import LoopbackPort
from tests.order_lives.order_life import OrderLife, ProcessDied
from tests.order_lives.order_life_world import SYMBOL, LifePlan, LifePort
from tradenb.core.orders.answers import Answer
from tradenb.core.orders.order_records import DesiredPosition, Order, Role
from tradenb.core.orders.venue import OrderMarket, stepped
from tradenb.testing.venue.venue_faults import MET_BY, VenueFault, every_fault
from tradenb.testing.venue.venue_requests import (
    CancelList,
    CancelOrder,
    NewList,
    NewOrder,
    VenueRequest,
)

Stage = Literal["entry", "protection", "cancel", "exit"]
STAGES: Final[tuple[Stage, ...]] = Stage.__args__  # type: ignore[attr-defined]
Death = Literal["alive", "killed before it is sent", "killed before the answer"]
DEATHS: Final[tuple[Death, ...]] = Death.__args__  # type: ignore[attr-defined]
_SENT_FOR: Final[dict[Role, Stage]] = {
    "entry": "entry",
    "protection": "protection",
    "exit": "exit",
}
_HELD: Final = 2
_QUIET: Final = LifePlan(minutes=6, faults=0, deaths=0, disk_full=0)


class Scenario(NamedTuple):
    """What goes wrong, with which request, and whether the process dies there.

    Where it dies before the request is sent, the fault meets the first request after the restart.
    """

    fault: VenueFault
    stage: Stage
    death: Death = "alive"

    @property
    def name(self) -> str:
        """Such as "accept reset at entry, killed before the answer"."""
        fault = " ".join(filter(None, (self.fault.kind, self.fault.answer)))
        return f"{fault} at {self.stage}, {self.death}"


def every_scenario() -> list[Scenario]:
    """Return each fault at each stage, alive and killed before and after it is sent.

    Examples
    --------
    >>> scenarios = every_scenario()
    >>> len(scenarios) >= 250, scenarios[0].name
    (True, 'drop silence at entry, alive')
    """
    return [
        Scenario(fault, stage, death)
        for fault in every_fault()
        for stage in STAGES
        for death in DEATHS
        if _can_meet(fault, stage, death)
    ]


def _can_meet(fault: VenueFault, stage: Stage, death: Death) -> bool:
    if stage == "entry" and death == "killed before it is sent":
        # It is never sent any more, only looked for.
        return fault.kind not in ("invisible", "partial", "cancel_race", "balance_late")
    if fault.kind == "twice":  # a copied sale takes coins of the owner
        return stage in ("entry", "cancel")
    if fault.kind == "trade_changed" and stage == "entry":
        return False  # there is none
    # After an exit that was answered nothing is asked for or cancelled.
    return stage != "exit" or fault.kind not in ("not_found", "cancel_race")


class _MortalPort(NamedTuple):
    """A port before which a process can die."""

    port: LifePort
    sends: Callable[[Stage | None], None]

    def submit(self, order: Order) -> Answer:
        """Send an order."""
        self.sends(_SENT_FOR.get(order.role))
        return self.port.submit(order)

    def query(self, order: Order) -> Answer:
        """Ask for an order."""
        return self.port.query(order)

    def cancel(self, order: Order) -> Answer:
        """Ask for the end of an order."""
        self.sends("cancel")
        return self.port.cancel(order)

    def open_orders(self, *, trades: bool) -> Answer:
        """Read the open orders of the symbol; `trades`: and its newest trades."""
        return self.port.open_orders(trades=trades)

    def overview(self, since: int) -> Answer:
        """Read orders, trades and balance."""
        return self.port.overview(since)


class OrderScenario(OrderLife):
    """A position that is entered, protected, and left after some minutes; one fault meets it.

    Attributes
    ----------
    met : bool
        The fault has happened.
    """

    def __init__(self, scenario: Scenario, seed: int = 0) -> None:
        self.scenario, self.met = scenario, False
        self._reached = self._dies = False
        self._loopback: LoopbackPort | None = None
        super().__init__(seed, _QUIET)
        self.still = True
        self._held_since = 0

    def play(self) -> list[str]:
        """Play it; return what was violated."""
        made = LoopbackPort(
            self.wire,
            self.venue,
            self.market,
            symbol=SYMBOL,
            base="BTC",
            quote="USDT",
            now=lambda: self.now,
            lag=self.lag,
            pass_time=self._request_time,
        )
        with made as self._loopback:
            self.port = _MortalPort(self._loopback, self._sends)
            return super().play()

    def _market(self) -> OrderMarket:
        market = super()._market()
        if self._loopback is not None:
            self._loopback.port.market = market
        return market

    def _may_die(self) -> None:
        if self._dies:
            self._dies = False
            raise ProcessDied

    def _sends(self, stage: Stage | None) -> None:
        """Die before the first request of the stage, if the scenario says so."""
        before = self.scenario.death == "killed before it is sent"
        if before and stage == self.scenario.stage and not self._reached:
            self._reached = True
            raise ProcessDied

    def _draw(self, request: VenueRequest, role: str | None, _at: int) -> VenueFault | None:
        if self.met:
            return None
        fault, death = self.scenario.fault, self.scenario.death
        if death == "killed before it is sent":
            begins = self._reached
        else:
            begins = _stage_of(request, role) == self.scenario.stage
        self._reached = self._reached or begins
        if not self._reached or not (begins or fault.kind in MET_BY):
            return None
        found = VenueFault(fault.kind, fault.answer, seconds=fault.seconds)
        if not found.fits(request, role):
            return None
        self.met, self._dies = True, death == "killed before the answer"
        return found

    def _decide(self, wanted: DesiredPosition) -> DesiredPosition:
        if wanted.want == "flat":
            at_rest = all(order.is_done for order in self.doc.ledger.orders)
            can_enter = at_rest and not self.calm and not self.doc.signals
            return self._enter(self.now - self.lag) if can_enter else wanted
        if wanted.want != "hold":
            return wanted
        self._held_since += 1
        if self.killed or self._held_since > _HELD:
            return wanted._replace(want="exit", since=self.now - self.lag, reason="strategy")
        return wanted

    def _enter(self, now: int) -> DesiredPosition:
        return DesiredPosition(
            want="enter",
            signal_id=f"s{self.doc.signals + 1}",
            since=now,
            quantity=self.market.pieces(150 / self.price),
            limit=stepped(self.price * Decimal("1.002"), self.market.price_step),
            stop=self.price * Decimal("0.985"),
            target=self.price * Decimal("1.015"),
        )


def _stage_of(request: VenueRequest, role: str | None) -> Stage | None:
    """Return which stage begins with a request."""
    match request:
        case CancelOrder() | CancelList():
            return "cancel"
        case NewList():
            return "protection"
        case NewOrder() if role == "entry":
            return "entry"
        case NewOrder() if role == "exit":
            return "exit"
        case NewOrder() if role == "protection":
            return "protection"
    return None
