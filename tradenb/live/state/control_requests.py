"""Requests of other processes, from control files, as the loop takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, assert_never

from tradenb.core.lifecycle.commands import is_withdrawn
from tradenb.core.lifecycle.state import Command
from tradenb.errors import StateError, unknown
from tradenb.store.control import Request as Given


class Withdrawal(NamedTuple):
    """Takes back commands that have not acted yet.

    Attributes
    ----------
    at : int
        When it was given, ms UTC.
    request : str or None
        The id of the request meant; None means all that were given by then.
    """

    at: int
    request: str | None = None
    kind: Literal["withdraw"] = "withdraw"

    def takes(self, command: Command | Withdrawal | None) -> bool:
        """Tell whether a command is taken back."""
        return isinstance(command, Command) and is_withdrawn(command, self.at, self.request)


class Request(NamedTuple):
    """A request of another process, from a control file.

    Attributes
    ----------
    command : Command, Withdrawal or None
        None asks to release the run.
    token : object
        Names the request to the storage.
    """

    command: Command | Withdrawal | None
    token: Any


class Requests(NamedTuple):
    """The requests of other processes.

    Attributes
    ----------
    requests : list of Request
        In order, without those that were obeyed.
    kill : str or None
        What the kill switch of the home says: halt, flatten, or None.
    unreadable : str
        Which files cannot be read, and why; one of them may cancel an entry.
    """

    requests: list[Request]
    kill: str | None
    unreadable: str = ""


def command_of(given: Given, now: int | None = None) -> Command | Withdrawal | None:
    """Return what is asked for, None for a release; given now at the latest, whatever it says."""
    at = given.wall if now is None else min(given.wall, now)
    match given.kind:
        case "stop" | "flatten" | "cancel":
            return Command(at, given.kind, given.signal_id, given.cancel_id, given.id)
        case "withdraw":
            return Withdrawal(at, given.request_id)
        case "release" | "keep_ours" | "take_theirs":
            return None
        case _:
            assert_never(given.kind)


def standing(items: Iterable[Command | Withdrawal | None]) -> list[Command]:
    """Return the commands among what was given that were not withdrawn, in their order."""
    given = [*items]
    withdrawals = [item for item in given if isinstance(item, Withdrawal)]
    return [
        item
        for item in given
        if isinstance(item, Command) and not any(each.takes(item) for each in withdrawals)
    ]


def check_withdrawal(run: str, pending: Sequence[str], id: str | None) -> None:
    """Raise if there is nothing to take back, or not this; `pending` are the ids of commands."""
    if not pending:
        raise StateError(f"{run} has no command to withdraw; what has acted cannot be taken back")
    if id is not None and id not in pending:
        raise unknown("command", id, pending)


Decision = Literal["keep_ours", "take_theirs"]
"""Which state to keep when another program wrote the document of a run."""
