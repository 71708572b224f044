"""What has happened in a run, as a report needs it: counts, closes, and the newest events.

Read in one pass over the journal, in memory that grows with the trades and not with the events. Of
lines as they are written only the columns that a trade needs are read; whatever looks otherwise is
read by the parser and paired by `core.trades`, which gives the same trades (a test says so).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any, Final, NamedTuple

from tradenb.core.events import Event
from tradenb.core.signal import Trade
from tradenb.core.trades import Parts, trades_of
from tradenb.engine.serialise import row_to_event
from tradenb.live.status.line_columns import line_columns
from tradenb.store.codec import parse
from tradenb.store.journal.event_journal import Journal
from tradenb.store.journal.picking import Lines, Picking

NEWEST: Final = 250
BATCH: Final = 20_000
"""So many lines are read together."""
_PARTS: Final = ("added", "partial")
_KINDS: Final = ("opened", *_PARTS, "closed", "error")
_OPENED: Final = ("signal_id", "at", "note")
_CLOSED: Final = (
    "signal_id", "symbol", "strategy", "position", "at", "entry", "price", "take_profit",
    "stop_loss", "size", "exit_reason", "pnl_percent", "late",
)  # fmt: skip
_OPENED_AT: Final = Trade._fields.index("opened_at")
# What a position is that was entered and left once; the journal does not tell what it was in money.
_WHOLE: Final = (1, 1, 1.0, None, None, None, None)


class RunHistory(NamedTuple):
    """What a journal says.

    Attributes
    ----------
    total : int
        How many events there are.
    newest : list of Event
        The last of them, oldest first.
    trades : list of Trade
        Closed positions, in order of closing.
    gains : list of float
        Percent of every close, also of one whose opening is not known.
    errors : int
    last_error : Event or None
    """

    total: int
    newest: list[Event]
    trades: list[Trade]
    gains: list[float]
    errors: int
    last_error: Event | None


def history_of(journal: Journal, *, trades: bool = True) -> RunHistory:
    """Read the history of a run.

    Parameters
    ----------
    trades : bool
        Whether the trades are wanted; without them it takes a third of the time.

    Raises
    ------
    OSError
        When a file of the journal is there and cannot be read.
    """
    newest = [row_to_event(row) for row in journal.tail(NEWEST)]

    def read(picking: Picking) -> RunHistory:
        closes = _Closes() if trades else _Gains()
        last = b""
        for lines in _batches(picking):
            closes.add(lines)
            last = lines["error"][-1] if lines["error"] else last
        error, errors = _event(last) if last else None, picking.counts["error"]
        return RunHistory(picking.count, newest, closes.trades, closes.gains, errors, error)

    return journal.pick(_KINDS if trades else ("closed", "error"), read, newest_of=("error",))


def _batches(stretches: Iterable[Lines]) -> Iterator[Lines]:
    """Put the lines of some stretches together: to read columns costs as much for a few lines."""
    batch: Lines = {}
    for lines in stretches:
        for kind, found in lines.items():
            batch.setdefault(kind, []).extend(found)
        if sum(map(len, batch.values())) >= BATCH:
            yield batch
            batch = {}
    if batch:
        yield batch


class _Gains:
    """What the positions of a run gained, as its lines are read."""

    def __init__(self) -> None:
        self.trades: list[Trade] = []
        self.gains: list[float] = []

    def add(self, lines: Lines) -> None:
        """Take the lines of a stretch."""
        try:
            (gains,) = line_columns(lines["closed"], ("pnl_percent",))
        except ValueError:
            gains = [_event(line).pnl_percent for line in lines["closed"]]
        self.gains += [gain for gain in gains if gain is not None]


class _Closes(_Gains):
    """The trades of a run as well."""

    def __init__(self) -> None:
        super().__init__()
        # Of positions whose close has not been read yet: when they opened, and the notes of some.
        # No tuples: the garbage collector would go through all of them, again and again.
        self._opened: dict[str, int] = {}
        self._notes: dict[str, str] = {}
        self._parts: dict[str | None, Parts] = {}

    def add(self, lines: Lines) -> None:
        """Take the lines of a stretch."""
        if self._parts or any(lines.get(kind) for kind in _PARTS):
            self._add_events(lines)
            return
        try:
            ids, opened, notes = line_columns(lines["opened"], _OPENED)
            closed = line_columns(lines["closed"], _CLOSED)
        except ValueError:
            self._add_events(lines)
            return
        if len(set(ids)) < len(ids) or not self._opened.keys().isdisjoint(ids):
            self._add_events(lines)  # an id names two positions: only the order tells them apart
            return
        self._opened.update(zip(ids, opened, strict=True))
        self._notes.update(
            (id, note) for id, note in zip(ids, notes, strict=True) if note is not None
        )
        if closed[0]:
            self._add_columns(closed)

    def _add_columns(self, closed: list[list[Any]]) -> None:
        ids, gains = closed[0], closed[-2]
        self.gains += gains
        since, notes = ([each.pop(id, None) for id in ids] for each in (self._opened, self._notes))
        rows: Iterable[tuple[Any, ...]] = zip(
            *closed[:4], since, *closed[4:], notes, *map(repeat, _WHOLE), strict=False
        )
        if None in since:
            rows = (row for row in rows if row[_OPENED_AT] is not None)
        # Named in `_CLOSED` in the order of a Trade; its own `__new__` takes three times as long.
        self.trades += map(tuple.__new__, repeat(Trade), rows)

    def _add_events(self, lines: Lines) -> None:
        events = [_event(line) for kind in _KINDS[:-1] for line in lines.get(kind, ())]
        events.sort(key=lambda event: event.seq)
        before: dict[str | None, Event] = {
            id: Event(0, at, "", "", "opened", note=self._notes.get(id))
            for id, at in self._opened.items()
        }
        self.trades += trades_of(events, before, self._parts)
        self._opened = {str(id): event.at for id, event in before.items()}
        self._notes = {
            str(id): event.note for id, event in before.items() if event.note is not None
        }
        closes = (event.pnl_percent for event in events if event.kind == "closed")
        self.gains += [gain for gain in closes if gain is not None]


def _event(line: bytes) -> Event:
    return row_to_event(parse(line))
