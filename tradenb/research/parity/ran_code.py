"""The code that a live run had from each start on, where it is known, and what changed of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tradenb.engine.past_code import PastCode, kept, names_reached
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.research.lookahead.isolate import Copier
from tradenb.research.lookahead.noise import Spoiler
from tradenb.research.parity.evidence import Evidence
from tradenb.research.parity.recorded_lines import CodeNoted


class RanCode:
    """The code of a strategy from a moment on.

    Parameters
    ----------
    since : int
        Close time, ms UTC.
    past : PastCode, optional
        What its names stood for then; default what they stand for now.

    Attributes
    ----------
    memory : set of str
        Names of what running it changes: no part of the code.
    """

    def __init__(self, since: int, spec: StrategySpec, past: PastCode | None = None) -> None:
        self.since = since
        self.memory: set[str] = set()
        self._spec = spec
        self._past = past
        self._copy: StrategySpec | None = None
        self._names: dict[str, str] = {}
        self._ran = False

    @property
    def fingerprint(self) -> str:
        """Hash of its function, interval, indicators and risk rules."""
        return self._spec.fingerprint

    @property
    def names(self) -> dict[str, str]:
        """Hash of each part and of what the parts reach, as far as it can be brought back."""
        if not self._names:
            self.copied()
        return self._names

    def copied(self) -> StrategySpec:
        """Return a copy of the strategy, as if it had not run.

        Callbacks that send something are left out: nobody is told twice.
        """
        copy = Copier(Spoiler(0, None, {}), None, self._past).spec(self._spec)
        if self._copy is None:
            self._copy = copy
            self._names = names_reached(self._spec) | names_reached(copy)
        return copy

    def note_memory(self) -> None:
        """Find out what going through the run has changed of the first copy."""
        if self._copy is not None and not self._ran:
            ran = names_reached(self._spec) | names_reached(self._copy)
            self.memory, self._ran = set(differing(self.names, ran)), True


def codes_of(evidence: Evidence, today: StrategySpec) -> tuple[list[RanCode], bool]:
    """Return the code of each start, and whether that of all is known.

    Where it is not, because it was in another process, it is that of today.
    """
    found: list[RanCode] = []
    now, whole = RanCode(evidence.start, today), True
    last = evidence.coded[-1]
    for noted in evidence.coded:
        past = kept(evidence.strategy, noted.names)
        if noted is last:
            past = evidence.past or past
        since = max(noted.since, evidence.start)
        if past is not None:
            found.append(RanCode(since, past.spec, past))
        else:
            found.append(RanCode(since, today))
            whole = whole and noted.code == today.fingerprint
            whole = whole and not (noted.names and differing(noted.names, now.names))
    return found, whole


def differing(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Name what has another hash, or is on one side only."""
    return sorted(
        name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
    )


def changed_names(noted: Iterable[CodeNoted], codes: Iterable[RanCode]) -> list[str]:
    """Name what was noted at a start with another hash than the code has that is taken for it."""
    found: set[str] = set()
    for before, code in zip(noted, codes, strict=True):
        code.note_memory()
        if before.names:
            found |= {*differing(before.names, code.names)} - code.memory
        elif before.code != code.fingerprint:
            found.add("its function")
    return sorted(found)


def words_of_rules(ruled: Iterable[Any], rules: Any) -> str:
    """Name the rules that were other ones at a start."""
    latest = rules.model_dump()
    several = [own.model_dump() for each in ruled for own in (each.in_force, each.given)]
    return ", ".join(name for name in latest if any(own[name] != latest[name] for own in several))
