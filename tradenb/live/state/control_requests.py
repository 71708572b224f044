"""Requests of other processes, from control files, as the loop takes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, assert_never

from tradenb.core.lifecycle.state import Command
from tradenb.core.timeframe import iso
from tradenb.errors import StateError, UsageError, unknown

if TYPE_CHECKING:
    from tradenb.store.request import Request as Given


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

    def takes(self, command: Asked | None) -> bool:
        """Tell whether a command is taken back."""
        from tradenb.core.lifecycle.commands import is_withdrawn

        return isinstance(command, Command) and is_withdrawn(command, self.at, self.request)


class Abandon(NamedTuple):
    """Ends what is held at once, at a price, where no candle comes any more.

    Attributes
    ----------
    at : int
        When it was given, ms UTC.
    price : float
        What the position is worth, quote currency.
    """

    at: int
    price: float
    kind: Literal["abandon"] = "abandon"


Asked = Command | Withdrawal | Abandon


class Request(NamedTuple):
    """A request of another process, from a control file.

    Attributes
    ----------
    command : Command, Withdrawal, Abandon or None
        None asks to release the run.
    token : object
        Names the request to the storage.
    """

    command: Asked | None
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


def command_of(given: Given, now: int | None = None) -> Asked | None:
    """Return what is asked for, None for a release; given now at the latest, whatever it says."""
    at = given.wall if now is None else min(given.wall, now)
    match given.kind:
        case "stop" | "flatten" | "cancel":
            return Command(at, given.kind, given.signal_id, given.cancel_id, given.id)
        case "close" | "move":
            return Command(at, given.kind, request=given.id, values=given.values or {})
        case "withdraw":
            return Withdrawal(at, given.request_id)
        case "abandon":
            return Abandon(at, given.price or 0.0)
        case "release" | "keep_ours" | "take_theirs":
            return None
        case _:
            assert_never(given.kind)


def standing(items: Iterable[Asked | None]) -> list[Command]:
    """Return the commands among what was given that were not withdrawn, in their order."""
    given = [*items]
    withdrawals = [item for item in given if isinstance(item, Withdrawal)]
    return [
        item
        for item in given
        if isinstance(item, Command) and not any(each.takes(item) for each in withdrawals)
    ]


def abandon_price(price: object) -> float:
    """Return a price as a float, or raise UsageError."""
    found = float(price) if isinstance(price, int | float) and price is not True else 0.0
    if not 0 < found < math.inf:
        raise UsageError(f"the price of abandon must be a number above 0, was {price!r:.80}")
    return found


def check_abandon(run: str, cursor: int, now: int) -> None:
    """Raise if candles still come, for then a flatten closes at a real price; both ms UTC."""
    if now - cursor < GONE_MS:
        raise StateError(
            f"{run} still gets candles (up to {iso(cursor)} UTC): flatten() closes its position at "
            "the market price of the next one, cancel() a waiting entry"
        )


def check_withdrawal(run: str, pending: Sequence[str], id: str | None) -> None:
    """Raise if there is nothing to take back, or not this; `pending` are the ids of commands."""
    if not pending:
        raise StateError(f"{run} has no command to withdraw; what has acted cannot be taken back")
    if id is not None and id not in pending:
        raise unknown("command", id, pending, random=True)


GONE_MS: Final = 600_000
"""Without a candle for so long, a symbol may be taken to be gone."""
Decision = Literal["keep_ours", "take_theirs"]
"""Which state to keep when another program wrote the document of a run."""
