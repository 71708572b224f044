"""Requests of the buttons: the same file that the view itself leaves through the server.

Both channels leave one request under one number: the first to arrive is obeyed, the other changes
nothing. A run of this process looks for the request at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from time import time_ns
from typing import Any, Final, TypeGuard

from tradenb.core.lifecycle.state import BY_HAND
from tradenb.engine.hand_commands import hand_values
from tradenb.errors import StateError, StateWriteError, UsageError
from tradenb.live.live_run import handle_of
from tradenb.live.loop.record import RunRecord
from tradenb.live.status.run_files import is_locked
from tradenb.panel.watch_runs import Location, Watch
from tradenb.store.control import KINDS, MARKER, RequestKind, requests_in, send, turn_on_kill
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.ownership import refuse_foreign
from tradenb.store.paths import Home

KILL: Final = "kill"
"""What no single run is asked for: everything under its home closes."""
_ID: Final = re.compile(r"[0-9a-f]{12}")
_LONGEST: Final = 64


def accept(watch: Watch, locations: Mapping[str, Location], message: Mapping[str, Any]) -> str:
    """Leave a request for a run; return which channel was first: "kernel", or "server".

    What is not a request, or comes when the run has ended, is a UsageError.
    """
    location = locations.get(str(message.get("key")))
    if message.get("kind") == KILL and location is not None:
        return _kill(watch, location)
    kind, id = str(message.get("kind")), str(message.get("id"))
    meant = message.get("request_id") if kind == "withdraw" else None
    values = _values(kind, message.get("values"))
    if location is None or not is_kind(kind) or not _ID.fullmatch(id):
        raise UsageError("this is not a request for a run; reload the page")
    disk = DiskFilesystem()
    run = watch.own_runs().get(location)
    wall = min(int(message.get("wall") or 0), time_ns() // 1_000_000)
    if _is_known(disk, location, id, run):
        return "server"
    if run is None:
        refuse_foreign(location.home)
    if not (
        is_locked(disk, location.home.lock(location.key))
        if run is None
        else run.status == "running"
    ):
        raise UsageError("the run has ended")
    try:
        given: Any = {"wall": wall, "id": id, "request_id": meant, "values": values}
        send(disk, location.home, location.key, kind, **given)
    except StateWriteError:
        if run is None or kind in ("cancel", "withdraw"):
            raise
        # The disk is full or gone; the run itself is here.
        getattr(handle_of(run), kind)(**(values or {}))
        return "kernel"
    if run is not None:
        run.poll()
    return "kernel"


def _kill(watch: Watch, location: Location) -> str:
    """Turn the kill switch on under the home of a run; those of this process look at once."""
    refuse_foreign(location.home)
    turn_on_kill(DiskFilesystem(), location.home)
    for each, run in watch.own_runs().items():
        if each.home == location.home:
            run.poll()
    return "kernel"


def _values(kind: str, given: object) -> dict[str, object] | None:
    """Return what a close or a move says, checked; None for other requests."""
    if kind not in BY_HAND:
        return None
    return hand_values(kind, given if isinstance(given, dict) else {})


def is_kind(kind: str) -> TypeGuard[RequestKind]:
    """Tell whether a request of this kind exists."""
    return kind in KINDS


def marker_of(home: Home) -> str:
    """Return the text of a file under a home, by which the view finds the home on the server.

    The first run that starts there makes it; before that, and where it cannot be read, it is empty.
    """
    try:
        found = DiskFilesystem().read(home.data / "control" / MARKER, limit=_LONGEST)
    except OSError:
        return ""
    return found.decode("ascii", "replace").strip()


def _is_known(disk: DiskFilesystem, location: Location, id: str, run: RunRecord | None) -> bool:
    """Tell whether a request is there already, or was obeyed."""
    folder = location.home.control(location.key)
    try:
        if any(name.endswith(f"-{id}.json") for name in requests_in(disk, folder)):
            return True
        if run is not None:
            return run.storage.has_taken(id)
        found = read_document(disk, location.home.document(location.key))
    except (OSError, StateError):
        return False
    return found is not None and id in found.body["taken"]
