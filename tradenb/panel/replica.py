"""A replica of one run: its events folded into what they came to, with their numbers checked.

Everything kept is bounded. The numbers of events rise by one; where one is missing nothing is
folded and `fold` says so, and whoever feeds the replica reads the journal again from its end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final, cast

from tradenb.core.events import Event
from tradenb.core.signal import ExitReason, Signal, Trade

MOST_EVENTS: Final = 300
MOST_TRADES: Final = 2_000


class Story:
    """What the events of a run came to.

    Attributes
    ----------
    last_seq : int
        Number of the last event, 0 before the first.
    count : int
        How many were folded.
    events : deque of Event
        The newest `MOST_EVENTS`.
    trades : deque of Trade
        The newest `MOST_TRADES`, in order of closing.
    held : Signal or None
        The signal that is scheduled or open after the last event.
    opened_at : int or None
        Close time of the candle that opened it, ms UTC; None while it is scheduled.
    price, priced_at : float, int or None
        Market price at the last event that had one, and its time.
    missing : str
        Which events are nowhere to be found; empty where none is.
    whole : bool
        Whether the first event of the run is among those folded.
    """

    def __init__(self) -> None:
        self.last_seq = 0
        self.count = 0
        self.events: deque[Event] = deque(maxlen=MOST_EVENTS)
        self.trades: deque[Trade] = deque(maxlen=MOST_TRADES)
        self.held: Signal | None = None
        self.opened_at: int | None = None
        self.price: float | None = None
        self.priced_at: int | None = None
        self.missing = ""
        self.whole = False

    def fold(self, events: Iterable[Event]) -> bool:
        """Take what has happened, oldest first; events known already are passed over.

        Returns
        -------
        bool
            False where a number is missing: from there on nothing was folded.
        """
        for event in events:
            if event.seq <= self.last_seq:
                continue
            if self.last_seq and event.seq != self.last_seq + 1:
                return False
            self._take(event)
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

    def _take(self, event: Event) -> None:
        self.whole = self.whole or event.seq == 1
        self.last_seq = event.seq
        self.count += 1
        self.events.append(event)
        if event.price is not None:
            self.price, self.priced_at = event.price, event.at
        signal = event.signal if isinstance(event.signal, Signal) else None
        match event.kind:
            case "scheduled":
                self.held, self.opened_at = signal, None
            case "opened":
                self.held, self.opened_at = signal, event.at
            case "closed":
                self._close(event, signal)
            case "milestone" if self.held is None:
                self.held = signal  # it was opened before the first event that was read
            case "cancelled" | "rejected" if self._is_held(event):
                self.held, self.opened_at = None, None

    def _close(self, event: Event, signal: Signal | None) -> None:
        opened = self.opened_at
        self.held, self.opened_at = None, None
        if signal is None or event.price is None or event.pnl_percent is None:
            return
        self.trades.append(
            Trade(
                signal.id,
                event.symbol,
                event.strategy,
                signal.position,
                event.at if opened is None else opened,
                event.at,
                signal.entry,
                event.price,
                signal.take_profit,
                signal.stop_loss,
                signal.size,
                cast(ExitReason, event.exit_reason),
                event.pnl_percent,
                event.late,
                signal.note,
            )
        )
