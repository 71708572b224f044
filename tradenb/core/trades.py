"""Events to trades: the closed positions that the events of a run tell of.

The machine makes a trade itself when it closes a position. Whatever reads events later (a journal,
a replica, a report, a comparison) puts its trades together here.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from tradenb.core.signal import Signal, Trade, closed_trade

if TYPE_CHECKING:
    from tradenb.core.events import Event
    from tradenb.core.signal import ExitReason


class Parts(NamedTuple):
    """How a position was entered and left before its last exit: fills, and cost of the entries."""

    entries: int = 1
    exits: int = 0
    invested: float = 1.0

    def after(self, event: Event) -> Parts:
        """Return what they are after an event of the same signal."""
        if event.kind == "added":
            more = event.fraction or 0.0
            return Parts(self.entries + 1, self.exits, self.invested + more)
        return self._replace(exits=self.exits + 1) if event.kind == "partial" else self


_NONE: Final = Parts()


def trades_of(
    events: Iterable[Event],
    opened: MutableMapping[str | None, Event] | None = None,
    parts: MutableMapping[str | None, Parts] | None = None,
) -> list[Trade]:
    """Return the closed positions of one run, in order of closing.

    A position whose `opened` event is missing is left out.

    Parameters
    ----------
    opened : mapping, optional
        The `opened` events of positions from before, by signal id; those still open are left in it.
    parts : mapping, optional
        Of those that were added to or partly left, as for `opened`.
    """
    opened = {} if opened is None else opened
    parts = {} if parts is None else parts
    found = []
    for event in events:
        id = event.signal_id
        if event.kind == "opened":
            opened[id] = event
            parts.pop(id, None)
        elif event.kind == "closed" and id in opened:
            found.append(trade_of(opened.pop(id), event, parts.pop(id, _NONE)))
        elif event.kind in ("added", "partial") and id in opened:
            parts[id] = parts.get(id, _NONE).after(event)
    return [trade for trade in found if trade is not None]


def trade_of(opened: Event | None, closed: Event, parts: Parts = _NONE) -> Trade | None:
    """Return the trade of a `closed` event; None if it lacks its signal or a price.

    Parameters
    ----------
    opened : Event or None
        Of the same signal; where it is not known, the trade opens when it closes.
    """
    signal, exit, percent = closed.signal, closed.price, closed.pnl_percent
    if not isinstance(signal, Signal) or exit is None or percent is None:
        return None
    # Events on disk have no column for the note of their signal; `opened` carries it.
    note = signal.note if opened is None else opened.note
    return closed_trade(
        signal if signal.note == note else signal._replace(note=note),
        closed.at if opened is None else opened.at,
        closed.at,
        exit,
        cast("ExitReason", closed.exit_reason),
        percent,
        late=closed.late,
        entries=parts.entries,
        exits=parts.exits + 1,
        invested=parts.invested,
    )
