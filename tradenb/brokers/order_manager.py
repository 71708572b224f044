"""`OrderManager`: the loop of one run that does what the order machine names, one thing at a time.

It reads what is wanted from the state that is on disk, and puts every step of an order on disk
before the next. It has no memory of its own that matters: it may be ended and begun at any moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Final, assert_never

from tradenb.brokers.manager_tools import ManagedRun, Port, Tools
from tradenb.brokers.order_news import OrderNews
from tradenb.core.orders.answers import Answer, NotSent
from tradenb.core.orders.apply import apply, intended
from tradenb.core.orders.ledger import OrderLedger, changed_orders, pruned, restarted, rewound
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
from tradenb.core.orders.order_alarms import AlarmName
from tradenb.core.orders.order_records import ZERO, DesiredPosition, Order
from tradenb.core.orders.protection import is_at_rest
from tradenb.core.orders.reconciliation.reconcile import with_unknown_position
from tradenb.core.orders.reducing import Situation
from tradenb.core.orders.venue import OrderMarket, Venue
from tradenb.core.values import Problem
from tradenb.errors import StateConflict, StateError, StateLocked

log = logging.getLogger("tradenb")

RETRY_MS: Final = 5_000
"""After so long an exchange that gave no market is asked again."""
LONGEST_WAIT_MS: Final = 15_000
PERMISSION_MS: Final = 2_000
"""So often the permission is read while entries wait for a person; the exchange is not asked."""
JUMP_MS: Final = 1_000
"""The time of the exchange goes back by less when it is measured again."""


class OrderManager:
    """The orders of one run.

    Parameters
    ----------
    run : ManagedRun
    venue : Venue
    tools : Tools

    Attributes
    ----------
    woken : Event
        Set when the run has committed, or is to end.
    idle_ms : int
        So long it has nothing to do; 0 while it acts.
    """

    def __init__(self, run: ManagedRun, venue: Venue, tools: Tools) -> None:
        self._run, self._venue, self._tools = run, venue, tools
        self.woken = asyncio.Event()
        self.idle_ms = 0
        self._port: Port | None = None
        self._closing = self._begun = False
        self._news = OrderNews(run, tools.tell)
        self._latest = 0
        self._counted: int | None = None  # since when refusals count anew, told or not
        self._is_saved = False

    def close(self) -> None:
        """End once nothing is under way and what is held has its stop."""
        self._closing = True
        self.woken.set()

    async def run(self) -> None:
        """Do what is to be done until it is closed; nothing that goes wrong ends it."""
        tools = self._tools
        try:
            while not self._is_over():
                self.woken.clear()
                try:
                    tools.assure()
                    until = await self._step()
                    self._news.end("failed", "locked_out")
                    permission = tools.permission()
                    self._news.look(permission, tools.exchange_now())
                    longest = PERMISSION_MS if permission.since is None else LONGEST_WAIT_MS
                except StateLocked as error:  # who has the run has its orders, too
                    self._say("locked_out", f"process {error.pid} on {error.host} has the run")
                    until, longest = tools.exchange_now() + RETRY_MS, LONGEST_WAIT_MS
                except Exception as error:  # exits depend on this loop
                    log.exception("%s: an action on its orders failed", self._run.id)
                    self._say("failed", f"an action on its orders failed ({error!r:.200})")
                    until, longest = tools.exchange_now() + RETRY_MS, LONGEST_WAIT_MS
                self.idle_ms = 0 if until is None else until - tools.exchange_now()
                if until is not None and not self._is_over():
                    ahead = min(max(until - tools.exchange_now(), 1), longest)
                    await tools.clock.wait(self.woken, tools.clock.now() + ahead)
        finally:
            if self._port is not None:
                with contextlib.suppress(Exception):  # the sockets end with the process
                    await self._port.close()

    def _is_over(self) -> bool:
        """Tell whether it is to end, and may: moving a stop is a cancel and then an order."""
        ledger = self._run.ledger
        if not self._closing or self._port is None or ledger is None:
            return self._closing
        return is_at_rest(ledger, self._port.market)

    async def _step(self) -> int | None:
        """Do one thing; return until when there is nothing to do, ms of the exchange."""
        tools, run = self._tools, self._run
        wanted = run.desired
        if wanted is None:
            return tools.exchange_now() + 1_000
        if not await self._is_ready() or self._port is None or run.ledger is None:
            return tools.exchange_now() + RETRY_MS
        known = self._timely(run.ledger)
        run.ledger = self._accepted(known)
        if (run.ledger.stops, run.ledger.unexplained) != (known.stops, known.unexplained):
            return None  # the permission is told before a look may end it again
        # What is over and was told on disk; the next commit takes it along.
        market = self._port.market
        ledger = pruned(run.ledger, run.heard, wanted.signal_id, market)._replace(market=market)
        run.ledger = ledger = self._dated(ledger, with_unknown_position(ledger, wanted))
        situation = self._situation(wanted, ledger, market)
        action = next_action(situation)
        match action:
            case Wait():
                return action.until
            case Submit() if action.order.role == "entry":
                await self._enter(situation, action)
            case Submit():
                await self._send(action.order)
            case Tell():
                await self._follow(action)
            case Query():
                await self._follow(await self._port.query(action.order))
            case Cancel():
                await self._follow(await self._port.cancel(action.order))
            case QueryOpen():
                await self._follow(await self._port.open_orders(trades=action.trades))
            case Reconcile():
                answer = await self._port.overview(action.since)
                await self._port.refresh_market()
                await self._follow(answer)
            case _:
                assert_never(action)
        return None

    def _timely(self, ledger: OrderLedger) -> OrderLedger:
        """Wait for no moment that was later before the time of the exchange went back."""
        before, self._latest = self._latest, self._tools.exchange_now()
        went_back = self._latest < before - JUMP_MS
        return rewound(ledger, self._latest) if went_back else ledger

    def _dated(self, before: OrderLedger, after: OrderLedger) -> OrderLedger:
        return after.with_trouble(before, self._tools.clock.now())

    def _accepted(self, ledger: OrderLedger) -> OrderLedger:
        """Drop what nobody could explain once a person accepts it, or armed after it was found.

        A new permission counts refusals anew.
        """
        trouble = (*ledger.stops, *ledger.unexplained)
        if not trouble and not ledger.refusals:
            return ledger
        since = self._tools.permission().since
        if since is not None and since not in (ledger.armed_since, self._counted):
            ledger, self._counted = ledger._replace(refusals=0), since
        if not trouble:
            return ledger
        ledger = self._dated(ledger, ledger)
        found = ledger.trouble_at
        armed = since is not None and found is not None and since > found
        words = trouble if armed else self._tools.accepted()
        return ledger.with_accepted(words) if words else ledger

    async def _is_ready(self) -> bool:
        """Open the way to the exchange and take the ledger over, where that is still to be done."""
        if self._port is None:
            self._port = await self._tools.open_port()
        if self._port is None:
            words, no_key = self._tools.why_closed()
            self._news.end("no_market" if no_key else "key_refused")
            self._say("key_refused" if no_key else "no_market", words)
            return False
        self._news.end("no_market", "key_refused")
        if self._run.ledger is None or not self._begun:
            await self._begin()
        return self._run.ledger is not None

    async def _begin(self) -> None:
        """Take the ledger over: what an earlier process was sending is in doubt."""
        run, now = self._run, self._tools.exchange_now()
        async with run.commit_lock:
            if run.ledger_name is None:
                return
            known, self._begun = run.known_ledger, True
            run.ledger = (
                OrderLedger(run.ledger_name, started_at=now)
                if known is None
                else rewound(restarted(known, now - run.quiet_ms), now)
            )

    def _situation(
        self, wanted: DesiredPosition, ledger: OrderLedger, market: OrderMarket
    ) -> Situation:
        price = self._run.last_price
        return Situation(
            wanted=wanted,
            ledger=ledger,
            venue=self._venue,
            market=market,
            price=ZERO if price is None else Decimal(repr(price)),
            now=self._tools.exchange_now(),
        )

    async def _enter(self, situation: Situation, action: Submit) -> None:
        """Send an entry if the gate lets it pass; the account is locked until it is on disk."""
        wanted, before, order = situation.wanted, situation.ledger, action.order
        after = intended(before, order)
        async with self._tools.gate(wanted, before, after, situation.market) as problems:
            if problems:
                refusing = situation._replace(refused=_words(problems))
                told = next_action(refusing)
                if isinstance(told, Tell):
                    await self._follow(told)
                return
            if not await self._commit(lambda ledger: intended(ledger, order)):
                await self._follow(NotSent(order.id, "the document could not be written"))
                return
        if self._tools.killed():  # it came while the document was written
            await self._follow(NotSent(order.id, "the kill switch is on"))
            return
        await self._submit(order)

    async def _send(self, order: Order) -> None:
        """Send a reducing order; a full disk does not keep it back."""
        await self._commit(lambda ledger: intended(ledger, order))
        await self._submit(order)

    async def _submit(self, order: Order) -> None:
        if self._port is not None:
            await self._follow(await self._port.submit(order))

    async def _follow(self, answer: Answer | Tell) -> None:
        """Put what is known now into the ledger, and on disk."""
        if self._port is None:
            return
        market, now = self._port.market, self._tools.exchange_now()
        await self._commit(
            lambda ledger: self._dated(ledger, apply(ledger, answer, self._venue, market, now))
        )
        if self._run.ledger is not None:  # who armed meanwhile has seen what was found before
            self._run.ledger = self._accepted(self._run.ledger)
            self._tools.note(self._run.ledger, market)

    async def _commit(self, change: Callable[[OrderLedger], OrderLedger]) -> bool:
        """Change the ledger and put it on disk; tell whether it survives a power loss.

        A look that found nothing new is not written.
        """
        run = self._run
        async with run.commit_lock:
            if run.ledger is None:
                return False
            before, run.ledger = run.ledger, change(run.ledger)
            if self._is_saved and run.ledger._replace(looked_at=before.looked_at) == before:
                return True
            self._is_saved = False
            self._log_ended(before, run.ledger)
            self._tools.update(changed_orders(before, run.ledger))
            try:
                synced = await self._tools.commit(run.ledger)
                self._news.end("conflict", "not_saved")
                self._is_saved = True
                return synced
            except StateConflict as error:
                self._say("conflict", str(error))
                return False
            except StateLocked:  # nothing more is sent, neither what was to be saved
                raise
            except (StateError, OSError) as error:
                self._say("not_saved", f"orders could not be saved: {error}")
                return False

    def _log_ended(self, before: OrderLedger, after: OrderLedger) -> None:
        """Log a protection that ended at the exchange, not filled and not by us."""
        for order in changed_orders(before, after):
            rested = order.role == "protection" and order.working_at is not None
            unfilled = order.ending == "cancelled" and order.filled == 0
            if rested and unfilled and order.cancelled_at is None:
                words = "%s: the stop %s was cancelled at the exchange, not by this run"
                log.warning(words, self._run.id, order.id)

    def _say(self, name: AlarmName, words: str) -> None:
        self._news.say(name, words, self._tools.exchange_now())


def _words(problems: tuple[Problem, ...]) -> str:
    return "; ".join(f"{each.name} | {each.words}" for each in problems)
