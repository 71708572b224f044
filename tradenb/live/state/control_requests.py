"""Requests of other processes, from control files, as the loop takes them.

`RequestFiles` finds and removes the files; what the loop gets are the records above it.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, assert_never, cast

from tradenb.core.lifecycle.state import Command
from tradenb.core.timeframe import iso
from tradenb.errors import StateError, StateLocked, UsageError, shown, unknown
from tradenb.store import control
from tradenb.store.control import Waiting
from tradenb.store.filesystem import Filesystem, forget
from tradenb.store.lock import FileLock
from tradenb.store.paths import Home, Key

if TYPE_CHECKING:
    from tradenb.store.control import Request as Given


log = logging.getLogger("tradenb")

_REMEMBERED: Final = 1_000


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
    lost : StateLocked or None
        Another process has the run, and what is asked of it.
    """

    requests: list[Request]
    kill: str | None
    unreadable: str = ""
    lost: StateLocked | None = None


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
    """Return a price as a float, or raise UsageError; the bounds are those of candles."""
    from tradenb.core.candles.intake import LEAST, MOST

    found = float(price) if isinstance(price, int | float) and price is not True else 0.0
    if not LEAST <= found <= MOST:
        words = f"must be a number above 0, from {LEAST:g} to {MOST:g}"
        raise UsageError(f"the price of abandon {words}, was {shown(price)}")
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


class RequestFiles:
    """The requests to one run.

    Parameters
    ----------
    now : callable
        The clock of the run, ms UTC.
    """

    def __init__(
        self, filesystem: Filesystem, home: Home, key: Key, now: Callable[[], int]
    ) -> None:
        self.now = now
        self._filesystem = filesystem
        self._key = key
        self.lock = FileLock(filesystem, home.lock(key), started=now(), what=key.id)
        # Names are encoded once: a tick looks at these files again and again.
        self._requests, self._kill_file = home.control(key), home.kill
        self._kill: str | None = None
        self._seen: set[str] = set()
        self._taken: list[str] = []
        # Those of the document that is in force.
        self._taken_on_disk: Sequence[str] = ()

    @property
    def kill(self) -> str | None:
        """What the kill switch said at the last poll."""
        return self._kill

    def decision(self) -> Decision | None:
        """Return what was decided from outside about a document that another program wrote."""
        if not self.lock.is_ours():
            return None
        found = control.receive(self._filesystem, self._requests, self._key).waiting
        decisions = [item for item in found if item.request.kind in control.DECISIONS]
        self._remove(decisions)
        return cast(Decision, decisions[-1].request.kind) if decisions else None

    def poll(self) -> Requests:
        """Return the requests of other processes, in order."""
        try:
            self.lock.assure()
        except StateLocked as error:
            return Requests([], None, lost=error)
        except (StateError, OSError):
            pass  # a disk that fails; requests can be read perhaps
        before, self._kill = self._kill, control.kill_switch(self._filesystem, self._kill_file)
        if before != self._kill:
            off, on = "off: entries are possible again", f"on: {self._kill}"
            turned = off if self._kill is None else on
            log.warning("%s: the kill switch %s is %s", self._key.id, self._kill_file, turned)
        received = control.receive(self._filesystem, self._requests, self._key)
        if self._kill is None and not any(received):
            self._seen = set()
            return Requests([], None)
        for path, words in received.refused:
            log.warning("%s is not a valid request: %s", path, words)
        seen, self._seen = self._seen, received.names
        fresh = self._unknown(received.waiting, seen) if received.waiting else []
        now = self.now()
        requests = [Request(command_of(item.request, now), item) for item in fresh]
        if self._kill != "unreadable":
            return Requests(requests, self._kill, received.unreadable_words)
        words = f"{self._kill_file} (the kill switch)"
        return Requests(requests, None, "; ".join(filter(None, (words, received.unreadable_words))))

    def _unknown(self, waiting: Sequence[Waiting], seen: set[str]) -> list[Waiting]:
        """Return the requests that were not obeyed, and remove the files of the others."""
        # Those that were taken but are not on disk yet keep their file: it is all there is.
        old = [item for item in waiting if item.request.id in self._taken_on_disk]
        pointless = [item for item in waiting if item.request.kind in control.DECISIONS]
        if any(item.path.name not in seen for item in pointless):
            log.warning("%s has no conflict to decide", self._key.id)
        self._remove([*old, *pointless])
        # One that cannot be removed must not be obeyed again after a thousand others.
        there = [item.request.id for item in waiting if item.request.id in self._taken]
        if there:
            self._taken = [*(id for id in self._taken if id not in there), *there]
        known = {*self._taken, *(item.request.id for item in pointless)}
        return [item for item in waiting if item.request.id not in known]

    def _remove(self, waiting: Sequence[Waiting]) -> None:
        """Remove the files of requests; one that stays, in a folder of another user, is known."""
        for item in waiting:
            with contextlib.suppress(OSError):
                forget(self._filesystem, item.path)
                self._seen.discard(item.path.name)

    def has_requests(self) -> bool:
        """Tell whether requests have come, or the kill switch was turned, since the last poll."""
        if not self.lock.is_ours():
            return False  # the next tick takes it anew, or says who has it
        if control.kill_switch(self._filesystem, self._kill_file) != self._kill:
            return True
        try:
            names = control.requests_in(self._filesystem, self._requests)
        except OSError:
            return False  # the next tick says so
        return any(name not in self._seen for name in names)

    def has_taken(self, id: str) -> bool:
        """Tell whether a request was obeyed, on disk or in what is committed next."""
        return id in self._taken

    def accept(self, requests: Sequence[Request]) -> None:
        """Note that requests are obeyed by the state that is committed next."""
        self._taken = [*self._taken, *(item.token.request.id for item in requests)][-_REMEMBERED:]

    def remove_requests(self, requests: Sequence[Request]) -> None:
        """Remove requests that are in the document now."""
        self._remove([item.token for item in requests])
