"""P1: the events of a live run beside those of its replay with what the exchange reported.

Law 3 for runs that send orders. Errors, asks that were left out and refusals by risk rules are
inputs of the replay, and no candle causes alarms, permissions, and the leaving of a symbol that
gives no candle any more: they are not compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from typing import Final, NamedTuple

from tradenb.core.events import OF_ORDERS, Event
from tradenb.core.timeframe import iso
from tradenb.engine.serialise import event_to_row
from tradenb.view.formatting import plural

NOT_COMPARED: Final = frozenset({"seq", "mode", "wall", "late"})
"""Columns of an event that say where and when it was noticed; all others are compared."""
_INPUTS: Final = frozenset({"error", "skipped"}) | OF_ORDERS
_TOLD: Final = 3


class ReplayCheck(NamedTuple):
    """How a replay over the lived candles, commands and reports compares with a live run.

    Attributes
    ----------
    events : int
        Events of the live run that were compared.
    differs : tuple of str
        The first differences, in words; empty: all events are equal.
    """

    events: int
    differs: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether all events are equal, to the last digit."""
        return not self.differs

    def __str__(self) -> str:
        if self.equal:
            return f"replay with the reports of the exchange: {plural(self.events, 'event')}, equal"
        return f"replay with the reports of the exchange differs: {'; '.join(self.differs)}"


def check_replay(
    lived: Iterable[Event], replayed: Iterable[Event], *, shares: bool = False
) -> ReplayCheck:
    """Compare the events of a live run with those of its replay.

    Parameters
    ----------
    shares : bool
        Others shared its account: what they left it is not known, so how much it wanted to enter
        with is not compared.
    """
    live, again = [*_compared(lived, shares)], [*_compared(replayed, shares)]
    found = [
        words
        for place, (one, other) in enumerate(zip_longest(live, again), 1)
        if (words := _difference(place, one, other))
    ]
    return ReplayCheck(len(live), tuple(found[:_TOLD]))


def _compared(events: Iterable[Event], shares: bool) -> Iterable[Event]:
    return (
        event._replace(quantity=None) if shares and event.kind == "entering" else event
        for event in events
        if event.kind not in _INPUTS
        and event.exit_reason not in ("risk", "funds")
        and (event.kind, event.exit_reason) != ("exiting", "abandoned")
    )


def _difference(place: int, live: Event | None, again: Event | None) -> str:
    """Say how an event differs from the one in its place; "": it does not."""
    if live is None or again is None:
        side, event = ("live", live) if again is None else ("in the replay", again)
        return "" if event is None else f"event {place}, {_words(event)}, is only {side}"
    if (live.at, live.kind) != (again.at, again.kind):
        return f"event {place} is {_words(live)} live, {_words(again)} in the replay"
    one, other = event_to_row(live), event_to_row(again)
    values = ", ".join(
        f"{name} {one.get(name)!s:.60} live, {other.get(name)!s:.60} in the replay"
        for name in one | other
        if name not in NOT_COMPARED and one.get(name) != other.get(name)
    )
    return f"event {place}, {_words(live)}: {values}" if values else ""


def _words(event: Event) -> str:
    return f"{event.kind} at {iso(event.at)}"
