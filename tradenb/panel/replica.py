"""A replica of one run: its events folded into what they came to, with their numbers checked.

Everything kept is bounded. The numbers of events rise by one; if one is missing, nothing is
folded and `fold` says so, and its owner reads the journal again from its end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from tradenb.core.events import Event
from tradenb.core.lifecycle.lines_of_events import CHANGES
from tradenb.core.signal import Signal, Trade
from tradenb.core.trades import Parts, trade_of

MOST_EVENTS: Final = 300
MOST_TRADES: Final = 2_000
MOST_CHANGES: Final = 1_000


class Replica:
    """What the events of a run came to.

    Attributes
    ----------
    last_seq : int
        Number of the last event, 0 before the first.
    count : int
        How many were folded.
    events : deque of Event
        The newest `MOST_EVENTS`.
    changes : deque of Event
        The newest `MOST_CHANGES` that a line of a position may change at.
    trades : deque of Trade
        The newest `MOST_TRADES`, in order of closing.
    held : Signal or None
        The signal that is scheduled or open after the last event.
    price, priced_at : float, int or None
        Market price at the last event that had one, and its time.
    missing : str
        Which events the journal lacks; empty if it lacks none.
    whole : bool
        Whether the first event of the run is among those folded.
    """

    def __init__(self) -> None:
        self.last_seq = 0
        self.count = 0
        self.events: deque[Event] = deque(maxlen=MOST_EVENTS)
        self.changes: deque[Event] = deque(maxlen=MOST_CHANGES)
        self.trades: deque[Trade] = deque(maxlen=MOST_TRADES)
        self.held: Signal | None = None
        self._opened: Event | None = None
        self._parts = Parts()
        self.price: float | None = None
        self.priced_at: int | None = None
        self.missing = ""
        self.whole = False

    def fold(self, events: Iterable[Event]) -> bool:
        """Fold in events that are new, oldest first, until a number is missing: then False."""
        for event in events:
            if event.seq <= self.last_seq:
                continue
            if self.last_seq and event.seq != self.last_seq + 1:
                return False
            self._fold_one(event)
        return True

    def skip_to(self, seq: int) -> None:
        """Go on with an event although those before it are missing, and remember which."""
        first, last = self.last_seq + 1, seq - 1
        what = f"event {first} is" if first == last else f"events {first} to {last} are"
        self.missing = f"{what} missing from the journal"
        self.last_seq = last

    def agrees(self, signal: Signal | None) -> bool:
        """Tell whether the events end with the signal that the state holds.

        Those that begin in the middle of a run may know nothing of a signal before them.
        """
        mine = None if self.held is None else self.held.id
        return mine == (None if signal is None else signal.id) or not (self.whole or mine)

    def _is_held(self, event: Event) -> bool:
        return self.held is not None and event.signal_id == self.held.id

    def _fold_one(self, event: Event) -> None:
        self.whole = self.whole or event.seq == 1
        self.last_seq = event.seq
        self.count += 1
        self.events.append(event)
        if event.kind in CHANGES:
            self.changes.append(event)
        if event.price is not None:
            self.price, self.priced_at = event.price, event.at
        signal = event.signal if isinstance(event.signal, Signal) else None
        match event.kind:
            case "scheduled" | "entering":
                self.held, self._opened = signal, None
            case "opened":
                self.held, self._opened, self._parts = signal, event, Parts()
            case "added" | "partial" | "moved":
                self.held, self._parts = signal, self._parts.after(event)
            case "closed":
                trade = trade_of(self._opened, event, self._parts)
                self.held, self._opened = None, None
                if trade is not None:
                    self.trades.append(trade)
            case "milestone" if self.held is None:
                self.held = signal  # it was opened before the first event that was read
            case "cancelled" | "rejected" if self._is_held(event):
                self.held, self._opened = None, None
