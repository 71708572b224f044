"""Which calls of a strategy count: those whose result is in the document of the run.

A strategy is called, and perhaps nothing comes of it: the commit fails, or the process dies. The
log sits between a run and its storage and keeps the calls that count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tradenb.live.loop.record import UNREADABLE
from tradenb.live.state.checkpoint import Checkpoint
from tradenb.live.state.control_requests import Requests
from tradenb.live.state.disk_storage import DiskStorage


class CallLog:
    """The strategy calls of one run.

    Attributes
    ----------
    effective : set of int
        Close times of the calls that count.
    acknowledged : int
        Number of the last event of a commit that survives a power loss.
    halts : set of int
        When a waiting entry was cancelled because a request could not be read, ms UTC.
    problems : list of str
        What went wrong on the way.
    """

    def __init__(self) -> None:
        self.effective: set[int] = set()
        self.acknowledged = 0
        self.problems: list[str] = []
        self.halts: set[int] = set()
        self._pending: list[int] = []
        self._last_committed = 0

    def called(self, at: int) -> None:
        """Note a call."""
        self._pending.append(at)

    def tick_began(self) -> None:
        """Note that a tick begins: calls that the tick before it did not commit are void."""
        self._pending.clear()

    def committed(self, checkpoint: Checkpoint, *, synced: bool) -> None:
        """Note a commit."""
        self.halts |= _halts(checkpoint)
        self.effective |= {at for at in self._pending if at <= checkpoint.state.cursor}
        self._pending = [at for at in self._pending if at > checkpoint.state.cursor]
        if checkpoint.last_seq < self._last_committed:
            last, then = self._last_committed, checkpoint.last_seq
            self.problems.append(f"numbers went back: {last}, then {then}")
        self._last_committed = checkpoint.last_seq
        if synced:
            self.acknowledged = checkpoint.last_seq

    def opened(self, checkpoint: Checkpoint | None) -> None:
        """Note what a new process found on disk."""
        seq = 0 if checkpoint is None else checkpoint.last_seq
        cursor = 0 if checkpoint is None else checkpoint.state.cursor
        if seq < self.acknowledged:
            self.problems.append(f"I3: event {self.acknowledged} was committed, found {seq}")
        self.halts |= set() if checkpoint is None else _halts(checkpoint)
        # The commit may have reached the disk although the process died in it.
        self.effective = {at for at in (*self.effective, *self._pending) if at <= cursor}
        self._pending.clear()
        self._last_committed = seq


def _halts(checkpoint: Checkpoint) -> set[int]:
    waiting, events = checkpoint.state.commands, checkpoint.outbox
    found = {command.at for command in waiting if command.cancel_id == UNREADABLE}
    # While the disk is full one may act before it is ever saved; then only its event tells of it.
    acted = (event for event in events if (event.kind, event.note) == ("cancelled", UNREADABLE))
    return found | {event.at - 1 for event in acted}


class WatchedStorage(DiskStorage):
    """The real storage; it reports to a log."""

    def __init__(self, log: CallLog, *given: Any, **settings: Any) -> None:
        super().__init__(*given, **settings)
        self._log = log

    def open(self) -> Checkpoint | None:
        """Open, and log what was found."""
        checkpoint = super().open()
        self._log.opened(checkpoint)
        return checkpoint

    def poll(self) -> Requests:
        """Read the requests, as a tick does first."""
        self._log.tick_began()
        return super().poll()

    def commit(self, checkpoint: Checkpoint) -> bool:
        """Commit, and log it."""
        synced = super().commit(checkpoint)
        self._log.committed(checkpoint, synced=synced)
        return synced


def watched_storage(log_of: Callable[[str], CallLog]) -> Callable[..., DiskStorage]:
    """Return a maker of storages that report to the log of their strategy."""

    def make(home: Any, symbol: str, spec: Any, *given: Any, **settings: Any) -> DiskStorage:
        return WatchedStorage(log_of(spec.name), home, symbol, spec, *given, **settings)

    return make
