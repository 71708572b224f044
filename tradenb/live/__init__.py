"""Live runs: the same strategies and the same machine, in the background, with state on disk."""

from tradenb.live.api import attach, background, list, pending, run, scheduled, stop  # noqa: A004
from tradenb.live.attached import AttachedRun
from tradenb.live.outcome import Tick
from tradenb.live.rehearsal import rehearse
from tradenb.live.run import LiveRun

__all__ = [
    "AttachedRun",
    "LiveRun",
    "Tick",
    "attach",
    "background",
    "list",
    "pending",
    "rehearse",
    "run",
    "scheduled",
    "stop",
]
