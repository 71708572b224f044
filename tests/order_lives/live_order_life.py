"""One life of a run that sends orders: real loop and disk, faults on the wire, deaths, restarts.

Where `order_life.py` plays the order machine alone, this plays the whole: strategy, candles, tick,
document, order manager and venue, in virtual time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any, Final, NamedTuple, cast

import tradenb as tn
from tradenb.brokers.arming.arm_file import trip, write_arm
from tradenb.brokers.broker import Broker, Mode
from tradenb.core.orders.client_ids import client_id
from tradenb.core.orders.gate import Arm
from tradenb.core.orders.ledger import NO_KEY, OrderLedger, held_quantity
from tradenb.core.rules import Rules
from tradenb.core.timeframe import DAY, MINUTE
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import StateError, TradenbError
from tradenb.live.live_run import LiveRun, record_of
from tradenb.testing.orders.venue_connection import VenueConnection
from tradenb.testing.server.price_feed import PriceFeed
from tradenb.testing.server.server_candles import rows_of_all
from tradenb.testing.venue.faulty_venue import FaultyVenue
from tradenb.testing.venue.spot_venue import SpotVenue
from tradenb.testing.venue.venue_faults import VenueFault, every_fault
from tradenb.testing.venue.venue_records import VenueMarket
from tradenb.testing.venue.venue_requests import VenueRequest
from tradenb.testing.world.fake_disk import Crash
from tradenb.testing.world.fake_exchange import Trouble
from tradenb.testing.world.simulated_world import Action, Process, World

SYMBOL: Final = "BTCUSDT"
ACCOUNT: Final = "sandbox:memory:00000000"
START: Final = "2024-01-01T01:00:02.500"
OWNED: Final = Decimal(2)
"""Coins of the owner that no run may touch."""
CASH: Final = Decimal(10_000)
_MOST_RESTS: Final = 5
LEFT_ALONE: Final = frozenset(
    {
        "manual_sale", "steps_changed", "foreign_trade", "foreign_order", "twice", "halted",
        "trade_changed",
    }
)  # fmt: skip
"""Faults after which a sum of money is not the run's alone, or which `order_life.py` plays."""


class LivePlan(NamedTuple):
    """What a life goes through.

    Attributes
    ----------
    minutes : int
        With faults and deaths; half an hour without follows.
    faults : float
        Share of the requests that meet one.
    lives : int
        How many processes there are.
    by_hand : int
        How often a person does something in the life of a process; half of the deaths are power
        losses then.
    """

    minutes: int = 150
    faults: float = 0.15
    lives: int = 4
    by_hand: int = 0


class OrderWorld(World):
    """A world with one run on BTCUSDT, and an account of 10,000 USDT and two coins of its owner."""

    def __init__(
        self,
        candles: Any,
        spec: StrategySpec,
        *,
        start: Any,
        rules: Rules | None = None,
        mode: Mode = "sandbox",
        account: tn.Account | None = None,
    ) -> None:
        account = account or tn.Account(cash=float(CASH), quote=500)
        id = f"{mode}:{ACCOUNT.partition(':')[2]}"
        broker = Broker("binance", mode, account, id, connect=self._connect)
        super().__init__(candles, start=start, runs=[(SYMBOL, spec)], broker=broker, rules=rules)
        market = VenueMarket(SYMBOL, "BTC", "USDT", Decimal("0.01"), Decimal("0.0001"))
        self.venue = SpotVenue([market], {"USDT": CASH, "BTC": OWNED})
        self.wire = FaultyVenue(self.venue)
        self.feed = PriceFeed(self.wire, dict(rows_of_all(candles, [SYMBOL])))
        self.answers = True
        self.ahead_ms = 0  # of the exchange's time

    def arm(self, **limits: Any) -> None:
        """Permit entries for a week."""
        known: dict[str, Any] = {
            "max_order": Decimal(1_000),
            "max_total": Decimal(5_000),
            "max_daily_loss": Decimal(1_000),
            "max_open": 5,
            "orders_an_hour": 10_000,
        }
        now = self.clock.true_now()
        names = tuple(spec.name for _, spec in self.wanted)
        arm = Arm(ACCOUNT, (SYMBOL,), names, since=now, until=now + 7 * DAY, **known | limits)
        write_arm(self.disk, self.home, arm)

    @property
    def coins(self) -> Decimal:
        """The coins of the account beyond those of its owner."""
        return self.venue.total("BTC") - OWNED

    def _connect(self, symbol: str, clock: Any) -> VenueConnection:
        del clock
        return VenueConnection(
            self.wire,
            self.feed,
            symbol,
            lambda: self.clock.true_now() + self.ahead_ms,
            answers=lambda: self.answers,
        )


