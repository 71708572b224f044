"""Who is next: the steps of all instances, waiting for their turn."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Final, NamedTuple

from tradenb.core.lifecycle.state import Phase, Step

_PHASES: Final = len(Phase)

Waiting = tuple[int, Step]


class Turn(NamedTuple):
    """Steps of one moment and phase, each behind the place of its instance, in their order."""

    at: int
    phase: int
    waiting: list[Waiting]


class Turns:
    """Steps that wait, in the order of (at, phase, place).

    Those of one moment and phase are kept together, since the asks of many symbols mostly are.
    """

    def __init__(self) -> None:
        self._keys: list[int] = []  # a heap
        self._waiting: dict[int, list[Waiting]] = {}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def wait(self, at: int, phase: int, place: int, step: Step) -> None:
        """Let a step wait for a moment and phase."""
        key = at * _PHASES + phase - 1
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = [(place, step)]
            heappush(self._keys, key)
        else:
            waiting.append((place, step))

    def first(self) -> int | None:
        """Return the moment of the next turn."""
        return self._keys[0] // _PHASES if self._keys else None

    def take(self) -> Turn:
        """Take the next turn."""
        key = heappop(self._keys)
        waiting = self._waiting.pop(key)
        waiting.sort()  # an instance waits once, so no two places are the same
        at, phase = divmod(key, _PHASES)
        return Turn(at, phase + 1, waiting)
