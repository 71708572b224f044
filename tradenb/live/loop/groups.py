"""Which runs tick together: those that share a risk rule under one home."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tradenb.live.loop.record import RunRecord


def grouped(runs: Iterable[RunRecord]) -> list[list[RunRecord]]:
    """Put runs that share a risk rule together, in the order in which they were started."""
    groups: list[tuple[set[tuple[Path, str]], list[RunRecord]]] = []
    for run in runs:
        names = {(run.storage.home, rule.name) for rule in run.spec.risk}
        sharing = [group for group in groups if group[0] & names]
        merged = (names.union(*(group[0] for group in sharing)), [*_members(sharing), run])
        groups = [group for group in groups if group not in sharing]
        groups.append(merged)
    return [sorted(members, key=lambda run: run.place) for _, members in groups]


def _members(groups: Iterable[tuple[object, list[RunRecord]]]) -> list[RunRecord]:
    return [run for _, members in groups for run in members]
