"""Closing the runs of a home in place of their processes: those that hang are ended before.

The order machine is the one of a run. It needs the document, the recorded broker with its keys, and
the exchange; no strategy code and no candles.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from tradenb.brokers.broker_file import recorded_broker
from tradenb.brokers.unattended.document_run import DocumentRun
from tradenb.brokers.unattended.follow_orders import follow, left_words
from tradenb.brokers.unattended.lock_holder import activity_of, end_process, refuse_other
from tradenb.core.lifecycle.exchange_route import desired_position
from tradenb.core.orders.gate import sends_orders
from tradenb.core.orders.ledger import is_flat
from tradenb.engine.ports import Clock
from tradenb.engine.serialise import from_record
from tradenb.errors import StateError, StateLocked, TradenbError
from tradenb.store.document.ledger_record import ledger_from_record
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import Filesystem
from tradenb.store.journal.order_journal import OrderJournal
from tradenb.store.lock import holder_of
from tradenb.store.paths import Home, Key

CLOSE_S: Final = 30.0


class HeldRun(NamedTuple):
    """A run with orders, as its document says, and the process that has it.

    Attributes
    ----------
    key : Key
    account : str
    pid : int or None
        None: no process has it.
    activity : tuple
        Of that process, see `activity_of`.
    """

    key: Key
    account: str
    pid: int | None
    activity: tuple[tuple[str, int], ...] = ()


class ClosedRun(NamedTuple):
    """What came of one run: whether it is flat, and what is left or in the way, in words.

    `ended`: no process has it any more.
    """

    account: str
    run: str
    flat: bool
    words: str
    ended: bool = True


def runs_with_orders(filesystem: Filesystem, home: Home) -> Iterator[HeldRun]:
    """Yield the runs that have something at an exchange, by documents and order journals."""
    for key, body in _bodies(filesystem, home):
        if has_orders(filesystem, home, key, body):
            yield _held(filesystem, home, key, body)


def runs_on(filesystem: Filesystem, home: Home, account: str) -> Iterator[HeldRun]:
    """Yield the runs that a process has or that hold something on an account."""
    for key, body in _bodies(filesystem, home):
        if body["account"] == account:
            held = _held(filesystem, home, key, body)
            if held.pid is not None or has_orders(filesystem, home, key, body):
                yield held


def _bodies(filesystem: Filesystem, home: Home) -> Iterator[tuple[Key, Mapping[str, Any]]]:
    for key in home.keys(filesystem):
        try:
            found = read_document(filesystem, home.document(key))
        except (StateError, OSError):
            continue  # the list of what is open says so
        if found is not None:
            yield key, found.body


def _held(filesystem: Filesystem, home: Home, key: Key, body: Mapping[str, Any]) -> HeldRun:
    pid = _pid_of(filesystem, home, key)
    return HeldRun(key, body["account"], pid, activity_of(pid) if pid else ())


def has_orders(filesystem: Filesystem, home: Home, key: Key, body: Mapping[str, Any]) -> bool:
    """Tell whether a run has something at an exchange, by a document of it and its order journal.

    The document may be an older generation. A journal that cannot be read may know of something.
    """
    if not sends_orders(body["account"]):
        return False
    wanted = desired_position(from_record(body["state"]))

    def is_over(body: Mapping[str, Any]) -> bool:
        record = body.get("ledger")
        return is_flat(None if record is None else ledger_from_record(record), wanted)

    try:
        journal = OrderJournal(filesystem, home.orders(key))
        return not (is_over(body) and is_over(journal.recovered(body)))
    except StateError:
        return True


def has_sold(filesystem: Filesystem, home: Home, key: Key) -> bool:
    """Tell whether a run that sends orders has nothing left at the exchange."""
    try:
        found = read_document(filesystem, home.document(key))
    except StateError:
        return False
    return (
        found is not None
        and sends_orders(found.body["account"])
        and not has_orders(filesystem, home, key, found.body)
    )


def force_close(
    filesystem: Filesystem,
    home: Home,
    clock: Clock,
    before: Mapping[Key, HeldRun],
    waited_ms: int,
) -> list[ClosedRun]:
    """End the processes of all runs that have something at an exchange, and close it.

    Parameters
    ----------
    before : dict of Key to HeldRun
        What `runs_with_orders` said before the wait, for their own processes to close.
    waited_ms : int
        How long that was, ms.
    """
    found, quiet = [], {}
    for held in runs_with_orders(filesystem, home):
        was = before.get(held.key)
        still = was is not None and (was.pid, was.activity) == (held.pid, held.activity)
        quiet[held.key] = waited_ms if still and (held.pid is None or held.activity) else 0
        try:
            _end_holder(filesystem, home, held)
        except (StateError, OSError) as error:
            found.append(ClosedRun(held.account, held.key.id, False, str(error), ended=False))
            del quiet[held.key]

    async def close_all() -> list[ClosedRun]:
        closes = (_close(filesystem, home, clock, key, ms) for key, ms in quiet.items())
        return await asyncio.gather(*closes)

    return [*found, *asyncio.run(close_all())]


def _end_holder(filesystem: Filesystem, home: Home, held: HeldRun) -> None:
    lock = home.lock(held.key)
    if held.pid is None or _pid_of(filesystem, home, held.key) is None:
        return  # nobody, or a process that had another run as well and is gone
    holder = holder_of(filesystem, lock)
    if holder.yields:
        return  # it gives the lock up
    refuse_other(holder, lock)
    end_process(holder.pid, lambda: _pid_of(filesystem, home, held.key) is None)


async def _close(
    filesystem: Filesystem, home: Home, clock: Clock, key: Key, quiet_ms: int
) -> ClosedRun:
    account = ""
    try:
        with DocumentRun(filesystem, home, key, clock, quiet_ms=quiet_ms, leaves=True) as run:
            account = run.account
            try:
                broker = recorded_broker(filesystem, home, account)
                await follow(run, broker, clock, seconds=CLOSE_S, until_flat=True)
            except (TradenbError, OSError) as error:
                return ClosedRun(account, key.id, False, f"{error}; {left_words(run)}")
            flat = is_flat(run.known_ledger, run.desired) and run.has_looked
            return ClosedRun(account, key.id, flat, "" if flat else left_words(run))
    except StateLocked as error:  # a service has begun it anew, or guard has it
        return ClosedRun(account, key.id, False, str(error), ended=False)
    except (TradenbError, OSError) as error:
        return ClosedRun(account, key.id, False, str(error))


def _pid_of(filesystem: Filesystem, home: Home, key: Key) -> int | None:
    """Return the process that has a run; 0: its lock does not say which; None: nobody has it."""
    lock = home.lock(key)
    try:
        return holder_of(filesystem, lock).pid if filesystem.is_locked(lock) else None
    except OSError:
        return 0
