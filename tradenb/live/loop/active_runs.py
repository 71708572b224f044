"""All runs of this process, live and rehearsed, for who must wait for them or leave them."""

from __future__ import annotations

import time
from typing import Final
from weakref import WeakSet

from tradenb.live.loop.record import RunRecord
from tradenb.live.loop.supervisor import Engine

LEAVE_S: Final = 1.5
_engines: WeakSet[Engine] = WeakSet()
_runs: WeakSet[RunRecord] = WeakSet()


def start(engine: Engine, run: RunRecord) -> None:
    """Let a run live on an engine, and remember both."""
    _engines.add(engine)
    _runs.add(run)
    engine.add(run)


def living() -> list[RunRecord]:
    """Return the runs that were started in this process and are still known to somebody."""
    return sorted(_runs, key=lambda run: run.id)


def leave_all(seconds: float = LEAVE_S) -> bool:
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
    for engine in tuple(_engines):
        engine.close(0.0)
    for engine in tuple(_engines):
        engine.join(max(0.0, deadline - time.monotonic()))
    return all(run.status != "running" for run in living())
