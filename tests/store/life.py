"""A run in small: what a live loop does with the store, and what must hold of it after any end.

Each tick makes the next generation with one event, commits, confirms the journal, then announces.
"""

from __future__ import annotations

from tests.store.samples import DOCUMENT, HOME, KEY, body, row
from tradenb.errors import StateError, StateWriteError
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.journal.event_journal import Journal
from tradenb.store.lock import FileLock
from tradenb.store.view_files import behind, run_views, write_views
from tradenb.testing.world.fake_disk import Crash, FakeDisk

SMALL = 600  # bytes; the journal is rotated every second event


class Memory:
    """What the world outside was told; it survives every crash."""

    def __init__(self) -> None:
        self.acked = 0
        self.announced: list[dict] = []

    def copy(self) -> Memory:
        found = Memory()
        found.acked, found.announced = self.acked, list(self.announced)
        return found


class Life:
    """One process of the run."""

    def __init__(self, disk: FakeDisk, memory: Memory, *, pid: int = 1) -> None:
        self.disk, self.memory = disk, memory
        self.lock = FileLock(disk, HOME.lock(KEY))
        self.lock.acquire()
        self.store = DocumentStore(disk, DOCUMENT, pid=pid, guard=self.lock.assure)
        self.journal = Journal(disk, HOME.journal(KEY), pid=pid, rotate_bytes=SMALL)
        found = self.store.load()
        self.generation = found.generation
        self.outbox = list(found.generation.body["outbox"]) if found.generation else []
        self.moved = found.moved
        self.begin()

    def begin(self) -> None:
        """Complete what the last process left undone; the next tick does what fails here."""
        try:
            self.flush()
            if self.generation is not None:
                write_views(
                    self.disk, behind(self.disk, run_views(HOME.views(KEY), self.generation))
                )
        except StateWriteError:
            return

    @property
    def n(self) -> int:
        return 0 if self.generation is None else self.generation.body["last_event_seq"]

    def tick(self) -> None:
        """Make one generation; errors of the disk leave everything as it was."""
        n = self.n + 1
        outbox = [*self.outbox, row(n)]
        made = body(n, outbox)
        committed = self.store.commit(made)
        self.outbox = outbox
        self.generation = Committed(committed.seq, made)
        if committed.synced:
            self.memory.acked = n
            self.flush()
        write_views(self.disk, run_views(HOME.views(KEY), self.generation))

    def flush(self) -> None:
        """Confirm the events in the journal, then announce them: at least once."""
        self.journal.append(self.outbox)
        self.memory.announced += self.outbox
        self.outbox = []


class Committed:
    """The part of a generation that the views look at."""

    def __init__(self, seq: int, made: dict) -> None:
        self.seq, self.body = seq, made


def live(disk: FakeDisk, memory: Memory, ticks: int, *, pid: int = 1) -> int:
    """Run until the process dies or the ticks are over; return the errors that it lived through."""
    errors = 0
    try:
        life = Life(disk, memory, pid=pid)
        for _ in range(ticks):
            try:
                life.tick()
            except StateWriteError:
                errors += 1
        life.lock.release()
    except Crash:
        disk.restart()
    except StateError:
        errors += 1
        disk.restart()
    return errors


def check(disk: FakeDisk, memory: Memory) -> Life:
    """Start once more and demand what every start must find."""
    life = Life(disk, memory, pid=99)
    assert memory.acked <= life.n <= memory.acked + 1, "neither the old state nor the next one"
    assert not life.moved, "something was damaged"
    if life.generation is not None:
        expected = body(life.n, life.generation.body["outbox"])
        assert life.generation.body == expected, "a mixed state"
    rows = life.journal.read()
    assert rows == [row(seq) for seq in range(1, life.n + 1)], "events lost, repeated or different"
    told = {event["seq"]: event for event in memory.announced}
    assert [told[seq] for seq in sorted(told)] == rows, "announced is not what is in the journal"
    assert all(event == told[event["seq"]] for event in memory.announced), "two tellings differ"
    return life