def _told(command: Callable[[LiveRun, float], Any]) -> Callable[[Process], None]:
    """Give a command to the run of a process, with its price; one that ends takes none."""

    def act(process: Process) -> None:
        run = process.run(SYMBOL, "order-life")
        with contextlib.suppress(TradenbError):
            command(run, record_of(run).last_price or 100.0)

    return act


def _disarm(process: Process) -> None:
    world = cast(OrderWorld, process.world)
    trip(world.disk, world.home, ACCOUNT, "by hand", world.clock.true_now(), by_hand=True)


def _arm(process: Process) -> None:
    cast(OrderWorld, process.world).arm()


BY_HAND: Final = (
    _told(lambda run, _: run.flatten()),
    _told(lambda run, _: run.close(0.5)),
    _told(lambda run, _: run.close()),
    _told(lambda run, _: run.cancel()),
    _told(lambda run, _: run.withdraw()),
    _told(lambda run, price: run.move(stop_loss=price * 0.998)),
    _told(lambda run, price: run.move(take_profit=price * 1.002)),
    _told(lambda run, _: run.move(minutes=10)),
    _told(lambda run, _: run.release()),
    _disarm,
    _arm,
    _arm,
)
"""What a person does to a run, or to the permission of its account."""


class LiveOrderLife:
    """A life from one number.

    Parameters
    ----------
    seed : int
    plan : LivePlan, optional
    """

    def __init__(self, seed: int, plan: LivePlan | None = None) -> None:
        self.random = Random(seed)
        self.plan = plan or LivePlan()
        self.found: list[str] = []
        walk = tn.testing.random_walk(seed=seed, days=1, price=100.0, volatility=120.0)
        self.world = OrderWorld(walk, _strategy(seed), start=START)
        self._requests_left: int | None = None
        self.trades = 0
        self.menu = [fault for fault in every_fault() if fault.kind not in LEFT_ALONE]
        self.calm = False
        self.process: Process | None = None
        self.world.wire._draw = self._draw

    def play(self) -> list[str]:
        """Play it; return what was violated."""
        world = self.world
        part = self.plan.minutes // self.plan.lives
        for _ in range(self.plan.lives):
            self._live(world.clock.true_now() + part * MINUTE)
            world.clock.advance(self.random.choice((0.5, 20.0, 150.0)))
        self.calm = True
        self._live(world.clock.true_now() + 30 * MINUTE, last=True)
        for _ in range(_MOST_RESTS):
            if not self._trades_since():
                break
            self._live(world.clock.true_now() + 2 * MINUTE, last=True)
        world.exchange.troubles = []  # the last stretch may end without candles
        self._check()
        return self.found

    def _trades_since(self) -> bool:
        """Let the venue follow the price to now; tell whether a stop sold after the last look."""
        world = self.world
        before = len(world.venue.trades)
        world.feed.advance(world.clock.true_now())
        return len(world.venue.trades) > before

    def _live(self, until: int, *, last: bool = False) -> None:
        dies_in = None if last else self.random.choice((None, 10, 60, 300))
        self._requests_left = dies_in
        self.world.arm()
        now, dark = self.world.clock.true_now(), self.random.choice((0, 0, 3, 12))
        self.world.exchange.troubles = [Trouble("error", now, now + dark * MINUTE)]
        try:
            self.process = self.world.process()
        except (Crash, StateError) as error:
            self.found.append(f"a process could not start: {error!r}")
            return
        hands = [] if last else self._hands(until)
        survived = self.process.live(until, hands)
        if not survived and self.plan.by_hand and self.random.random() < 0.5:
            self.world.disk.power_loss()

    def _hands(self, until: int) -> list[Action]:
        """What a person does in the life of a process, each at any moment of it."""
        now = self.world.clock.true_now()
        moments = [self.random.randrange(now, until) for _ in range(self.plan.by_hand)]
        return [Action(at, self.random.choice(BY_HAND)) for at in moments]

    def _draw(self, request: VenueRequest, role: str | None, at: int) -> VenueFault | None:
        del request, role, at
        if self._requests_left is not None:
            self._requests_left -= 1
            if self._requests_left < 0 and self.process is not None:
                self._requests_left = None
                self.process.kill()
        if self.calm or self.random.random() >= self.plan.faults:
            return None
        fault = self.random.choice(self.menu)
        seconds = self.random.choice((0.5, 2.0, fault.seconds))
        return VenueFault(fault.kind, fault.answer, seconds=seconds, times=None)

    def _check(self) -> None:
        self.found += violations(self.world)
        kinds = [event.kind for event in self.world.events(self.world.wanted[0])]
        self.trades = kinds.count("closed")


