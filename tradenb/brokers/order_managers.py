"""`OrderManagers`: one order manager a run, as tasks of the live loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, Protocol

from tradenb.brokers.broker import Broker
from tradenb.brokers.checking.preflight_reading import look_before_arming
from tradenb.brokers.dry_orders import DryOrders, DryTools
from tradenb.brokers.entry_gate import EntryGate, JudgedRun
from tradenb.brokers.manager_tools import NO_MARKET, ManagedRun, Tools
from tradenb.brokers.order_manager import OrderManager
from tradenb.brokers.spot_connection import SpotConnection
from tradenb.core.events import Kind
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_records import Order
from tradenb.engine.ports import Clock, Workers

log = logging.getLogger("tradenb")

SOON_S: Final = 1.0
END_S: Final = 40.0
"""So long a run that ends may take to put its orders right; what has no stop is sold after 30 s."""


class TradingRun(ManagedRun, JudgedRun, Protocol):
    """A live run with a broker; its storage commits ledgers."""

    broker: Broker | None
    wake_orders: Callable[[], None] | None


class Notifier(Protocol):
    """Who tells what."""

    def tell_of_orders(self, run: Any, kind: Kind, reason: str | None, note: str) -> bool:
        """Tell of an alarm, or of a permission; False: nobody listens."""

    def publish_orders(self, run: Any, account: str, orders: tuple[Order, ...]) -> None:
        """Tell of orders that have changed."""


class OrderManagers:
    """Begins and ends the order managers of the runs of a loop.

    Parameters
    ----------
    clock : Clock
    workers : Workers
    notifier : Notifier
    """

    def __init__(self, clock: Clock, workers: Workers, notifier: Notifier) -> None:
        self._clock, self._workers, self._notifier = clock, workers, notifier
        self._running: dict[str, tuple[OrderManager | DryOrders, asyncio.Task[None]]] = {}
        self._ending: dict[str, asyncio.Task[None]] = {}

    def start(self, runs: Iterable[TradingRun]) -> None:
        """Begin the managers of runs that have none; a run that is being released gets none."""
        for run in runs:
            known = self._running.get(run.id)
            works = known is not None and not known[1].done()
            if not works and run.id not in self._ending and run.broker is not None:
                manager = self._manager_of(run, run.broker)
                run.wake_orders = manager.woken.set
                self._running[run.id] = manager, asyncio.create_task(manager.run())

    def end(self, run_id: str) -> asyncio.Task[None]:
        """End the manager of a run once its action is done; `forget` lets another one begin."""
        if run_id not in self._ending:
            self._ending[run_id] = asyncio.create_task(self._end(run_id))
        return self._ending[run_id]

    async def _end(self, run_id: str) -> None:
        manager, task = self._running.pop(run_id, (None, None))
        if manager is None or task is None:
            return
        manager.close()
        if self._clock.stepped:
            task.cancel()  # it is between two actions, and has no more turns
        if not await _ended(task, SOON_S):
            words = (
                "%s: it is released once no order is in doubt and its stop rests, in %g s at most"
            )
            log.warning(words, run_id, END_S)
            if not await _ended(task, END_S - SOON_S):
                task.cancel()
                log.warning(
                    "%s: released although an order is in doubt or a stop is missing: the exchange "
                    "did not help for %g s; start the run again, or run `tradenb guard --once`",
                    run_id,
                    END_S,
                )
                await _ended(task, SOON_S)

    def idle_ms(self, run_id: str) -> int:
        """Return how long a run's manager has nothing to do; 0 while it acts."""
        manager, _ = self._running.get(run_id, (None, None))
        return 0 if manager is None else manager.idle_ms

    def forget(self, run_id: str) -> None:
        """Know that a run is gone; another one of its name may begin."""
        self._ending.pop(run_id, None)

    def cancel(self) -> None:
        """End all at once; what they were sending is in doubt, and is queried by the next loop."""
        for _, task in self._running.values():
            task.cancel()
        self._running.clear()

    def _manager_of(self, run: TradingRun, broker: Broker) -> OrderManager | DryOrders:
        clock = self._clock.beside()
        connect = broker.connect or partial(SpotConnection, broker)
        connection = connect(run.symbol, clock)
        if not broker.sends_orders:
            return self._dry_orders_of(run, broker, connection, clock)
        committed: OrderLedger | None = None

        async def commit(ledger: OrderLedger) -> bool:
            nonlocal committed
            if clock.stepped:  # a rehearsal looks at its protection ten thousand times a week
                before, committed = committed, _without_looks(ledger)
                if before == committed:
                    return False
            synced = await self._workers.call(run.storage.commit_ledger, ledger, seconds=None)
            if news := run.storage.order_journal.take_news():
                self._notifier.tell_of_orders(run, "error", None, news)
            return bool(synced)

        gate = EntryGate(run, broker, connection)
        tools = Tools(
            open_port=connection.open,
            exchange_now=connection.now,
            clock=clock,
            commit=commit,
            gate=gate.judged,
            note=gate.note,
            tell=partial(self._notifier.tell_of_orders, run),
            update=partial(self._notifier.publish_orders, run, broker.id),
            permission=gate.permission,
            killed=gate.killed,
            assure=run.storage.lock.refuse_lost,
            accepted=gate.accepted,
            why_closed=partial(why_closed, connection),
        )
        return OrderManager(run, broker.venue, tools)

    def _dry_orders_of(self, run: Any, broker: Broker, connection: Any, clock: Clock) -> DryOrders:
        tools = DryTools(
            open_port=connection.open,
            exchange_now=connection.now,
            clock=clock,
            look=partial(look_before_arming, broker, run.symbol, run.storage, connection.now),
            tell=partial(self._notifier.tell_of_orders, run),
        )
        return DryOrders(run, broker.id, broker.venue, tools)


async def _ended(task: asyncio.Task[None], seconds: float) -> bool:
    return bool((await asyncio.wait({task}, timeout=seconds))[0])


def why_closed(connection: Any) -> tuple[str, bool]:
    """Return why a connection could not be opened, and whether because of the key."""
    words = getattr(connection, "trouble", "") or NO_MARKET
    return words, getattr(connection, "key_refused", False)


def _without_looks(ledger: OrderLedger) -> OrderLedger:
    """Return a ledger without what every look at its orders changes."""
    orders = tuple(
        order._replace(queries=0, queried_at=None, seen_at=None) for order in ledger.orders
    )
    return ledger._replace(orders=orders, looked_at=None)
