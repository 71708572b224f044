"""A control file as the loop takes it."""

from __future__ import annotations

from typing import cast

from tradenb.core.lifecycle.state import Command, CommandKind
from tradenb.live.state.storage import Request
from tradenb.store.control import Waiting


def as_request(waiting: Waiting, now: int) -> Request:
    """Make a command of it: given now at the latest, whatever the clock of its sender says."""
    item = waiting.request
    if item.kind == "release":
        return Request(None, waiting)
    kind = cast(CommandKind, item.kind)  # decisions were taken out
    command = Command(
        at=min(item.wall, now), kind=kind, id=item.signal_id, cancel_id=item.cancel_id
    )
    return Request(command, waiting)
