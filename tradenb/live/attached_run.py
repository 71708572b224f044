"""A handle on a run of another process: read from its files, asked through control files."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradenb.core.events import Event
from tradenb.core.lifecycle.state import State
from tradenb.core.risk import Held
from tradenb.engine.arguments import label_of
from tradenb.engine.serialise import from_record, row_to_event
from tradenb.errors import StateError
from tradenb.live.status.listing import has_ended, is_locked, status_of
from tradenb.live.status.run_report import Reported
from tradenb.store.control import RequestKind, send
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.journal.recording import LivedFile
from tradenb.store.lock import holder_of
from tradenb.store.paths import REHEARSAL, Home, Key, find_home

if TYPE_CHECKING:
    import pandas as pd

    from tradenb.live.loop.record import Status
    from tradenb.live.status.run_files import Account

log = logging.getLogger("tradenb")

_LOOK_EVERY_S: Final = 0.1
_HINTS: Final = (".position", ".events()", ".stop()", ".flatten()", ".release()")


class AttachedRun(Reported):
    """A live run that another process holds, or held.

    Attributes
    ----------
    symbol, strategy : str
    home : Path
    """

    def __init__(self, home: Home, key: Key) -> None:
        self.symbol, self.strategy = key.symbol, key.strategy
        self.home = home.root
        self._home = home
        self._key = key
        self._disk = DiskFilesystem()

    def __repr__(self) -> str:
        what = "rehearsal " if self.home.name == REHEARSAL else ""
        status = self.status
        by = holder_of(self._disk, self._home.lock(self._key)) if status == "running" else None
        return f"<attached {what}{self.id} {status}{'' if by is None else f', held by {by}'}>"

    def _repr_html_(self) -> str | None:
        from tradenb.live.status.run_files import standing_on_disk
        from tradenb.view.pages.live_html import standing_html

        try:
            standing, _ = standing_on_disk(self._home, self._key)
        except StateError:
            return None  # the plain form is all there is to show
        return standing_html(standing, hints=_HINTS)

    @property
    def id(self) -> str:
        """Symbol and strategy."""
        return f"{self.symbol}:{self.strategy}"

    @property
    def status(self) -> Status:
        """Running while somebody holds the lock; idle while a start goes on with it; else done.

        A run is done when it was ended by `stop`, a rehearsal also when it came to its end.
        """
        if is_locked(self._disk, self._home.lock(self._key)):
            return "running"
        return status_of(has_ended(self.body), locked=False)

    @property
    def position(self) -> Held | None:
        """The open signal, or None."""
        state = self._state()
        return state.held if state is not None and state.is_open else None

    @property
    def scheduled(self) -> Held | None:
        """The signal that waits for its entry, or None."""
        state = self._state()
        return state.held if state is not None and state.is_scheduled else None

    @property
    def body(self) -> dict[str, Any]:
        """The document as it is on disk."""
        found = read_document(self._disk, self._home.document(self._key))
        return {} if found is None else found.body

    def stop(self) -> None:
        """Ask it to end gracefully."""
        self._send("stop")

    def flatten(self) -> None:
        """Ask it to close its position at the market price of the next candle."""
        self._send("flatten")

    def cancel(self, id: str | None = None, *, cancel_id: str | None = None) -> None:
        """Ask it to cancel its scheduled signal."""
        self._send("cancel", id, cancel_id)

    def release(self) -> None:
        """Ask it to leave the run, keeping the position."""
        self._send("release")

    def keep_ours(self) -> None:
        """Let the state of the run hold over one that somebody else wrote."""
        self._send("keep_ours")

    def take_theirs(self) -> None:
        """Let the run go on from the state that somebody else wrote."""
        self._send("take_theirs")

    def events(self, limit: int | None = None) -> pd.DataFrame:
        """Return the events of the journal, oldest first; the newest `limit` of them."""
        from tradenb.view.frames import event_frame

        return event_frame(self.event_list(limit))

    def event_list(self, limit: int | None = None) -> list[Event]:
        """Return the same as records; no pandas needed."""
        journal = Journal(self._disk, self._home.journal(self._key))
        rows = journal.read() if limit is None else journal.tail(limit)
        return [row_to_event(row) for row in rows]

    def lived(self) -> Iterator[list[Any] | dict[str, Any]]:
        """Read the record of what it went through; for `tn.parity`."""
        return LivedFile(self._disk, self._home.lived(self._key)).read()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nobody runs it, at most `timeout` seconds; tell whether that came."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.status == "running":
            if deadline is not None and time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_EVERY_S)
        return True

    def _account(self, *, charted: bool) -> Account:
        """Tell what the files say; candles are those of its exchange, kept or fetched."""
        from tradenb.live.status.chart_candles import with_candles
        from tradenb.live.status.run_files import account_of

        account = account_of(self._home, self._key)
        return with_candles(account, self.home) if charted else account

    def _state(self) -> State | None:
        body = self.body
        return from_record(body["state"]) if body else None

    def _send(self, kind: RequestKind, id: str | None = None, cancel_id: str | None = None) -> None:
        if kind == "stop" and self.status == "done":
            return  # twice is once
        if self.status != "running":
            raise StateError(f"{self.id} is {self.status}; only a running run takes {kind}")
        id, cancel_id = label_of(id, "id"), label_of(cancel_id, "cancel_id")
        now = time.time_ns() // 1_000_000
        send(self._disk, self._home, self._key, kind, wall=now, signal_id=id, cancel_id=cancel_id)


def attached(home: str | Path | None = None, *, ended: bool = False) -> list[AttachedRun]:
    """Return the runs and rehearsals under a home that somebody holds now; or all there are."""
    disk, place = DiskFilesystem(), find_home(home)
    runs = [
        AttachedRun(each, key)
        for each in (place, place.rehearsal)
        for key in each.keys(disk, locks=True)
    ]
    return [run for run in runs if _is_wanted(run, ended=ended)]


def _is_wanted(run: AttachedRun, *, ended: bool) -> bool:
    try:
        return run.status == "running" or (ended and bool(run.body))
    except StateError as error:  # nobody holds it; the others must stay within reach
        log.warning("%s is left out: %s", run.id, error)
        return False
