"""The newest events as rows of the dashboard; an error that repeats is one row that counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from tradenb.core.events import Event
from tradenb.core.timeframe import iso
from tradenb.panel.replica import MOST_EVENTS
from tradenb.view.event_words import event_words
from tradenb.view.formatting import tone

EventRow = list[Any]

_LONGEST: Final = 300
NUMBER, RUN, WHEN, KIND, WORDS, TONE, TIMES, SINCE = range(8)


def event_row(event: Event, mode: str, number: int) -> EventRow:
    """Return an event for the view.

    Its number here, run, time, kind, words, tone, how often it came, and since when.
    """
    words = event_words(event)
    words = words if len(words) <= _LONGEST else words[: _LONGEST - 1] + "…"
    colour = tone(event.pnl_percent) if event.kind == "closed" else "even"
    key, when = f"{mode}:{event.symbol}:{event.strategy}", iso(event.at)
    return [number, key, when, event.kind, words, colour, 1, when]


class EventRows:
    """The newest events, oldest first."""

    def __init__(self) -> None:
        self._rows: deque[EventRow] = deque(maxlen=MOST_EVENTS)

    def __iter__(self) -> Iterator[EventRow]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: EventRow) -> None:
        """Add a row; an error that is there already moves up and counts one more."""
        if row[KIND] == "error":
            same = (row[RUN], row[KIND], row[WORDS])
            known = next((each for each in self._rows if _same(each) == same), None)
            if known is not None:
                self._rows.remove(known)
                row[TIMES], row[SINCE] = known[TIMES] + 1, known[SINCE]
        self._rows.append(row)

    def after(self, number: int) -> list[EventRow]:
        """Return the rows with a higher number, oldest first."""
        return [row for row in self._rows if row[NUMBER] > number]


def counted_words(row: EventRow) -> str:
    """Return the words of a row, and how often it came: "... x9 since 13:50".

    Examples
    --------
    >>> row = [9, "live:B:dip", "2024-01-01 13:59", "error", "no answer", "even", 9]
    >>> counted_words([*row, "2024-01-01 13:50"])
    'no answer · x9 since 13:50'
    """
    if row[TIMES] == 1:
        return str(row[WORDS])
    same_day = row[SINCE][:10] == row[WHEN][:10]
    since = row[SINCE][11:] if same_day else row[SINCE]
    return f"{row[WORDS]} · x{row[TIMES]} since {since}"


def _same(row: EventRow) -> tuple[str, str, str]:
    return row[RUN], row[KIND], row[WORDS]
