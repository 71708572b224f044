"""All runs of this process, live and rehearsed, for code that waits for them or releases them."""

from __future__ import annotations

import time
from typing import Final
from weakref import WeakSet

from tradenb.live.loop.record import RunRecord
from tradenb.live.loop.supervisor import Supervisor

LEAVE_S: Final = 1.5
_supervisors: WeakSet[Supervisor] = WeakSet()
_runs: WeakSet[RunRecord] = WeakSet()


def start_run(supervisor: Supervisor, run: RunRecord) -> None:
    """Start a run on a supervisor, and remember both."""
    _supervisors.add(supervisor)
    _runs.add(run)
    supervisor.add(run)


def active_runs() -> list[RunRecord]:
    """Return the runs that were started in this process and are still referenced."""
    return sorted(_runs, key=lambda run: run.id)


def release_all(seconds: float = LEAVE_S) -> bool:
    """Release all runs; their positions stay, the next start resumes them.

    Parameters
    ----------
    seconds : float
        How long to wait at most for the commits that are under way.

    Returns
    -------
    bool
        Whether all locks were given back in that time.
    """
    deadline = time.monotonic() + seconds
    for supervisor in tuple(_supervisors):
        supervisor.close(0.0)
    for supervisor in tuple(_supervisors):
        supervisor.join(max(0.0, deadline - time.monotonic()))
    return all(run.status != "running" for run in active_runs())