def violations(world: OrderWorld) -> list[str]:
    """Hold document, ledger and venue against each other, where nothing is under way."""
    checkpoint = world.checkpoint(world.wanted[0])
    if checkpoint is None or checkpoint.ledger is None:
        return ["there is no document"]
    ledger, state = checkpoint.ledger, checkpoint.state
    # A key that was revoked is on the menu, and stops a run until a person arms again.
    found = [f"it was stopped: {words}" for words in ledger.stops if words != NO_KEY]
    market = VenueConnection(world.wire, world.feed, SYMBOL, world.clock.true_now).market
    held = sum((held_quantity(ledger, id, market) for id in ledger.signals()), ledger.dust)
    if held != world.coins:
        found.append(f"the ledger holds {held}, the venue {world.coins}")
    entries: dict[str, int] = {}
    for order in world.venue.orders.values():
        if order.side == "BUY":
            entries[order.client_id] = entries.get(order.client_id, 0) + 1
    found += [f"entry {id} was accepted {n} times" for id, n in entries.items() if n > 1]
    if state.signal is None and held > ledger.dust:
        found.append(f"idle with {held} pieces")
    if state.is_open and not state.is_sending:
        resting = [each for each in world.venue.live_orders(SYMBOL) if each.side == "SELL"]
        covered = max((each.remaining for each in resting), default=Decimal(0))
        if held - covered >= market.size_step and held >= market.least(Decimal(50)):
            found.append(f"{held} pieces are held, {covered} protected")
    events = world.events(world.wanted[0])
    found += _unknown_ids(world, ledger, {event.signal_id or "" for event in events})
    kinds = [event.kind for event in events]
    if kinds.count("opened") - kinds.count("closed") != int(state.is_open):
        found.append("opened and closed do not match")
    if state.signal is None and not any(order.is_in_doubt for order in ledger.orders):
        made = world.venue.total("USDT") - CASH
        if abs(Decimal(repr(state.earned)) - made) > Decimal("0.02"):
            found.append(f"the run earned {state.earned}, the account {made}")
    return found


def _unknown_ids(world: OrderWorld, ledger: OrderLedger, signals: set[str]) -> list[str]:
    """Check that each entry is the first of a signal, and that the ledger knows what rests."""
    venue, run = world.venue, ledger.run
    once = {client_id(run, signal, "entry", 1) for signal in signals}
    bought = {order.client_id for order in venue.orders.values() if order.side == "BUY"}
    orders = (*ledger.past, *ledger.orders)
    known = {id for order in orders for id in (order.id, *order.leg_ids)}
    resting = {order.client_id for order in venue.live_orders(SYMBOL)}
    return [
        *(f"entry {id} is not the first of a signal" for id in bought - once),
        *(f"nobody knows order {id}, which rests" for id in resting - known),
    ]


def _strategy(seed: int) -> StrategySpec:
    """Return a strategy that enters often, with every form of leaving; it draws by the minute."""

    def chance(ctx: Any) -> float:
        return Random(seed * DAY + ctx.now // MINUTE).random()

    def decide(ctx: Any) -> Any:
        draw = chance(ctx)
        if draw < 0.3:
            return tn.long(take_profit=tn.percent(0.6), stop_loss=tn.percent(0.5), minutes=25)
        if draw < 0.5:
            ladder = [(ctx.price * 1.006, 0.5), (ctx.price * 1.009, 0.5)]
            return tn.long(take_profit=ladder, stop_loss=ctx.price * 0.994)
        if draw < 0.7:
            return tn.long(stop_loss=tn.percent(0.6), trail=0.5, minutes=40)
        if draw < 0.8:
            return tn.long(stop_loss=tn.percent(1), entry=ctx.price * 0.999, wait=10)
        return None

    def manage(ctx: Any) -> Any:
        draw = chance(ctx)
        if draw < 0.1:
            return tn.close()
        if draw < 0.2:
            return tn.close(fraction=0.5)
        if draw < 0.3:
            return tn.move(stop_loss=ctx.price * 0.997)
        return None

    spec = tn.strategy("order-life", every="5m")(decide)
    spec.manage(every="5m")(manage)
    return spec
