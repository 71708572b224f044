"""Following the orders of a document with an order manager, for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from tradenb.brokers.broker import Broker
from tradenb.brokers.order_managers import OrderManagers
from tradenb.brokers.status.order_status import OrderStatus, order_status
from tradenb.brokers.unattended.document_run import DocumentRun
from tradenb.core.events import Kind
from tradenb.core.orders.ledger import is_flat
from tradenb.core.orders.order_records import Order
from tradenb.engine.ports import Clock

LOOK_S: Final = 0.05
IDLE_MS: Final = 10_000
"""A manager that does nothing for so long has done all that can be done now."""


class InlineCalls:
    """Calls functions at once: nothing else is to go on meanwhile."""

    async def call(self, function: Callable[..., Any], *args: Any, seconds: float | None) -> Any:
        """Call a function and return its result."""
        del seconds
        return function(*args)

    def close(self, keep: int = 0) -> None:
        """Close nothing."""


class NobodyListens:
    """A notifier of a run without subscribers: what is wrong is in `DocumentRun.alarms`."""

    def tell_of_orders(self, run: Any, kind: Kind, reason: str | None, note: str) -> bool:
        """Tell nobody."""
        del run, kind, reason, note
        return False

    def publish_orders(self, run: Any, account: str, orders: tuple[Order, ...]) -> None:
        """Tell nobody."""


async def follow(
    run: DocumentRun,
    broker: Broker,
    clock: Clock,
    *,
    seconds: float,
    stops: Callable[[], bool] = lambda: False,
    until_flat: bool = False,
    sleep: Callable[[float], Any] = asyncio.sleep,
) -> None:
    """Let an order manager follow a document until there is nothing to do, or its key is refused.

    Parameters
    ----------
    run : DocumentRun
        With its lock.
    seconds : float
        At most so long.
    stops : callable
        Tells that it is to end now; what is under way is in doubt then, and is queried later.
    until_flat : bool
        Only an exchange where nothing of the run is left is the end.
    sleep : callable
        Waits a number of seconds.
    """
    run.broker = broker
    managers = OrderManagers(clock, InlineCalls(), NobodyListens())
    managers.start([run])
    ends = clock.monotonic() + seconds
    try:
        while clock.monotonic() < ends and not stops() and not _is_refused(run):
            if run.has_looked:
                rests = not until_flat and managers.idle_ms(run.id) >= IDLE_MS and _is_covered(run)
                if rests or is_flat(run.known_ledger, run.desired):
                    break
            await sleep(LOOK_S)
    finally:
        if stops():
            managers.cancel()
        await managers.end(run.id)


def _is_refused(run: DocumentRun) -> bool:
    """Tell whether the exchange refused the key at once; another try would be in vain."""
    return run.ledger is None and any(alarm.name == "key_refused" for alarm in run.alarms)


def _is_covered(run: DocumentRun) -> bool:
    """Tell whether all that is held has its stop."""
    return all(shield.stop is not None for shield in left_status(run).shields)


def left_status(run: DocumentRun) -> OrderStatus:
    """Return how the orders of a document are, with ages of now."""
    return order_status(run.account, run.known_ledger, run.now(), run.alarms)


def left_words(run: DocumentRun) -> str:
    """Say in a line what is left of a run, and what is wrong with it."""
    status = left_status(run)
    held = (f"{shield.held.normalize():f} pieces" for shield in status.shields)
    alarms = (f"{alarm.name}: {alarm.words}" for alarm in status.alarms)
    words = "; ".join((*held, *status.words, *alarms))
    return words if run.has_looked else f"not reconciled now; as its document says: {words}"
