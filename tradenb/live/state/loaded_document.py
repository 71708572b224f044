"""What is done with a document that was just loaded, or is missing, before its run goes on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tradenb.core.timeframe import iso
from tradenb.engine.serialise import events_of
from tradenb.errors import StateCorrupt, StateError
from tradenb.store.codec import Generation
from tradenb.store.document.load import Found
from tradenb.store.filesystem import Filesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.paths import View
from tradenb.store.view_files import behind, run_views, write_views

log = logging.getLogger("tradenb")

_LOOKED_AT: Final = 1_000


def last_number(journal: Journal) -> int:
    """Return the number of the last event in a journal; numbers go on after it."""
    try:
        return journal.last_seq()
    except OSError as error:
        words = f"{journal.path} cannot be read ({error.strerror or error})"
        raise StateError(f"{words}; repair the disk and start again") from error


def say_moved(found: Found) -> None:
    """Log which damaged files were moved aside."""
    for moved in found.moved:
        log.error("%s was damaged (%s) and is kept as %s", moved.path, moved.words, moved.to)


def put_in_order(
    disk: Filesystem,
    document: Path,
    generation: Generation,
    journal: Journal,
    views: Mapping[View, Path],
) -> None:
    """Bring the journal and the views in order with what was loaded."""
    last, known = last_number(journal), generation.body["last_event_seq"]
    if last > known:
        log.warning(
            "%s is older than its journal, which goes on to event %d (it knows %d); the later "
            "events are kept, and the run goes on from the older state",
            document, last, known,
        )  # fmt: skip
    shown = run_views(views, generation)
    try:
        journal.append(generation.body["outbox"])
        write_views(disk, behind(disk, shown))
    except StateError as error:  # exits must go on: the next tick tries again
        log.warning("%s", error)


def refuse_account(theirs: Generation | None, orders_of: str) -> None:
    """Raise if another program wrote a state of another account than the run sends orders of."""
    account = orders_of if theirs is None else theirs.body["account"]
    if account != orders_of:
        raise StateError(
            f"the other state is of account {account}, and this run of {orders_of}; keep ours, or "
            f"release the run, choose with `tradenb resolve`, and start it as {account}"
        )


def refuse_to_forget(journal: Journal, document: Path) -> None:
    """Raise if there is no document, but a journal that ends in an open position."""
    try:
        events = events_of(journal.tail(_LOOKED_AT), journal.path)
    except OSError as error:
        raise StateError(f"{journal.path} cannot be read ({error})") from error
    ends = [event for event in events if event.kind in ("opened", "closed")]
    if ends and ends[-1].kind == "opened":
        raise StateCorrupt(
            f"{document} and its .bak are gone, but the journal ends in a position that was opened "
            f"at {iso(ends[-1].at)} and not closed. Put the document back from a backup, or move "
            f"{journal.path} out of its folder to begin anew without that position",
            path=str(document),
            moved_to="",
        )
