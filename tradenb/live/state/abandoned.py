"""Ending what a run holds where its symbol gives no candle any more, and no tick can do it."""

from __future__ import annotations

from tradenb.core.events import Event
from tradenb.core.lifecycle.commands import abandon
from tradenb.core.rules import Rules
from tradenb.engine.serialise import event_to_row, from_record, to_record
from tradenb.errors import StateError
from tradenb.live.state.checkpoint import Checkpoint
from tradenb.store.codec import Generation
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.document.migrations import VERSION
from tradenb.store.document.state_conflict import refuse_undecided
from tradenb.store.filesystem import Filesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.journal.recording import Recording
from tradenb.store.lock import FileLock
from tradenb.store.paths import Home, Key
from tradenb.store.view_files import run_views, write_views


def abandoned(
    checkpoint: Checkpoint, price: float, rules: Rules, now: int
) -> tuple[Checkpoint, Event] | None:
    """Return the checkpoint of a run that has ended what it held, and the event; None if nothing.

    Parameters
    ----------
    price : float
        What the position is worth, quote currency.
    now : int
        Wall-clock time, ms UTC.
    """
    step = abandon(checkpoint.state, price, rules)
    if step is None:
        return None
    seq = checkpoint.last_seq + 1
    event = step.events[0]._replace(seq=seq, mode="live", wall=now)
    outbox = (*checkpoint.outbox, event)
    return checkpoint._replace(state=step.state, last_seq=seq, outbox=outbox), event


def abandon_on_disk(
    filesystem: Filesystem, home: Home, key: Key, lock: FileLock, price: float, *, now: int
) -> Event:
    """End what a run holds that no process runs; the caller has its lock.

    Fees and slippage are those of the rules that were in force, where they are known.

    Raises
    ------
    StateError
        When it has no state, or nothing open or scheduled, or the document cannot be written.
    StateConflict
        When it is still to be decided which of two states is its own.
    """
    refuse_undecided(filesystem, home.document(key))
    store = DocumentStore(filesystem, home.document(key), guard=lock.assure)
    generation = store.load().generation
    if generation is None:
        raise StateError(f"{key.id} has no state under {home.root}")
    body = generation.body
    kept = body.get("rules")
    rules = recorded_rules(filesystem, home, key) if kept is None else Rules(**kept)
    step = abandon(from_record(body["state"]), price, rules)
    if step is None:
        raise StateError(f"{key.id} holds nothing that could be abandoned")
    journal = Journal(filesystem, home.journal(key))
    seq = max(body["last_event_seq"], journal.last_seq()) + 1
    event = step.events[0]._replace(seq=seq, mode="live", wall=now)
    outbox = [*body["outbox"], event_to_row(event)]
    changed = {"state": to_record(step.state), "last_event_seq": seq, "outbox": outbox}
    body = {**body, **changed, "saved_at": now}
    committed = store.commit(body)
    journal.append(outbox)
    write_views(filesystem, run_views(home.views(key), Generation(committed.seq, body, VERSION)))
    return event


def recorded_rules(filesystem: Filesystem, home: Home, key: Key) -> Rules:
    """Return the rules that a run was started with last, as it recorded them; else the default."""
    lines = Recording(filesystem, home.recording(key)).read()
    begun = [line["rules"] for line in lines if isinstance(line, dict) and "begun" in line]
    return Rules.model_validate(begun[-1]) if begun else Rules()
