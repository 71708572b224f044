"""Live runs: the same strategies and the same machine, in the background, with state on disk.

Each name is imported when it is first used: who only reads the files of runs starts quickly.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tradenb.live.api import attach as attach
    from tradenb.live.api import background as background
    from tradenb.live.api import list as list  # noqa: A004
    from tradenb.live.api import pending as pending
    from tradenb.live.api import resume as resume
    from tradenb.live.api import run as run
    from tradenb.live.api import scheduled as scheduled
    from tradenb.live.api import stop as stop
    from tradenb.live.attached_run import AttachedRun as AttachedRun
    from tradenb.live.live_run import LiveRun as LiveRun
    from tradenb.live.loop.tick_result import Tick as Tick
    from tradenb.live.rehearse_run import rehearse as rehearse

_HOMES: Final = {
    "AttachedRun": "attached_run",
    "LiveRun": "live_run",
    "Tick": "loop.tick_result",
    "rehearse": "rehearse_run",
}

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


if not TYPE_CHECKING:  # pragma: no branch - else every name would pass for one

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module 'tradenb.live' has no attribute {name!r}")
        found = getattr(import_module(f"tradenb.live.{_HOMES.get(name, 'api')}"), name)
        globals()[name] = found
        return found


def __dir__() -> tuple[str, ...]:  # `list` is a function of this package
    return tuple(__all__)
