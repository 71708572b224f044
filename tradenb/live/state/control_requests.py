"""Requests of other processes, from control files, as the loop takes them."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, cast

from tradenb.core.lifecycle.state import Command, CommandKind
from tradenb.store.control import Waiting


class Request(NamedTuple):
    """A request of another process, from a control file.

    Attributes
    ----------
    command : Command or None
        None asks to release the run.
    token : object
        Names the request to the storage.
    """

    command: Command | None
    token: Any


class Requests(NamedTuple):
    """The requests of other processes.

    Attributes
    ----------
    requests : list of Request
        In order, without those that were obeyed.
    kill : str or None
        What the kill switch of the home says: halt, flatten, or None.
    """

    requests: list[Request]
    kill: str | None


Decision = Literal["keep_ours", "take_theirs"]
"""Which state to keep when another program wrote the document of a run."""


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
