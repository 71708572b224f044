"""The process that holds a run: who it is for certain, whether it does anything, and its end.

A lock names its holder in a text, which may be an old one; so the process must be on this host,
have the file open, and have begun before it says that it took the lock.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tradenb.errors import StateError
from tradenb.store.lock import Holder

END_S: Final = 10.0
_LOOK_S: Final = 0.02
_SLACK_MS: Final = 2_000
_START_TICKS: Final = 19
"""Place of the start time in /proc/PID/stat, after the name of the program."""


def refuse_other(holder: Holder, lock: Path) -> None:
    """Raise StateError, with words, if it is not certain that this process holds a lock."""
    host = os.uname().nodename
    if not holder.pid:
        raise StateError(f"{lock} does not say who holds it; end that process by hand")
    if holder.host != host:
        raise StateError(
            f"{lock} is held by {holder}, and this is {host}; run it there, or end that process by "
            "hand and run it again"
        )
    began = _began_at(holder.pid)
    if began is None or not _has_open(holder.pid, lock):
        raise StateError(
            f"{lock} says process {holder.pid}, which does not have it open; find its holder "
            f"(fuser {lock}) and end it by hand"
        )
    if began > holder.started + _SLACK_MS:
        raise StateError(
            f"{lock} says {holder}, but process {holder.pid} began later; find its holder "
            f"(fuser {lock}) and end it by hand"
        )


def activity_of(pid: int) -> tuple[tuple[str, int], ...]:
    """Return how often each thread of a process was given a processor; the same: it did nothing."""
    found = []
    with contextlib.suppress(OSError):
        for thread in sorted(Path(f"/proc/{pid}/task").iterdir()):
            lines = (thread / "status").read_text().splitlines()
            switches = (int(line.split()[1]) for line in lines if "ctxt_switches:" in line)
            found.append((thread.name, sum(switches)))
    return tuple(found)


def end_process(
    pid: int, is_free: Callable[[], bool], *, wait: Callable[[float], object] = time.sleep
) -> None:
    """Kill a process, whatever state it is in, and wait until its lock is free.

    Its first thread may be gone while others still have the files open.

    Raises
    ------
    StateError
        When it belongs to another user, or does not end.
    """
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise StateError(f"process {pid} belongs to another user; end it as that user") from error
    waited = 0.0
    while not is_free():
        if waited >= END_S:
            raise StateError(f"process {pid} does not end; its disk may hang. Restart the machine")
        wait(_LOOK_S)
        waited += _LOOK_S


def _began_at(pid: int) -> int | None:
    """Return when a process began, ms UTC; None: there is none, or nobody can tell."""
    try:
        ticks = int(_stat(pid)[_START_TICKS])
    except (OSError, ValueError, IndexError):
        return None
    age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.time_ns() // 1_000_000 - round(age_s * 1000)


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _has_open(pid: int, path: Path) -> bool:
    try:
        wanted = path.stat()
        handles = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False
    for handle in handles:
        with contextlib.suppress(OSError):
            if os.path.samestat(handle.stat(), wanted):
                return True
    return False
