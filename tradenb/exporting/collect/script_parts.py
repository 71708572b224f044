"""The parts of a script: definitions with their text, in an order in which each can run."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tradenb.exporting.collect.plain_values import CLOSED_OVER, OF_INDICATORS, facts

Place = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """A definition in a script.

    Attributes
    ----------
    names : tuple of str
        What it defines.
    place : tuple of int
        Where the user wrote it: module, cell, line.
    is_block : bool
        Whether it is a function or a class, which stands apart from its neighbours.
    """

    names: tuple[str, ...]
    text: str
    place: Place
    is_block: bool


@dataclass(slots=True)
class Collection:
    """All that a script holds besides its `main`.

    Attributes
    ----------
    imports : set of str
        Lines.
    parts : list of Part
        Each after those that it needs.
    needs : dict of int to set of int
        Which parts a part needs, by their places in `parts`.
    values : dict of str to object
        The names that the script defines, and what they are here.
    freed : set of str
        Names of inner functions: in the script they close over nothing, globals took the place.
    secrets : set of str
        Names of environment variables that it reads.
    typing : set of str
        Lines of imports for annotations that are not evaluated.
    futures : bool
        Whether annotations are not evaluated.
    """

    imports: set[str] = field(default_factory=set)
    parts: list[Part] = field(default_factory=list)
    needs: dict[int, set[int]] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    freed: set[str] = field(default_factory=set)
    secrets: set[str] = field(default_factory=set)
    typing: set[str] = field(default_factory=set)
    futures: bool = False

    def facts(self) -> dict[str, dict[str, str]]:
        """Return what each definition was made with, for the proof."""
        found = {name: facts(value) for name, value in self.values.items()}
        gone = (CLOSED_OVER, OF_INDICATORS + CLOSED_OVER)
        for name in self.freed & set(found):
            found[name] = {k: v for k, v in found[name].items() if not k.startswith(gone)}
        return found

    def ordered(self) -> list[Part]:
        """Return the parts as the user wrote them, except where one needs a later one."""
        waiting = {index: set(self.needs.get(index, ())) for index in range(len(self.parts))}
        ready = [self._rank(index) for index, needs in waiting.items() if not needs]
        heapq.heapify(ready)
        found = []
        while ready:
            *_, done = heapq.heappop(ready)
            found.append(self.parts[done])
            for index, needs in waiting.items():
                if done in needs:
                    needs.remove(done)
                    if not needs:
                        heapq.heappush(ready, self._rank(index))
        return found

    def add(self, part: Part, needs: Iterable[int]) -> int:
        """Add a part and return its number."""
        self.parts.append(part)
        number = len(self.parts) - 1
        self.needs[number] = {need for need in needs if need < number}
        return number

    def _rank(self, index: int) -> tuple[Place, int]:
        return self.parts[index].place, index
