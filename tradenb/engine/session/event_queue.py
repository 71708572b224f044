"""What happens to the instances of a session, in the order in which it takes effect."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from tradenb.core.events import Event, numbered
from tradenb.engine.session.instance import Instance

# One number says when, in which phase and where; numbers are compared faster than tuples.
_STRIDE: Final = 8
_PLACES: Final = 1 << 20


class Timeline:
    """Events that are noted as soon as they are known, and taken when they have taken effect.

    Their order is that of (at, phase, place); what has all three in common stays as it was noted.
    They get their numbers when they are taken, many at once.

    Parameters
    ----------
    instances : sequence of Instance
        In their order of place.
    """

    def __init__(self, instances: Sequence[Instance]) -> None:
        self._instances = instances
        self._keys: list[int] = []
        self._events: list[Event] = []

    def __bool__(self) -> bool:
        return bool(self._keys)

    def note(self, at: int, phase: int, place: int, event: Event) -> None:
        """Keep an event until its turn comes."""
        self._keys.append((at * _STRIDE + phase) * _PLACES + place)
        self._events.append(event)

    def first(self) -> int | None:
        """Return when the first of them takes effect."""
        return min(self._keys) // (_STRIDE * _PLACES) if self._keys else None

    def take(self, at: int, phase: int, *, fresh_from: int) -> list[Event]:
        """Take what takes effect by a moment and phase, numbered; a ping has no number.

        What happened before `fresh_from` is late.
        """
        keys, events, instances = self._keys, self._events, self._instances
        order = sorted(range(len(keys)), key=keys.__getitem__)
        until = (at * _STRIDE + phase + 1) * _PLACES
        end = bisect_left(order, until, key=keys.__getitem__)
        due, later = order[:end], order[end:]
        self._keys, self._events = [keys[i] for i in later], [events[i] for i in later]
        taken = [events[i] for i in due]
        numbers = [
            0 if event.kind == "ping" else instances[keys[i] % _PLACES].numbering.next()
            for i, event in zip(due, taken, strict=True)
        ]
        mode = instances[0].context.mode
        return numbered(taken, numbers, fresh_from=fresh_from, mode=mode)
