"""Two states of one run, and the user's choice between them: `tradenb resolve`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tradenb.brokers.broker_file import recorded_broker
from tradenb.brokers.unattended.force_close import has_orders
from tradenb.brokers.unattended.reconcile_now import differences, seen_at
from tradenb.clock import SystemClock, wall_ms
from tradenb.core.orders.gate import sends_orders
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.reducing import reconcile_all
from tradenb.core.timeframe import iso
from tradenb.engine.serialise import from_record
from tradenb.errors import StateError, TradenbError
from tradenb.live.state.control_requests import Decision
from tradenb.live.status.run_files import is_locked
from tradenb.live.status.run_status import holds
from tradenb.store.codec import Generation
from tradenb.store.control import send
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.document.ledger_record import ledger_from_record
from tradenb.store.document.migrations import MIGRATIONS
from tradenb.store.document.read import read_document, read_one
from tradenb.store.document.state_conflict import ours_of
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.lock import FileLock
from tradenb.store.paths import Home, Key


class Conflict(NamedTuple):
    """What a run had when another program wrote its document, and what is there now.

    Attributes
    ----------
    file : Path
        Where `ours` is kept.
    ours, theirs : Generation or None
        None where it cannot be read.
    """

    key: Key
    file: Path
    ours: Generation | None
    theirs: Generation | None


def conflict_of(home: Home, key: Key) -> Conflict | None:
    """Return the two states of a run, or None if there is nothing to decide."""
    disk = DiskFilesystem()
    found = ours_of(disk, home.document(key))
    if not found:
        return None
    ours = read_one(disk, found[-1], of=home.document(key), migrations=MIGRATIONS).generation
    try:
        theirs = read_document(disk, home.document(key))
    except StateError:
        theirs = None
    return Conflict(key, found[-1], ours, theirs)


def described(generation: Generation | None) -> str:
    """Say in a line what a state holds, and how old it is."""
    if generation is None:
        return "cannot be read"
    body = generation.body
    state = from_record(body["state"])
    return (
        f"{holds(state)}, candles up to {iso(state.cursor)} UTC, {len(state.trades)} closed "
        f"trades, generation {generation.seq} saved at {iso(body['saved_at'])} UTC"
    )


def refuse_other_account(
    home: Home, key: Key, given_up: Generation | None, taken: Generation | None
) -> None:
    """Refuse to give a state up that has something at an exchange on another account.

    Raises
    ------
    StateError
        The message names both accounts.
    """
    if given_up is None or taken is None:
        return
    before, after = given_up.body["account"], taken.body["account"]
    if before == after or not has_orders(DiskFilesystem(), home, key, given_up.body):
        return
    raise StateError(
        f"generation {given_up.seq} has orders on account {before}, and generation {taken.seq} is "
        f"of {after}, which knows nothing of them; take the other one, or sell at the exchange "
        "first (`tradenb kill --by-tag`) and say so with `tradenb retire`"
    )


def at_exchange(home: Home, conflict: Conflict) -> list[str]:
    """Say in lines what the exchange holds, and how each of the two states fits; empty: paper."""
    states = {"ours": conflict.ours, "theirs": conflict.theirs}
    lines: list[str] = []
    for account in dict.fromkeys(each.body["account"] for each in states.values() if each):
        if sends_orders(account):
            of = {name: each for name, each in states.items() if each and _is_of(each, account)}
            lines += asyncio.run(_at_account(home, conflict.key, account, of))
    return lines


def _is_of(generation: Generation, account: str) -> bool:
    return bool(generation.body["account"] == account)


async def _at_account(
    home: Home, key: Key, account: str, states: Mapping[str, Generation]
) -> list[str]:
    records = {name: each.body.get("ledger") for name, each in states.items()}
    ledgers = {
        name: OrderLedger("") if record is None else ledger_from_record(record)
        for name, record in records.items()
    }
    oldest = min(ledgers.values(), key=lambda ledger: reconcile_all(ledger).since)
    try:
        broker = recorded_broker(DiskFilesystem(), home, account)
        seen = await seen_at(broker, SystemClock(), key.symbol, oldest)
    except TradenbError as error:
        return [f"{account}: {error}"]
    resting = "; ".join(seen.resting) or "no order rests"
    lines = [f"{account}: {seen.overview.base.normalize():f} pieces, {resting}"]
    for name, ledger in ledgers.items():
        found, unknown = differences(ledger, seen)
        words = [f"{each.what}: {each.here}, there {each.there}" for each in found]
        lines.append(f"  {name}: {'; '.join((*words, *unknown)) or 'nothing differs'}")
    return lines


def resolve(home: Home, conflict: Conflict, decision: Decision) -> str:
    """Decide which state holds, and say what was done; an error means that nothing was changed."""
    disk, key, document = DiskFilesystem(), conflict.key, home.document(conflict.key)
    pair = conflict.ours, conflict.theirs
    refuse_other_account(home, key, *(pair if decision == "take_theirs" else reversed(pair)))
    if is_locked(disk, home.lock(key)):
        send(disk, home, key, decision, wall=wall_ms())
        return "sent to the process that has the run; it goes on within seconds"
    lock = FileLock(disk, home.lock(key), what=key.id)
    lock.acquire_patiently()
    with contextlib.ExitStack() as stack:
        stack.callback(lock.release)
        store = DocumentStore(disk, document, guard=lock.assure)
        if decision == "keep_ours":
            store.accept(conflict.file)
        else:
            store.take_theirs()
    return "done; the next start uses it, and the other state is kept beside it"
