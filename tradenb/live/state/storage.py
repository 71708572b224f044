"""What a live run keeps on disk, behind one object: document, journal, views, lock, requests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from tradenb.core.events import Event
from tradenb.core.lifecycle.state import Command, State
from tradenb.engine.session.books import Peer
from tradenb.store.codec import Generation


class Checkpoint(NamedTuple):
    """What a document remembers of a run.

    Attributes
    ----------
    user_state : str
        `ctx.state` as JSON.
    last_seq : int
        Number of the run's last event.
    start : int
        Cursor with which the run began, ms UTC.
    history_start : int
        First candle that the strategies saw, ms UTC.
    outbox : tuple of Event
        Events that the journal has not confirmed.
    place : int
        Its place among the runs that it shares risk rules with.
    price : float or None
        Market price at the cursor, for the views.
    """

    state: State
    user_state: str
    last_seq: int
    start: int
    history_start: int
    outbox: tuple[Event, ...]
    place: int
    price: float | None = None


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


class Books(Protocol):
    """The risk books of a group, as far as they are on disk."""

    def lock(self) -> list[Peer]:
        """Lock the rules, unless they are, and read what other runs hold."""

    def unlock(self) -> None:
        """Unlock the rules."""

    def write_views(self, own: Sequence[Generation]) -> None:
        """Write the views of the rules; `own` are the documents of the group."""


class Storage(Protocol):
    """The disk of one run.

    Attributes
    ----------
    home : Path
        The folder that everything is under.
    """

    home: Path

    @property
    def generation(self) -> Generation:
        """The last commit."""

    @property
    def unkept(self) -> Generation | None:
        """What the run had when another program wrote its document, while that is in no file."""

    def books(
        self,
        rules: Iterable[str],
        own: Iterable[tuple[str, str]],
        unkept: Sequence[Generation] = (),
    ) -> Books:
        """Return the books of a group of runs under this home.

        Parameters
        ----------
        own : iterable of (symbol, strategy)
            The runs of the group.
        unkept : sequence of Generation
            What counts as well and is in no file.
        """

    def open(self) -> Checkpoint | None:
        """Lock, load the newest valid document, and bring journal and views in order."""

    def commit(self, checkpoint: Checkpoint) -> bool:
        """Replace the document; tell whether it survives a power loss.

        Raises
        ------
        StateWriteError
            When the old one is in force.
        """

    def decision(self) -> Decision | None:
        """Return what was decided from outside about a document that another program wrote.

        What the run had is written beside it meanwhile, if it could not be before.
        """

    def keep_ours(self) -> None:
        """Let the next commit replace what another program wrote, which is kept."""

    def take_theirs(self) -> Checkpoint | None:
        """Load what another program wrote, as `open` does."""

    def append(self, events: Sequence[Event]) -> None:
        """Append events to the journal; those it has already are passed over."""

    def append_recording(self, lines: Sequence[object], *, sync: bool) -> None:
        """Append lines to the record of what the run went through; raises OSError, StateError."""

    def recording(self, since: int = 0) -> Iterator[list[Any] | dict[str, Any]]:
        """Read that record, without the candles that open before a moment, ms UTC."""

    def write_views(self) -> None:
        """Write the views of the last commit."""

    def poll(self) -> Requests:
        """Return the requests of other processes, in order.

        Raises
        ------
        StateError
            When that cannot be read.
        """

    def last_seq(self) -> int:
        """Return the number of the last event in the journal; numbers go on after it."""

    def has_requests(self) -> bool:
        """Tell whether requests wait, or the kill switch was turned since the last look."""

    def accept(self, requests: Sequence[Request]) -> None:
        """Note that requests are obeyed by the state that is committed next."""

    def remove_requests(self, requests: Sequence[Request]) -> None:
        """Remove requests that are in the document now."""

    def events(self, limit: int | None = None) -> list[Event]:
        """Return the newest events of the journal, oldest first."""

    def close(self) -> None:
        """Give the lock back."""
