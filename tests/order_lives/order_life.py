"""One life of the order machine: a plain strategy, faults and deaths in `order_life_world.py`."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from tests.order_lives.order_life_checks import OrderChecks
from tests.order_lives.order_life_world import SYMBOL, LifePlan, LifeWorld
from tradenb.core.orders.answers import Answer, NotSent
from tradenb.core.orders.apply import apply, intended
from tradenb.core.orders.ledger import OrderLedger, pruned, restarted
from tradenb.core.orders.next_action import next_action
from tradenb.core.orders.order_actions import (
    Cancel,
    Query,
    QueryOpen,
    Reconcile,
    Submit,
    Tell,
    Wait,
)
from tradenb.core.orders.order_records import FLAT, ZERO, DesiredPosition, ExecutionReport, Order
from tradenb.core.orders.reducing import Situation
from tradenb.core.orders.venue import BINANCE_SPOT, Venue, stepped
from tradenb.core.timeframe import MINUTE

MOST_STEPS: Final = 4_000
_PATIENCE_MS: Final = 30_000
_ACCEPTS: Final = 0.7
"""Share of the minutes in which the owner accepts what nobody can explain."""


class ProcessDied(Exception):
    """The process is gone; what was committed is left."""


class _Document(NamedTuple):
    wanted: DesiredPosition
    heard: int
    sold: Decimal
    signals: int
    ledger: OrderLedger


class OrderLife(LifeWorld):
    """A run of one symbol on a spot venue whose account also holds coins of its owner.

    Parameters
    ----------
    seed : int
    plan : LifePlan, optional
    venue : Venue, optional
        What the machine believes of the exchange.
    """

    def __init__(
        self, seed: int, plan: LifePlan | None = None, venue: Venue = BINANCE_SPOT
    ) -> None:
        super().__init__(seed, plan or LifePlan(), venue)
        self.killed = self.waits = False
        self.kill_at = self.now + self.random.choice((5, 60, 60)) * MINUTE
        self.full_until = 0
        self.steps = 0
        self.market = self._market()
        ledger = OrderLedger(f"sandbox {SYMBOL} life {seed}", started_at=self.now)
        self.committed = self.doc = _Document(FLAT, 0, ZERO, 0, ledger)
        self.checks = OrderChecks(self.wire, "BTC")

    def play(self) -> list[str]:
        """Play the whole life; return what was violated."""
        end = self.now + self.plan.minutes * MINUTE
        while self.now < end and not self.checks.found:
            self._step()
        self.calm = True
        self.wire.faults.clear()
        self._rest(3 * MINUTE)
        self.killed = True
        self._rest(4 * MINUTE)
        self.checks.at_rest(self.doc.ledger, self._market(), self.price)
        self.checks.told(self.doc.ledger, self.doc.sold)
        if self.plan.longest is not None:
            self.checks.covered(self.plan.longest)
        return self.checks.found

    def _rest(self, ms: int) -> None:
        """Let time pass without faults, at the end also without a change of the price.

        What the last candle asked for, such as another stop or an exit, is done before it is
        judged; an exit that is refused at first gets half a minute.
        """
        end = self.now + ms
        late = end + _PATIENCE_MS
        while (
            self.now < end or not self.waits or (self._leaves and self.now < late)
        ) and not self.checks.found:
            self.still = self.now > end - MINUTE
            self._step()
        self.still = False
        if not self.checks.found:
            self.checks.protected(self.doc.ledger, self.market, self.price)

    @property
    def _leaves(self) -> bool:
        """Whether an exit was wanted that is not told yet: a refused one is tried again."""
        wanted, ledger = self.doc.wanted, self.doc.ledger
        return wanted.want == "exit" and not ledger.told(wanted.signal_id, "exited", "not_entered")

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            self.checks.found.append(f"{MOST_STEPS} steps: it does not come to rest")
        try:
            if self.now >= self.next_candle:
                self.next_candle += MINUTE
                self._candle()
            self._act()
        except ProcessDied:
            self._restart()
        # Dust is no position, though a better price may make it enough for an order.
        least = self.market.least(self.price) + self.market.size_step + self.doc.ledger.dust
        self.checks.always(self.killed, self.now, least)

    def _restart(self) -> None:
        dead = self.random.choice((500, 5_000, 40_000, 130_000))
        self._pass(dead)
        self.checks.died(dead)
        self.checks.restarted()
        self.next_candle = max(self.next_candle, self.now // MINUTE * MINUTE)
        ledger = restarted(self.committed.ledger, self.now - self.lag)
        self.committed = self.doc = self.committed._replace(ledger=ledger)

    def _may_die(self) -> None:
        if not self.calm and self.random.random() < self.plan.deaths:
            raise ProcessDied

    def _commit(self) -> bool:
        """Write the document; False: it could not be written."""
        self._may_die()
        self._pass(20)
        if self.now < self.full_until and not self.calm:
            return False
        self.committed = self.doc
        self.checks.wrote()
        self._may_die()
        return True

    def _put(self, ledger: OrderLedger) -> None:
        self.doc = self.doc._replace(ledger=ledger)

    def _hear(self, answer: Answer | Tell) -> None:
        self.checks.heard(answer)
        now = self.now - self.lag
        self._put(apply(self.doc.ledger, answer, self.venue, self.market, now))

    def _act(self) -> None:
        if self.random.random() < self.plan.disk_full:
            self.full_until = self.now + self.random.choice((2_000, 90_000))
        situation = Situation(
            wanted=self.doc.wanted,
            ledger=self.doc.ledger,
            venue=self.venue,
            market=self.market,
            price=self.price,
            now=self.now - self.lag,
            refused="kill" if self.killed else "",
        )
        action = next_action(situation)
        self.waits = isinstance(action, Wait)
        match action:
            case Wait():
                until = min(action.until + self.lag, self.next_candle, self.now + 15_000)
                self._pass(max(1, until - self.now))
            case Tell():
                self.checks.tells.append(action)
                self._hear(action)
                self._commit()
            case Submit():
                self._submit(action.order)
            case Query():
                self._hear(self.port.query(action.order))
                self._commit()
            case Cancel():
                answer = self.port.cancel(action.order)
                self._may_die()
                self._hear(answer)
            case QueryOpen():
                self._hear(self.port.open_orders(trades=action.trades))
                self._commit()
            case Reconcile():
                answer = self.port.overview(action.since)
                self.market = self._market()
                self._hear(answer)
                self._commit()

    def _submit(self, order: Order) -> None:
        self._put(intended(self.doc.ledger, order))
        if not self._commit() and order.role == "entry":
            self._hear(NotSent(order.id, "the document could not be written"))
            return
        self._may_die()
        answer = self.port.submit(order)
        self._may_die()
        self._hear(answer)
        self._commit()

    # --- the strategy ----------------------------------------------------------------------------

    def _candle(self) -> None:
        """Take what the orders did, then decide."""
        at = self.next_candle - MINUTE
        self.killed = self.killed or at >= self.kill_at
        before = self.doc
        wanted, heard, sold = before.wanted, before.heard, before.sold
        for report in before.ledger.reports:
            if report.seq > heard and report.at < at:
                wanted, heard = _after(wanted, report), report.seq
                sold += report.quantity if report.kind in ("reduced", "exited") else ZERO
        wanted = self._decide(wanted)
        signals = before.signals + (wanted.signal_id not in ("", before.wanted.signal_id))
        ledger = pruned(before.ledger, heard, wanted.signal_id, self.market)
        self.checks.forgot(before.ledger, ledger)
        if ledger.unexplained and self.random.random() < _ACCEPTS:
            ledger = ledger.with_accepted(ledger.unexplained)
        self.doc = _Document(wanted, heard, sold, signals, ledger)
        if not self._commit():  # the next candle is decided again, on what was there before
            self.doc = before

    def _decide(self, wanted: DesiredPosition) -> DesiredPosition:
        chance, now = self.random.random(), self.now - self.lag
        if wanted.want == "flat":
            at_rest = all(order.is_done for order in self.doc.ledger.orders)
            if chance < 0.5 and at_rest and not self.calm:
                return self._enter(now)
            return wanted
        if wanted.want != "hold":
            return wanted
        if self.killed or chance < 0.12:
            return wanted._replace(want="exit", since=now, reason="strategy")
        if self.price <= wanted.stop:
            return wanted._replace(want="exit", since=now, reason="stop_loss")
        if chance < 0.3:
            stop = self.price * Decimal("0.995")
            return wanted._replace(stop=max(wanted.stop, stop))
        if chance < 0.4:
            return wanted._replace(quantity=wanted.quantity / 2, reason="strategy")
        if chance < 0.45:
            return wanted._replace(target=None)
        return wanted

    def _enter(self, now: int) -> DesiredPosition:
        distance = Decimal(self.random.choice((3, 6, 15))) / 1_000
        money = Decimal(self.random.choice((6, 20, 150, 900)))
        has_target = self.random.random() < 0.7
        return DesiredPosition(
            want="enter",
            signal_id=f"s{self.doc.signals + 1}",
            since=now,
            quantity=self.market.pieces(money / self.price),
            limit=stepped(self.price * Decimal("1.002"), self.market.price_step),
            stop=self.price * (1 - distance),
            target=self.price * (1 + distance) if has_target else None,
        )


def _after(wanted: DesiredPosition, report: ExecutionReport) -> DesiredPosition:
    """Return what is wanted after a report, as the lifecycle does."""
    if report.signal_id != wanted.signal_id:
        return wanted
    match report.kind:
        case "entered":
            return wanted._replace(want="hold", quantity=report.quantity)
        case "reduced":
            return wanted._replace(quantity=max(wanted.quantity - report.quantity, ZERO))
        case _:
            return FLAT
