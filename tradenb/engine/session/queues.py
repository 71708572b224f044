"""Steps that wait, events that are noted, and callbacks, in the order of (at, phase, place).

"At" is a close time, "phase" the order of things at one close, and "place" that of the instances.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from heapq import heappop, heappush
from typing import Any, Final, NamedTuple

from tradenb.core.events import Event, numbered
from tradenb.core.lifecycle.state import Passage, Phase, Step
from tradenb.engine.session.instance import Instance

_PHASES: Final = len(Phase)
# One number says when, in which phase and where; numbers are compared faster than tuples.
_PLACES: Final = 1 << 20
_MOMENT: Final = 8 * _PLACES

Waiting = tuple[int, Step]
Callback = tuple[Callable[[Event], Any], Event]


class Schedule:
    """Steps that wait, in the order of (at, phase, place).

    Those of one moment and phase are kept together, since the asks of many symbols mostly are.
    """

    def __init__(self) -> None:
        self._keys: list[int] = []  # a heap
        self._waiting: dict[int, list[Waiting]] = {}

    def add(self, at: int, phase: int, place: int, step: Step) -> None:
        """Add a step for a moment and phase."""
        self.add_all(at, phase, [(place, step)])

    def add_all(self, at: int, phase: int, waiting: list[Waiting]) -> None:
        """Add steps for a moment and phase, each behind the place of its instance."""
        if not waiting:
            return
        key = at * _PHASES + phase - 1
        known = self._waiting.get(key)
        if known is None:
            self._waiting[key] = waiting
            heappush(self._keys, key)
        else:
            known += waiting

    def first(self) -> int | None:
        """Return the moment of the next turn."""
        return self._keys[0] // _PHASES if self._keys else None

    def take(self) -> tuple[int, int, list[Waiting]] | None:
        """Take the next turn, if there is one: its moment and phase, and who waits, in order."""
        if not self._keys:
            return None
        key = heappop(self._keys)
        waiting = self._waiting.pop(key)
        waiting.sort()  # an instance waits once, so no two places are the same
        at, phase = divmod(key, _PHASES)
        return at, phase + 1, waiting


class Taken(NamedTuple):
    """Events that have taken effect, without numbers.

    Attributes
    ----------
    told : list of Event
        In their order, without the milestones of positions that came to their end.
    make : callable
        Makes all of them, in their order.
    """

    told: list[Event]
    make: Callable[[], list[Event]]

    @classmethod
    def of(cls, events: list[Event]) -> Taken:
        """Return events of which all are made."""
        return cls(events, events.copy)


class EventQueue:
    """Events that are noted as soon as they are known, and taken when they have taken effect.

    Events of one moment, phase and place keep the order in which they were noted. Events get their
    numbers when they are taken, many at once.

    Parameters
    ----------
    instances : sequence of Instance
        In their order of place.
    numbers : bool
        Else events are taken as they were made, without a number, and milestones are made late.
    """

    def __init__(self, instances: Sequence[Instance], *, numbers: bool = True) -> None:
        self._instances = instances
        self.numbers = numbers
        self._keys: list[int] = []
        self._events: list[Event] = []
        self._passages: list[tuple[Passage, int]] = []
        numberings = [each.numbering for each in instances]
        self._shared = all(each is numberings[0] for each in numberings)
        self._pings = any("ping" in each.callbacks for each in instances)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def note(self, at: int, phase: int, place: int, event: Event) -> None:
        """Add an event."""
        self._keys.append(at * _MOMENT + phase * _PLACES + place)
        self._events.append(event)

    def note_all(self, events: Sequence[Event], phase: int, place: int) -> None:
        """Add events of one phase and place, each for its own moment."""
        offset = phase * _PLACES + place
        self._keys += [event.at * _MOMENT + offset for event in events]
        self._events += events

    def note_passage(self, passage: Passage, phase: int, place: int) -> None:
        """Add the milestones up to the end of a position, which has its own place."""
        if self.numbers:
            self.note_all(passage.find_milestones(), phase, place)
        else:
            self._passages.append((passage, phase * _PLACES + place))

    def first(self) -> int | None:
        """Return the moment of the first event."""
        return min(self._keys) // _MOMENT if self._keys else None

    def take(self, at: int, phase: int, *, fresh_from: int) -> list[Event]:
        """Take what takes effect by a moment and phase, numbered; a ping has no number.

        What happened before `fresh_from` is late.
        """
        instances = self._instances
        keys, taken = self._take_due(at, phase)
        if not keys:
            return []
        if self._shared and not self._pings:
            numbering = instances[0].numbering
            numbers: Sequence[int] = range(numbering.last + 1, numbering.last + 1 + len(taken))
            numbering.last += len(taken)
        else:
            numbers = self._numbers(taken, [key % _PLACES for key in keys])
        mode = instances[0].context.mode
        return numbered(taken, numbers, fresh_from=fresh_from, mode=mode)

    def take_all(self, at: int, phase: int) -> Taken:
        """Take what has taken effect at the end of a pump, without numbers."""
        keys, events = self._take_due(at, phase)
        passages, self._passages = self._passages, []
        return Taken(events, partial(_with_milestones, keys, events, passages))

    def _take_due(self, at: int, phase: int) -> tuple[list[int], list[Event]]:
        """Take what takes effect by a moment and phase, in order, and the keys of it."""
        keys, events = self._keys, self._events
        order = sorted(range(len(keys)), key=keys.__getitem__)
        until = at * _MOMENT + (phase + 1) * _PLACES
        end = bisect_left(order, until, key=keys.__getitem__)
        due, later = order[:end], order[end:]
        self._keys, self._events = [keys[i] for i in later], [events[i] for i in later]
        return [keys[i] for i in due], [events[i] for i in due]

    def _numbers(self, events: Sequence[Event], places: Sequence[int]) -> Sequence[int]:
        numbers = []
        for event, place in zip(events, places, strict=True):
            if event.kind == "ping":
                numbers.append(0)
                continue
            numbering = self._instances[place].numbering
            numbering.last += 1
            numbers.append(numbering.last)
        return numbers


def _with_milestones(
    keys: Sequence[int], events: Sequence[Event], passages: Iterable[tuple[Passage, int]]
) -> list[Event]:
    """Return events and the milestones of passages, in their order."""
    keys, events = [*keys], [*events]
    for passage, offset in passages:
        found = passage.find_milestones()
        keys += [event.at * _MOMENT + offset for event in found]
        events += found
    return [events[i] for i in sorted(range(len(keys)), key=keys.__getitem__)]


class CallbackQueue:
    """Callbacks that are due.

    Attributes
    ----------
    in_use : bool
        Whether any instance has a callback.
    """

    def __init__(self, instances: Sequence[Instance]) -> None:
        self._instances = {(item.state.symbol, item.state.strategy): item for item in instances}
        self.in_use = any(item.callbacks for item in instances)
        self._due: list[Callback] = []

    def instance_of(self, event: Event) -> Instance:
        """Return the instance that an event is about."""
        return self._instances[event.symbol, event.strategy]

    def add(self, events: Iterable[Event]) -> list[Event]:
        """Add the callbacks of events; return the events without pings, which nobody else gets."""
        kept = []
        for event in events:
            callback = self.instance_of(event).callbacks.get(event.kind)
            if callback is not None:
                self._due.append((callback, event))
            if event.kind != "ping":
                kept.append(event)
        return kept

    def take(self) -> list[Callback]:
        """Return the callbacks that are due; each is returned once."""
        due, self._due = self._due, []
        return due
