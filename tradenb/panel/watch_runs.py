"""Looking at the runs: those of this process, and those whose files are under a home.

A file is read again only when it has changed. The runs of this process are asked for what is in no
file (prices, ticks, errors); their events come from the journal like everybody's.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time
from typing import Any, Final, NamedTuple

from tradenb.bus import bus
from tradenb.core.events import Event
from tradenb.core.lifecycle.state import State
from tradenb.core.timeframe import MINUTE
from tradenb.engine.serialise import from_record, row_to_event
from tradenb.errors import StateError
from tradenb.live.loop.active_runs import living
from tradenb.live.loop.record import RunRecord
from tradenb.live.loop.tick_result import Tick
from tradenb.live.status.listing import has_ended, is_locked, is_stale, status_of
from tradenb.panel.facts import Facts, Mode
from tradenb.panel.replica import MOST_TRADES, Story
from tradenb.store.document.read import read_document
from tradenb.store.document.state_conflict import words_if_undecided
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.lock import holder_of
from tradenb.store.paths import Home, Key, find_home

MOST_RUNS: Final = 100
CANDLES: Final = 360
LATEST: Final = 60
_FIRST_READ: Final = 10 * MOST_TRADES
_TAIL: Final = 32
_LOCKS_EVERY_S: Final = 1.0

Stamp = tuple[int, int, int] | None


class Place(NamedTuple):
    """Where the state of a run is."""

    home: Home
    key: Key


@dataclass
class Seen:
    """What was read of one run, and what its files looked like then."""

    story: Story = field(default_factory=Story)
    state: State | None = None
    ended: bool = False
    price: float | None = None
    last_event_seq: int = 0
    document: Stamp = None
    journal: Stamp = None
    status: str = "idle"
    held_by: str = ""
    looked: float = float("-inf")
    error: str = ""
    undecided: str = ""


class Look(NamedTuple):
    """One run as it was found, and the replica of its events."""

    facts: Facts
    story: Story
    place: Place


class Watch:
    """Looks at runs.

    Parameters
    ----------
    home : path, optional
        Default `TRADENB_HOME` or ./dump; the runs of this process are shown wherever they are.
    runs : callable
        Returns those of this process.
    """

    def __init__(
        self,
        home: str | Path | None = None,
        *,
        runs: Callable[[], Sequence[RunRecord]] = living,
    ) -> None:
        self.home = find_home(home)
        self.errors: deque[Event] = deque(maxlen=50)
        self.error_count = 0
        self._runs = runs
        self._seen: dict[Place, Seen] = {}
        self._met: dict[Place, RunRecord] = {}
        self._disk = DiskFilesystem(durable=False)
        self._heard = [
            bus.subscribe(self._hear, mode=mode, channel="errors") for mode in ("live", "rehearsal")
        ]

    def close(self) -> None:
        """Look no longer."""
        for subscription in self._heard:
            subscription.close()

    def look(self) -> list[Look]:
        """Return all runs as they are now, in no order."""
        own = self._own_runs()
        found = [self._own(place, run) for place, run in list(own.items())]
        found += [self._other(place) for place in self._places() if place not in own]
        return found

    def look_anew(self) -> None:
        """Ask the next time who holds the runs, however short ago that was asked."""
        for seen in self._seen.values():
            seen.looked = float("-inf")

    def run(self, place: Place) -> RunRecord | None:
        """Return the run of this process at a place."""
        return self._own_runs().get(place)

    def _own_runs(self) -> dict[Place, RunRecord]:
        """Return the runs of this process: those that run, and those that did when last looked at.

        One that had ended before counts only under the home that is looked at.
        """
        homes = (self.home, self.home.rehearsal)
        for run in sorted(self._runs(), key=_is_running):
            place = place_of(run)
            if _is_running(run) or (place.home in homes and place not in self._met):
                self._met[place] = run
        return self._met

    def _own(self, place: Place, run: RunRecord) -> Look:
        seen = self._seen.setdefault(place, Seen())
        instance = run.instance
        seen.last_event_seq = run.told_seq or seen.story.last_seq
        self._read_journal(place, seen)
        ticks = list(run.history)[-LATEST:]
        candles = None if instance is None else instance.candles
        error = run.error
        facts = Facts(
            run.symbol,
            run.strategy,
            _mode_of(place.home),
            str(place.home.root),
            run.status,
            here=True,
            state=run.state,
            rules=run.rules,
            saved=run.saved,
            stale=is_stale(run),
            price=ticks[-1].price if ticks else None,
            age_s=monotonic() - run.ticked if run.status == "running" else None,
            lateness_s=_lateness(ticks) if _mode_of(place.home) == "live" else (),
            clock_ahead_ms=getattr(run.source, "clock_ahead_ms", None),
            candles=None
            if candles is None
            else candles.between(max(candles.start, candles.end - CANDLES * MINUTE), candles.end),
            error="" if error is None else str(error) or repr(error),
            trace="" if error is None else _trace(error),
            last_event_seq=seen.last_event_seq,
        )
        return Look(facts, seen.story, place)

    def _other(self, place: Place) -> Look:
        seen = self._seen.setdefault(place, Seen())
        self._read_document(place, seen)
        self._read_journal(place, seen)
        if monotonic() - seen.looked >= _LOCKS_EVERY_S:
            self._look_who(place, seen)
        saved = seen.document
        facts = Facts(
            place.key.symbol,
            place.key.strategy,
            _mode_of(place.home),
            str(place.home.root),
            seen.status,
            held_by=seen.held_by,
            state=seen.state,
            price=seen.price,
            age_s=None if saved is None else max(0.0, time() - saved[0] / 1e9),
            saved=not seen.undecided,
            error=seen.undecided or seen.error,
            last_event_seq=seen.last_event_seq,
        )
        return Look(facts, seen.story, place)

    def _look_who(self, place: Place, seen: Seen) -> None:
        seen.looked = monotonic()
        lock = place.home.lock(place.key)
        locked = is_locked(self._disk, lock)
        seen.status = status_of(seen.ended, locked=locked)
        seen.held_by = str(holder_of(self._disk, lock)) if locked else ""
        seen.undecided = words_if_undecided(self._disk, place.home.document(place.key))

    def _read_document(self, place: Place, seen: Seen) -> None:
        path = place.home.document(place.key)
        stamp = _stamp(path)
        if stamp == seen.document and stamp is not None:
            return
        try:
            found = read_document(self._disk, path)
        except StateError as error:
            seen.error = str(error)
            return
        seen.document, seen.error = stamp, ""
        if found is not None:
            seen.state = from_record(found.body["state"])
            seen.ended = has_ended(found.body)
            seen.last_event_seq = int(found.body["last_event_seq"])
            seen.price = found.body.get("price")

    def _read_journal(self, place: Place, seen: Seen) -> None:
        path = place.home.journal(place.key)
        stamp = _stamp(path)
        if stamp == seen.journal:
            return
        journal = Journal(self._disk, path)
        story = seen.story
        try:
            rows = _newest(journal, story)
        except OSError as error:
            story.missing = f"the journal cannot be read ({error.strerror or error})"
            return
        events = [row_to_event(row) for row in rows]
        seen.journal = stamp
        if not story.fold(events):
            first = next(event.seq for event in events if event.seq > story.last_seq)
            story.skip_to(first)
            story.fold(events)

    def _places(self) -> Iterator[Place]:
        for home in (self.home, self.home.rehearsal):
            for key in list(home.keys(self._disk))[:MOST_RUNS]:
                yield Place(home, key)

    def _hear(self, event: Event) -> None:
        self.error_count += 1
        self.errors.append(event)


def _newest(journal: Journal, story: Story) -> list[dict[str, Any]]:
    """Return the rows that a story has not seen, read from the end, and perhaps some before."""
    if not story.count:
        return journal.tail(_FIRST_READ)
    count = _TAIL
    while True:
        rows = journal.tail(count)
        if len(rows) < count or rows[0]["seq"] <= story.last_seq + 1:
            return rows
        count *= 4


def place_of(run: RunRecord) -> Place:
    """Return where the state of a run of this process is."""
    return Place(Home(run.shelf.home), Key(run.strategy, run.symbol))


def _is_running(run: RunRecord) -> bool:
    return run.status == "running"


def _mode_of(home: Home) -> Mode:
    return "rehearsal" if home.root.name == "rehearsal" else "live"


def _lateness(ticks: Sequence[Tick]) -> tuple[float, ...]:
    return tuple((tick.wall - tick.at) / 1000 for tick in ticks if tick.candles == 1)


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) if error.__traceback__ else ""


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
