"""`DryOrders`: what an exchange would say to the orders of a run that sends none (mode "dry").

Candles fill. Each order that an armed account would have sent is shown to the exchange as a test
order, which it checks and never places; entries are judged by the gate as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Final, NamedTuple, Protocol

from tradenb.brokers.order_news import TellEvent
from tradenb.core.lifecycle.exchange_route import MAX_ENTRY_SLIPPAGE, desired_position
from tradenb.core.lifecycle.state import State
from tradenb.core.orders.answers import NotSent, Refused, Unclear
from tradenb.core.orders.gate import AccountFacts, Arm, gate
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_actions import Submit
from tradenb.core.orders.order_alarms import Alarm
from tradenb.core.orders.order_records import FLAT, ZERO, DesiredPosition, Execution, Order
from tradenb.core.orders.protection import protective_order
from tradenb.core.orders.reducing import Situation, send
from tradenb.core.orders.venue import OrderMarket, Venue, stepped
from tradenb.core.signal import Time
from tradenb.core.timeframe import DAY
from tradenb.core.values import Problem
from tradenb.engine.ports import Clock

log = logging.getLogger("tradenb")

RETRY_MS: Final = 5_000
LOOK_EVERY_MS: Final = 600_000
"""So often the account is looked at as before arming."""
_NO_LIMIT: Final = Decimal(10**12)
Checked = NotSent | Refused | Unclear | None


class DryPort(Protocol):
    """The way to one symbol, as far as it sends nothing."""

    @property
    def market(self) -> OrderMarket:
        """Steps and fees as they are now."""

    async def check(self, order: Order) -> Checked:
        """Have the exchange check an order that is not placed."""

    async def free(self) -> Decimal | None:
        """Return the money that is not locked."""

    async def close(self) -> None:
        """Close the sessions."""


class DryRun(Protocol):
    """What is needed of a live run."""

    id: str
    symbol: str
    strategy: str

    @property
    def state(self) -> State | None:
        """What is on disk."""

    @property
    def last_price(self) -> float | None:
        """Market price at the cursor."""


class DryTools(NamedTuple):
    """What it works with.

    Attributes
    ----------
    open_port : callable
        Opens the way to the exchange; None while it cannot be reached.
    exchange_now : callable
        Time of the exchange, ms UTC.
    clock : Clock
    look : callable
        Looks at the account as arming does, and returns why it would not be armed.
    tell : callable
        Tells of an alarm.
    """

    open_port: Callable[[], Awaitable[DryPort | None]]
    exchange_now: Callable[[], int]
    clock: Clock
    look: Callable[[], Awaitable[tuple[Problem, ...]]]
    tell: TellEvent


class DryOrders:
    """The orders that one run would send.

    Parameters
    ----------
    run : DryRun
    account : str
    venue : Venue
    tools : DryTools

    Attributes
    ----------
    woken : Event
        Set when the run has committed, or is to end.
    idle_ms : int
        How long there is nothing to do.
    """

    def __init__(self, run: DryRun, account: str, venue: Venue, tools: DryTools) -> None:
        self._run, self._account, self._venue, self._tools = run, account, venue, tools
        self.woken = asyncio.Event()
        self.idle_ms = 0
        self._closing = False
        self._port: DryPort | None = None
        self._held: DesiredPosition | None = None
        self._looked_at: Time | None = None
        self._told: frozenset[str] = frozenset()
        self._refused: dict[str, str] = {}

    def close(self) -> None:
        """End after what is under way."""
        self._closing = True
        self.woken.set()

    async def run(self) -> None:
        """Try the orders of what the run does, until it is closed; nothing that fails ends it."""
        clock = self._tools.clock
        try:
            while not self._closing:
                self.woken.clear()
                try:
                    self.idle_ms = await self._step()
                except Exception:  # what it would tell is no reason to disturb the run
                    log.exception("%s: its orders could not be tried", self._run.id)
                    self.idle_ms = RETRY_MS
                if not self._closing:
                    await clock.wait(self.woken, clock.now() + self.idle_ms)
        finally:
            if self._port is not None:
                with contextlib.suppress(Exception):  # the sockets end with the process
                    await self._port.close()

    async def _step(self) -> int:
        """Try what is new; return for how long there is nothing to do, ms."""
        if self._port is None:
            self._port = await self._tools.open_port()
        if self._port is None:
            return RETRY_MS
        await self._look()
        state = self._run.state
        if state is None:
            return RETRY_MS
        before, now = self._held, held_of(state)
        self._held = now
        if before is not None:  # else an earlier process has tried it
            await self._try_orders(self._port, before, now, state)
        return LOOK_EVERY_MS

    async def _look(self) -> None:
        """Look at the account from time to time; tell why it would not be armed, each once."""
        now = self._tools.exchange_now()
        if self._looked_at is not None and now < self._looked_at + LOOK_EVERY_MS:
            return
        self._looked_at = now
        found = frozenset(f"{each.name} | {each.words}" for each in await self._tools.look())
        for words in sorted(found - self._told):
            self._tell(f"arming would have been refused: {words}")
        self._told = found

    async def _try_orders(
        self, port: DryPort, before: DesiredPosition, now: DesiredPosition, state: State
    ) -> None:
        """Have the orders checked that lead from one position to another."""
        entered = now.want == "hold" and now.signal_id != before.signal_id
        if before.want == "hold":
            left = before.quantity - (ZERO if entered else now.quantity)
            if left > 0:
                await self._check(port, before.signal_id, "exit", left)
        if now.want != "hold":
            return
        if state.signal is not None and state.signal.position == "short":
            words = "entry would have been refused: short_on_spot | spot sells what is held"
            self._tell_first("short", "short_on_spot", words)
            return
        if now.quantity > before.quantity or entered:
            more = now.quantity - (ZERO if entered else before.quantity)
            await self._judge(port, now._replace(quantity=more))
            await self._check(port, now.signal_id, "entry", more, limit=now.limit)
        if entered or (now.stop, now.target, now.quantity) != (
            before.stop, before.target, before.quantity
        ):  # fmt: skip
            await self._check(port, now.signal_id, "protection", now.quantity, wanted=now)

    async def _judge(self, port: DryPort, wanted: DesiredPosition) -> None:
        """Tell why the gate would have refused an entry."""
        now, price = self._tools.exchange_now(), self._run.last_price
        facts = AccountFacts(
            account=self._account,
            symbol=self._run.symbol,
            strategy=self._run.strategy,
            price=ZERO if price is None else Decimal(repr(price)),
            market=port.market,
            free=await port.free(),
            checked_at=now,
            venue_checked=True,  # `look` says whether it is
        )
        arm = Arm(
            self._account, (facts.symbol,), (facts.strategy,), max_order=_NO_LIMIT,
            max_total=_NO_LIMIT, max_daily_loss=_NO_LIMIT, max_open=10**6, orders_an_hour=10**6,
            since=now, until=now + DAY,
        )  # fmt: skip
        found = gate(arm, wanted, facts, now)
        words = "; ".join(f"{each.name} | {each.words}" for each in found)
        names = " ".join(each.name for each in found)
        self._tell_first("gate", names, f"entry would have been refused: {words}")

    async def _check(
        self,
        port: DryPort,
        signal_id: str,
        role: Any,
        pieces: Decimal,
        *,
        limit: Decimal | None = None,
        wanted: DesiredPosition | None = None,
    ) -> None:
        """Have the exchange check one order; tell what it says against it."""
        market, now = port.market, self._tools.exchange_now()
        ledger = OrderLedger(f"{self._account} {self._run.id}", started_at=now)
        situation = Situation(FLAT, ledger, self._venue, market, ZERO, now)
        if wanted is not None:
            kind, pieces, price, trigger = protective_order(wanted, pieces, self._venue, market)
            made = send(situation, signal_id, role, kind, pieces, price=price, trigger=trigger)
        elif limit is not None:
            price = stepped(limit, market.price_step)
            made = send(situation, signal_id, role, "ioc", market.pieces(pieces), price=price)
        else:
            made = send(situation, signal_id, role, "market", market.pieces(pieces))
        if isinstance(made, Submit):
            found = await port.check(made.order)
            why = "" if found is None else found.why or "no answer"
            ended = "would have been refused" if isinstance(found, Refused) else "was not checked"
            self._tell_first(role, why, f"{role} of {made.order.quantity} pieces {ended}: {why}")

    def _tell_first(self, what: str, why: str, words: str) -> None:
        """Tell of a refusal; of those in a row for one reason the first. No reason: none."""
        if why and why != self._refused.get(what):
            self._tell(words)
        self._refused[what] = why

    def _tell(self, words: str) -> None:
        self._tools.tell("alarm", "would_refuse", Alarm("would_refuse", words).text)


def held_of(state: State) -> DesiredPosition:
    """Return what a run on paper holds, as an exchange would be asked to hold it."""
    signal, money = state.signal, None if state.holding is None else state.holding.money
    if signal is None or money is None or not state.is_open:
        return FLAT
    limit = signal.entry * (1 + MAX_ENTRY_SLIPPAGE)
    execution = Execution(want="hold", since=state.cursor, quantity=money.quantity, limit=limit)
    return desired_position(state._replace(execution=execution))
