"""Taking a request from the view: the same file that the view itself leaves through the server.

Both channels leave one request under one number, so whichever comes first is obeyed and the other
changes nothing. A request of this process's own run is looked for at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from time import time_ns
from typing import Any, Final, TypeGuard, get_args
from uuid import uuid4

from tradenb.errors import StateError, StateWriteError, UsageError
from tradenb.live.live_run import handle_of
from tradenb.live.status.listing import is_locked
from tradenb.panel.watch_runs import Place, Watch
from tradenb.store.atomic import make_folders, replace_whole
from tradenb.store.control import RequestKind, send
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Home

_KINDS: Final = get_args(RequestKind)
_ID: Final = re.compile(r"[0-9a-f]{12}")
_MARKER: Final = "HOME"
_LONGEST: Final = 64


def take(watch: Watch, places: Mapping[str, Place], message: Mapping[str, Any]) -> str:
    """Leave a request for a run; return who was first: "kernel", or "server" for the view itself.

    Raises
    ------
    UsageError
        When the message is no request, or nobody runs what it is for.
    StateWriteError
        When it could not be written.
    """
    place = places.get(str(message.get("key")))
    kind, id = str(message.get("kind")), str(message.get("id"))
    if place is None or not is_kind(kind) or not _ID.fullmatch(id):
        raise UsageError("this is no request; reload the page")
    disk = DiskFilesystem()
    run = watch.run(place)
    wall = min(int(message.get("wall") or 0), time_ns() // 1_000_000)
    if _is_known(disk, place, id):
        return "server"
    if not (
        is_locked(disk, place.home.lock(place.key)) if run is None else run.status == "running"
    ):
        raise UsageError("nobody runs it any more")
    try:
        send(disk, place.home, place.key, kind, wall=wall, id=id)
    except StateWriteError:
        if run is None or kind == "cancel":
            raise
        getattr(handle_of(run), kind)()  # the disk is full or gone; the run itself is here
        return "kernel"
    if run is not None:
        run.look()
    return "kernel"


def is_kind(kind: str) -> TypeGuard[RequestKind]:
    """Tell whether a request of this kind exists."""
    return kind in _KINDS


def prepare(place: Place) -> None:
    """Make the folder that requests to a run are left in: the server makes none."""
    make_folders(DiskFilesystem(), place.home.control(place.key))


def marker_of(home: Home) -> str:
    """Return what stands in a file under a home, by which the view finds it on the server."""
    disk = DiskFilesystem()
    path = home.data / "control" / _MARKER
    try:
        return disk.read(path, limit=_LONGEST).decode("ascii", "replace").strip()
    except FileNotFoundError:
        made = uuid4().hex
        make_folders(disk, path.parent)
        replace_whole(disk, path, f"{made}\n".encode())
        return made


def _is_known(disk: DiskFilesystem, place: Place, id: str) -> bool:
    """Tell whether a request is there already, or was obeyed."""
    folder = place.home.control(place.key)
    try:
        if any(name.endswith(f"-{id}.json") for name in disk.names(folder)):
            return True
        found = read_document(disk, place.home.document(place.key))
    except (OSError, StateError):
        return False
    return found is not None and id in found.body["taken"]
