"""Two states of one run, and the user's choice between them: `tradenb resolve`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tradenb.clock import wall_ms
from tradenb.core.timeframe import iso
from tradenb.engine.serialise import from_record
from tradenb.errors import StateError
from tradenb.live.state.control_requests import Decision
from tradenb.live.status.run_files import is_locked
from tradenb.live.status.run_status import holds
from tradenb.store.codec import Generation
from tradenb.store.control import send
from tradenb.store.document.document_store import DocumentStore
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


def resolve(home: Home, conflict: Conflict, decision: Decision) -> str:
    """Decide which state holds, and say what was done; an error means that nothing was changed."""
    disk, key, document = DiskFilesystem(), conflict.key, home.document(conflict.key)
    if is_locked(disk, home.lock(key)):
        send(disk, home, key, decision, wall=wall_ms())
        return "sent to the process that has the run; it goes on within seconds"
    lock = FileLock(disk, home.lock(key), what=key.id)
    with lock:
        store = DocumentStore(disk, document, guard=lock.assure)
        if decision == "keep_ours":
            store.accept(conflict.file)
        else:
            store.take_theirs()
    return "done; the next start uses it, and the other state is kept beside it"
