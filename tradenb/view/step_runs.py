"""Lines of steps as runs of points, for both kinds of charts; where a level is unknown, a gap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradenb.core.lifecycle.position_lines import Step

Run = list[tuple[int, float]]


def step_runs(steps: Sequence[Step], end: int) -> list[Run]:
    """Return the unbroken runs of a line of steps, each up to where its last level ends.

    Parameters
    ----------
    end : int
        Where the last level ends, ms UTC.
    """
    runs: list[Run] = []
    run: Run = []
    for place, (at, level) in enumerate(steps):
        until = steps[place + 1].at if place + 1 < len(steps) else end
        if level is None:
            run = []
            continue
        if not run:
            run = [(at, level)]
            runs.append(run)
        else:
            run.append((at, level))
        if place + 1 == len(steps) or steps[place + 1].level is None:
            run.append((until, level))
    return runs
