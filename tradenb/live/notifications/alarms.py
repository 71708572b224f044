"""Alarms: what is wrong with a run, found in its status. The one place to add another.

A function of the table gets a `RunStatus` and returns what is wrong in words, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from tradenb.live.status.run_status import RunStatus


class Alarm(NamedTuple):
    """Something that is wrong with a run.

    Attributes
    ----------
    code : str
        Which row of `ALARMS`.
    run : str
        Symbol and strategy.
    words : str
        What is wrong and what to do.
    number : int
        Which of its kind it is, where the same may happen again at once.
    """

    code: str
    run: str
    words: str
    number: int = 0

    @property
    def name(self) -> str:
        """Code, run and number: one alarm lasts until it is over, and is sent once."""
        return f"{self.code} {self.run} {self.number}"


def alarms_of(status: RunStatus) -> list[Alarm]:
    """Return what is wrong with a run now."""
    found = ((code, look(status)) for code, look in ALARMS.items())
    numbers = {"restarted": status.loop_restarts}
    return [Alarm(code, status.id, words, numbers.get(code, 0)) for code, words in found if words]


def _unwatched(status: RunStatus) -> str:
    if status.unknown and status.state is not None and status.state.is_open:
        return f"{status.holds}: {status.error}"
    if not status.unwatched:
        return ""
    return f"{status.holds}: no process watches its stop and target. {status.way_on}"


def _silent(status: RunStatus) -> str:
    if not status.silent:
        return ""
    return status.error or f"no tick for {status.age_s:.0f} s: exits are not watched"


def _candles(status: RunStatus) -> str:
    return "; ".join(status.warnings) if status.status == "running" else ""


def _unsaved(status: RunStatus) -> str:
    return "" if status.saved else status.error or "the last state is not on disk"


def _restarted(status: RunStatus) -> str:
    if not status.loop_restarts:
        return ""
    times = "" if status.loop_restarts == 1 else f" {status.loop_restarts} times"
    return f"the live loop died and was started again{times}; see run.error and the log"


ALARMS: Final[dict[str, Callable[[RunStatus], str]]] = {
    "unwatched": _unwatched,
    "silent": _silent,
    "candles": _candles,
    "unsaved": _unsaved,
    "restarted": _restarted,
}
"""Every alarm by its code."""
