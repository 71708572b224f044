"""Live runs: the same strategies and the same machine, in the background, with state on disk."""

from tradenb.live.api import (
    attach,
    background,
    list,  # noqa: A004
    pending,
    resume,
    run,
    scheduled,
    stop,
)
from tradenb.live.attached_run import AttachedRun
from tradenb.live.live_run import LiveRun
from tradenb.live.loop.tick_result import Tick
from tradenb.live.rehearse_run import rehearse

__all__ = [
    "AttachedRun",
    "LiveRun",
    "Tick",
    "attach",
    "background",
    "list",
    "pending",
    "rehearse",
    "resume",
    "run",
    "scheduled",
    "stop",
]


def __dir__() -> tuple[str, ...]:  # `list` is a function of this package
    return tuple(__all__)
