"""Finds the runs to show: those of this process, and those whose files are under a home.

A file is read again only when it has changed. What no file has (ticks, tracebacks) is known of the
runs of this process alone; their events come from the journal, as those of every other run.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from tradenb.bus import bus
from tradenb.core.candles.arrays import Candles, candles_of, spaced
from tradenb.core.events import Event
from tradenb.core.timeframe import MINUTE
from tradenb.engine.history.indicators import Computed
from tradenb.engine.serialise import events_of
from tradenb.errors import StateError
from tradenb.live.loop.record import RunRecord
from tradenb.live.loop.supervisor import active_runs
from tradenb.live.status.run_files import RunFiles
from tradenb.live.status.run_status import RunStatus
from tradenb.live.status.status_of_run import status_of_run
from tradenb.panel.dashboard_rows import order_of
from tradenb.panel.replica import MOST_TRADES, Replica
from tradenb.store.filesystem import DiskFilesystem, Stamp, stamp_of
from tradenb.store.journal.event_journal import Journal
from tradenb.store.journal.recording import Recording
from tradenb.store.paths import Home, Key, find_home

MOST_RUNS: Final = 100
CANDLES: Final = 360
_FIRST_READ: Final = 10 * MOST_TRADES
_TAIL: Final = 32
_LOCKS_EVERY_S: Final = 1.0


class Location(NamedTuple):
    """Where the files of a run are."""

    home: Home
    key: Key


class WatchedRun(NamedTuple):
    """One run at one moment; the candles of other processes are read when they are drawn.

    The values of indicators are in the process of the run alone.
    """

    status: RunStatus
    replica: Replica
    location: Location
    candles: Candles | None = None
    read_indicators: Callable[[], Sequence[Computed]] = tuple


@dataclass
class _Known:
    """What was read of one run so far."""

    files: RunFiles
    replica: Replica = field(default_factory=Replica)
    journal: Stamp = None
    recording: Stamp = None
    candles: Candles | None = None


class Watch:
    """Finds runs: those under a home, and those of this process wherever they are."""

    def __init__(
        self,
        home: str | Path | None = None,
        *,
        runs: Callable[[], Sequence[RunRecord]] = active_runs,
    ) -> None:
        self.home = find_home(home)
        self.errors: deque[Event] = deque(maxlen=50)
        self.error_count = self.left_out = 0
        self._runs = runs
        self._known: dict[Location, _Known] = {}
        self._own: dict[Location, RunRecord] = {}
        self._disk = DiskFilesystem(durable=False)
        self._subscriptions = [
            bus.subscribe(self._on_error, mode=mode, channel="errors")
            for mode in ("live", "rehearsal")
        ]

    def close(self) -> None:
        """Watch no longer."""
        for subscription in self._subscriptions:
            subscription.close()

    def poll(self) -> list[WatchedRun]:
        """Return the runs as they are now, in no order.

        Of those elsewhere as many as are shown, the first by `order_of`; `left_out` are more.
        """
        own = self.own_runs()
        found = [self._poll_own(location, run) for location, run in list(own.items())]
        elsewhere = [each for each in self._locations() if each not in own]
        others = [(each, self._known_at(each).files.status()) for each in elsewhere]
        others.sort(key=lambda other: order_of(other[1]))
        self.left_out = max(0, len(others) - MOST_RUNS)
        return found + [self._poll_files(*other) for other in others[:MOST_RUNS]]

    def recorded_candles(self, location: Location) -> Candles | None:
        """Return the newest candles that a run elsewhere went through, if it notes them."""
        known = self._known_at(location)
        recording = Recording(self._disk, location.home.recording(location.key))
        stamp = stamp_of(recording.path)
        if stamp is None or stamp != known.recording:
            known.recording, known.candles = stamp, None
            with contextlib.suppress(OSError):
                known.candles = _newest(recording.newest_candles())
        return known.candles

    def forget_locks(self) -> None:
        """Check at the next poll which process holds each run, however recent the last check is."""
        for known in self._known.values():
            known.files.forget_lock()

    def own_runs(self) -> dict[Location, RunRecord]:
        """Return the runs of this process: those that run, and those that did at the last poll.

        One that had ended before counts only under the home that is watched.
        """
        homes = (self.home, self.home.rehearsal)
        # Running ones last: of two runs at one location, the one that runs is the one to show.
        for run in sorted(self._runs(), key=_is_running):
            location = location_of(run)
            if _is_running(run) or (location.home in homes and location not in self._own):
                self._own[location] = run
        return self._own

    def _poll_own(self, location: Location, run: RunRecord) -> WatchedRun:
        # Status first: an event that comes between the two reads is only early. The other way round
        # the state could hold a position that the events do not explain, and would be doubted.
        status = status_of_run(run)
        known = self._known_at(location)
        status = replace(status, last_event_seq=status.last_event_seq or known.replica.last_seq)
        self._read_journal(known)
        instance = run.instance
        if instance is None:
            return WatchedRun(status, known.replica, location)
        candles = instance.candles
        if candles is not None:
            candles = candles.rows(len(candles) - CANDLES, len(candles))
        values = instance.context.indicators.computed
        return WatchedRun(status, known.replica, location, candles, values)

    def _poll_files(self, location: Location, status: RunStatus) -> WatchedRun:
        known = self._known_at(location)
        self._read_journal(known)
        return WatchedRun(status, known.replica, location)

    def _known_at(self, location: Location) -> _Known:
        if location not in self._known:
            files = RunFiles(*location, lock_every_s=_LOCKS_EVERY_S)
            self._known[location] = _Known(files)
        return self._known[location]

    def _read_journal(self, known: _Known) -> None:
        stamp = stamp_of(known.files.journal.path)
        if stamp == known.journal:
            return
        replica = known.replica
        try:
            rows = _unread_rows(known.files.journal, replica)
        except OSError as error:
            replica.missing = f"the journal cannot be read ({error.strerror or error})"
            return
        try:
            events = events_of(rows, known.files.journal.path)
        except StateError as error:
            replica.missing, known.journal = str(error), stamp
            return
        # Stamped before it was read: what is appended meanwhile changes the next stamp.
        known.journal = stamp
        if not replica.fold(events):
            first = next(event.seq for event in events if event.seq > replica.last_seq)
            replica.skip_to(first)
            replica.fold(events)

    def _locations(self) -> Iterator[Location]:
        for home in (self.home, self.home.rehearsal):
            for key in home.keys(self._disk):
                yield Location(home, key)

    def _on_error(self, event: Event) -> None:
        self.error_count += 1
        self.errors.append(event)


def _unread_rows(journal: Journal, replica: Replica) -> list[dict[str, Any]]:
    """Return the rows that a replica has not folded, read from the end, and perhaps some before."""
    if not replica.count:
        return journal.tail(_FIRST_READ)
    count = _TAIL
    while True:
        rows = journal.tail(count)
        if len(rows) < count or rows[0]["seq"] <= replica.last_seq + 1:
            return rows
        count *= 4


def _newest(rows: list[list[Any]]) -> Candles | None:
    """Return the newest candles."""
    rows = rows[-CANDLES:]
    if not rows:
        return None
    opened, high, low, close, volume = np.array([row[1:] for row in rows], dtype=np.float64).T
    times = np.array([row[0] for row in rows], dtype=np.int64)
    columns = opened, high, low, close, volume
    return candles_of(columns, rows[0][0], MINUTE, spaced(times, MINUTE))


def location_of(run: RunRecord) -> Location:
    """Return where the files of a run of this process are."""
    return Location(Home(run.storage.home), Key(run.strategy, run.symbol))


def _is_running(run: RunRecord) -> bool:
    return run.status == "running"
