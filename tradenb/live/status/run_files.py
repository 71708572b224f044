"""The files of one run, read without disturbing it: how it is, and what has happened.

Reading changes nothing and takes no lock for longer than it takes to see that it is free.
"""

from __future__ import annotations

from pathlib import Path
from time import monotonic, time, time_ns
from typing import Any, Final

from tradenb.core.events import Event
from tradenb.core.lifecycle.state import State
from tradenb.engine.serialise import from_record, row_to_event
from tradenb.errors import StateError
from tradenb.live.state.control_requests import command_of, standing
from tradenb.live.status.run_status import (
    PendingCommand,
    RunStatus,
    mode_of,
    pending,
    status_of_document,
)
from tradenb.store.control import peek
from tradenb.store.document.read import Stamp, read_document, stamp_of
from tradenb.store.document.state_conflict import words_if_undecided
from tradenb.store.filesystem import DiskFilesystem, Filesystem
from tradenb.store.journal.append_only import Journal
from tradenb.store.lock import holder_of
from tradenb.store.paths import Home, Key

_NEVER: Final = float("-inf")


class RunFiles:
    """Reads the files of one run; a document that has not changed is not read again.

    Which process holds the run is checked at most every `lock_every_s` seconds.
    """

    def __init__(self, home: Home, key: Key, *, lock_every_s: float = 0.0) -> None:
        self.home = home
        self.key = key
        self.journal = Journal(DiskFilesystem(durable=False), home.journal(key))
        self.failure: StateError | None = None
        self._disk = DiskFilesystem(durable=False)
        self._path = home.document(key)
        self._lock_every_s = lock_every_s
        self._stamp: Stamp = None
        self._body: dict[str, Any] = {}
        self._state: State | None = None
        self._locked_at = _NEVER
        self._locked = False
        self._held_by = ""
        self._undecided = ""

    def status(self) -> RunStatus:
        """Return how the run is; a document that cannot be read is an error in words."""
        self._read_document()
        if monotonic() - self._locked_at >= self._lock_every_s:
            self._read_lock()
        body, state, commands = self._body, self._state, self._pending()
        done, stopping = state is not None and state.done, state is not None and state.stopping
        error = self._undecided or ("" if self.failure is None else str(self.failure))
        return RunStatus(
            self.key.symbol,
            self.key.strategy,
            mode_of(self.home.root),
            str(self.home.root),
            status_of_document(body, locked=self._locked),
            exchange=body.get("exchange", ""),
            held_by=self._held_by,
            state=state,
            saved=not self._undecided,
            stopping=not done and (stopping or any(each.kind == "stop" for each in commands)),
            pending_commands=commands,
            price=body.get("price"),
            started=body.get("start"),
            last_tick=body.get("saved_at"),
            age_s=self._age_s(),
            error=error,
            last_error=error,
            last_event_seq=int(body.get("last_event_seq", 0)),
        )

    def required(self) -> RunStatus:
        """Return the same, or raise a StateError if the run has no state that can be read."""
        found = self.status()
        if self.failure is not None:
            raise self.failure
        if found.state is None:
            raise StateError(f"{found.id} has no state under {self.home.root}")
        return found

    def events(self, limit: int | None = None) -> list[Event]:
        """Return the events of the journal, oldest first; the newest `limit` of them."""
        rows = self.journal.read() if limit is None else self.journal.tail(limit)
        return [row_to_event(row) for row in rows]

    def forget_lock(self) -> None:
        """Check at the next call which process holds the run, however recent the last check is."""
        self._locked_at = _NEVER

    def _pending(self) -> tuple[PendingCommand, ...]:
        """Return the commands that have not acted: in the document, or still in their files."""
        state = self._state
        known = [] if state is None or state.done else [*state.commands]
        if self._locked or known:
            taken = self._body.get("taken", [])
            waiting = peek(self._disk, self.home.control(self.key), self.key)
            known = standing(
                [*known, *(command_of(each) for each in waiting if each.id not in taken)]
            )
        if not known:
            return ()
        replayed = mode_of(self.home.root) == "rehearsal"
        cursor = 0 if state is None else state.cursor
        return pending(known, cursor, None if replayed else time_ns() // 1_000_000)

    def _read_document(self) -> None:
        stamp = stamp_of(self._path)
        if stamp is not None and stamp == self._stamp:
            return
        try:
            found = read_document(self._disk, self._path)
        except StateError as error:
            # The state that was read before stays: a damaged file closes no position.
            self.failure = error
            return
        self.failure = None
        if found is not None:
            self._state = from_record(found.body["state"])
            self._body = found.body
        # Last: read again after an interrupt, never half read for good.
        self._stamp = stamp

    def _read_lock(self) -> None:
        self._locked_at = monotonic()
        lock = self.home.lock(self.key)
        self._locked = is_locked(self._disk, lock)
        self._held_by = str(holder_of(self._disk, lock)) if self._locked else ""
        self._undecided = words_if_undecided(self._disk, self._path)

    def _age_s(self) -> float | None:
        """Return the seconds since it was saved; a rehearsal's own clock does not say that.

        A time to come is not fresh: a clock was wrong then, or is now.
        """
        if self._stamp is None:
            return None
        replayed = mode_of(self.home.root) == "rehearsal"
        saved_s = self._stamp[0] / 1e9 if replayed else self._body.get("saved_at", 0) / 1e3
        return abs(time() - saved_s)


def is_locked(disk: Filesystem, path: Path) -> bool:
    """Tell whether a process holds a lock, by taking it and giving it back."""
    if not disk.exists(path):
        return False
    try:
        disk.unlock(disk.lock(path))
    except BlockingIOError:
        return True
    return False
