"""What a live run really asked: the asks whose outcome is in its document.

An ask is made, and perhaps nothing comes of it: the commit fails, or the process dies. The ledger
sits between a run and its shelf and keeps those that count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tradenb.live.state.disk_storage import DiskShelf
from tradenb.live.state.storage import Asked, Kept


class Ledger:
    """The asks of one run.

    Attributes
    ----------
    effective : set of int
        Close times of the asks that count.
    acknowledged : int
        Number of the last event of a commit that survives a power loss.
    problems : list of str
        What must not be and was seen on the way.
    """

    def __init__(self) -> None:
        self.effective: set[int] = set()
        self.acknowledged = 0
        self.problems: list[str] = []
        self._pending: list[int] = []
        self._last_committed = 0

    def asked(self, at: int) -> None:
        """Note an ask."""
        self._pending.append(at)

    def began(self) -> None:
        """Note that a tick begins: what the one before it did not commit is void."""
        self._pending.clear()

    def committed(self, kept: Kept, *, synced: bool) -> None:
        """Note a commit."""
        self.effective |= {at for at in self._pending if at <= kept.state.cursor}
        self._pending = [at for at in self._pending if at > kept.state.cursor]
        if kept.last_seq < self._last_committed:
            self.problems.append(f"numbers went back: {self._last_committed}, then {kept.last_seq}")
        self._last_committed = kept.last_seq
        if synced:
            self.acknowledged = kept.last_seq

    def opened(self, kept: Kept | None) -> None:
        """Note what a new process found."""
        seq = 0 if kept is None else kept.last_seq
        cursor = 0 if kept is None else kept.state.cursor
        if seq < self.acknowledged:
            self.problems.append(f"I3: event {self.acknowledged} was committed, found {seq}")
        self.effective = {at for at in (*self.effective, *self._pending) if at <= cursor}
        self._pending.clear()
        self._last_committed = seq


class WatchedShelf(DiskShelf):
    """The real shelf, with a ledger that listens."""

    def __init__(self, ledger: Ledger, *given: Any, **settings: Any) -> None:
        super().__init__(*given, **settings)
        self._ledger = ledger

    def open(self) -> Kept | None:
        """Open, and tell the ledger what was found."""
        kept = super().open()
        self._ledger.opened(kept)
        return kept

    def look(self) -> Asked:
        """Look, as a tick does first."""
        self._ledger.began()
        return super().look()

    def commit(self, kept: Kept) -> bool:
        """Commit, and tell the ledger."""
        synced = super().commit(kept)
        self._ledger.committed(kept, synced=synced)
        return synced


def watched(ledger_of: Callable[[str], Ledger]) -> Callable[..., DiskShelf]:
    """Return what makes shelves that tell the ledger of their strategy."""

    def make(home: Any, symbol: str, spec: Any, *given: Any, **settings: Any) -> DiskShelf:
        return WatchedShelf(ledger_of(spec.name), home, symbol, spec, *given, **settings)

    return make
