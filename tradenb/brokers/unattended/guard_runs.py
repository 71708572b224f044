"""`tradenb guard`: looking after the orders of runs that no process has.

Protection that is gone is placed again, unknown outcomes are found out, and what cannot be
protected, has expired or is killed is sold. Nothing is entered. A run that starts gets its lock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from tradenb.brokers.broker import Broker
from tradenb.brokers.broker_file import recorded_broker
from tradenb.brokers.unattended.document_run import DocumentRun
from tradenb.brokers.unattended.follow_orders import follow, left_status, left_words
from tradenb.brokers.unattended.force_close import runs_with_orders
from tradenb.core.orders.ledger import is_flat
from tradenb.core.orders.order_alarms import AlarmName
from tradenb.engine.ports import Clock
from tradenb.errors import StateLocked, TradenbError
from tradenb.store.filesystem import Filesystem
from tradenb.store.paths import Home, Key

log = logging.getLogger("tradenb")

LOOK_S: Final = 45.0
"""A look at one run takes so long at most, so that what has no stop for 30 s is sold by it."""
_UNSAFE: Final = frozenset[AlarmName]({"unprotected", "unknown_outcome", "cannot_exit"})
BrokerOf = Callable[[Filesystem, Home, str], Broker]


class GuardedRun(NamedTuple):
    """What a look found of one run, once it was over.

    Attributes
    ----------
    account, run : str
    safe : bool
        Nothing is left, or all of it has its stop, and no outcome is unknown.
    words : str
    """

    account: str
    run: str
    safe: bool
    words: str


async def guard_once(
    filesystem: Filesystem,
    home: Home,
    clock: Clock,
    *,
    broker_of: BrokerOf = recorded_broker,
    sleep: Callable[[float], Any] = asyncio.sleep,
) -> list[GuardedRun]:
    """Look once after all runs under a home that have something at an exchange and no process.

    Parameters
    ----------
    broker_of : callable
        Returns how an account is reached.
    sleep : callable
        Waits a number of seconds.
    """
    alone = [held for held in runs_with_orders(filesystem, home) if held.pid is None]

    async def look(key: Key, account: str) -> GuardedRun | None:
        try:
            with DocumentRun(filesystem, home, key, clock, yields=True) as run:
                broker = broker_of(filesystem, home, account)
                await follow(
                    run, broker, clock, seconds=LOOK_S, stops=lambda: run.lock.is_wanted,
                    sleep=sleep,
                )  # fmt: skip
                found = _guarded(run)
                if found is None or not run.doubt:
                    return found
                return found._replace(safe=False, words=f"{found.words}; {run.doubt}")
        except StateLocked:
            return None  # its process is back
        except Exception as error:  # the other runs are looked after all the same
            if not isinstance(error, TradenbError | OSError):
                log.exception("%s could not be looked after", key.id)
            return GuardedRun(account, key.id, False, str(error) or type(error).__name__)

    found = await asyncio.gather(*(look(held.key, held.account) for held in alone))
    return [each for each in found if each is not None]


def _guarded(run: DocumentRun) -> GuardedRun | None:
    if run.lock.is_wanted:
        return None
    status = left_status(run)
    if is_flat(run.known_ledger, run.desired) and run.has_looked:
        asked = (f"{alarm.name}: {alarm.words}" for alarm in status.alarms)
        words = "; ".join(("nothing is left at the exchange", *asked))
        return GuardedRun(run.account, run.id, True, words)
    safe = (
        run.has_looked
        and not status.in_doubt
        and all(shield.level == "good" for shield in status.shields)
        and _UNSAFE.isdisjoint(alarm.name for alarm in status.alarms)
    )
    return GuardedRun(run.account, run.id, safe, left_words(run))
