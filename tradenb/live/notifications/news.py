"""`News`: which of what waits is news, and the line for it.

An event is told once, also over restarts (`store/sent_marks.py`). An error that repeats is told
once an hour, with how often it came; its figures do not count. An alarm of orders is another one
with other figures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tradenb.clock import wall_ms
from tradenb.core.events import Event
from tradenb.core.timeframe import iso
from tradenb.live.loop.supervisor import active_runs
from tradenb.live.notifications.alarms import Alarm
from tradenb.live.notifications.message_text import event_line, plain
from tradenb.live.status.run_status import mode_of
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.paths import Home, Key
from tradenb.store.sent_marks import SentMarks
from tradenb.view.formatting import plural

REPEAT_MS: Final = 3_600_000
_MOST_ERRORS: Final = 1_000
_MOST_MISSED: Final = 10_000
_NUMBERS: Final = re.compile(r"\d+")

Item = Event | Alarm | str
FindHome = Callable[[str, str], Home | None]


class News:
    """What one service has been told.

    Parameters
    ----------
    reference : str
        Of the service's URL.
    kinds : frozenset of str
        The kinds of events that it is told.
    home_of : callable
        Returns the home of a run by symbol and strategy, or None where it is not known.
    now : callable
        Wall clock, ms UTC.
    """

    def __init__(
        self,
        reference: str,
        kinds: frozenset[str],
        *,
        home_of: FindHome | None = None,
        now: Callable[[], int] = wall_ms,
    ) -> None:
        self._reference = reference
        self._kinds = kinds
        self._home_of = home_of or home_of_run
        self._now = now
        self._marks: dict[Home, SentMarks] = {}
        self._known: set[tuple[Home, str]] = set()
        # Of each error: when it was told, and how often it came since.
        self._errors: dict[tuple[str, str], tuple[int, int]] = {}

    def lines(self, batch: Sequence[Item]) -> list[str]:
        """Mark what waited as sent, and return a line for each item that is news."""
        lines = [*self._gaps(batch)]
        fresh = self._marked(batch)
        for number, item in enumerate(batch):
            if isinstance(item, str):
                lines.append(item)
            elif isinstance(item, Alarm):
                line = plain(f"ALARM {item.run}: {item.words}")
                lines += self._once_an_hour(item.run, _NUMBERS.sub("0", item.words), line)
            elif item.kind in ("error", "alarm") and number in fresh:
                run, words = f"{item.symbol}:{item.strategy}", item.note or ""
                # Other figures make another alarm of orders, but the same error.
                if item.kind == "alarm":
                    words = f"{item.exit_reason} {words}"
                else:
                    words = _NUMBERS.sub("0", words)
                lines += self._once_an_hour(run, words, event_line(item))
            elif number in fresh:
                lines.append(event_line(item))
        return lines

    def marks(self, home: Home) -> SentMarks:
        """Return the marks of this service under a home."""
        if home not in self._marks:
            self._marks[home] = SentMarks(home, self._reference)
        return self._marks[home]

    def _marked(self, batch: Sequence[Item]) -> set[int]:
        """Mark the events of a batch; return the places of those that were not marked before.

        An event without a number is in no journal, and no restart delivers it again.
        """
        fresh = {n for n, item in enumerate(batch) if isinstance(item, Event)}
        for (symbol, strategy), places in _by_run(batch).items():
            home = self._home_of(symbol, strategy)
            if home is None:
                continue
            events = [item for n in places if isinstance(item := batch[n], Event)]
            moments = [(event.seq, event.wall or 0) for event in events]
            marked = self.marks(home).mark_events(f"{symbol}:{strategy}", moments)
            fresh -= {n for n, new in zip(places, marked, strict=True) if not new}
        return fresh

    def _gaps(self, batch: Sequence[Item]) -> Iterator[str]:
        """Say what an earlier process did not come to send: once, at a run's first event."""
        for (symbol, strategy), places in _by_run(batch).items():
            home, key = self._home_of(symbol, strategy), Key(strategy, symbol)
            first = batch[places[0]]
            if home is None or (home, key.id) in self._known or not isinstance(first, Event):
                continue
            self._known.add((home, key.id))
            last = self.marks(home).last(key.id)
            if last is not None and first.seq > last[0] + 1:
                yield from self._gap(home, key, last[0], first.seq)

    def _gap(self, home: Home, key: Key, last: int, first: int) -> Iterator[str]:
        journal = Journal(DiskFilesystem(durable=False), home.journal(key))
        try:
            rows = journal.read(last, min(first - last - 1, _MOST_MISSED))
        except OSError:
            return
        missed = [row for row in rows if row["seq"] < first and row.get("kind") in self._kinds]
        if missed:
            since = iso(missed[0]["at"])
            count = plural(len(missed), "event")
            yield (
                f"{key.id}: {count} since {since} UTC not sent, as the process had ended or "
                "notifications were off; run.events() has them"
            )

    def _once_an_hour(self, run: str, words: str, line: str) -> list[str]:
        """Return the line of an error, or nothing when it was told within the hour."""
        key, now = (run, words), self._now()
        told, count = self._errors.get(key, (0, 0))
        if told and 0 <= now - told < REPEAT_MS:
            self._errors[key] = (told, count + 1)
            return []
        if len(self._errors) >= _MOST_ERRORS:
            self._errors.clear()
        self._errors[key] = (now, 0)
        return [f"{line} (and {plural(count, 'time')} since {iso(told)} UTC)" if count else line]


def home_of_run(symbol: str, strategy: str) -> Home | None:
    """Return the home of a live run of this process."""
    for run in active_runs():
        if (run.symbol, run.strategy) == (symbol, strategy):
            home = run.storage.home
            if mode_of(home) == "live":
                return Home(home)
    return None


def _by_run(batch: Sequence[Item]) -> dict[tuple[str, str], list[int]]:
    """Return the places of the numbered events, by run."""
    found: dict[tuple[str, str], list[int]] = {}
    for number, item in enumerate(batch):
        if isinstance(item, Event) and item.seq:
            found.setdefault((item.symbol, item.strategy), []).append(number)
    return found
