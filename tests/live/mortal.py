"""A life in commits, many times over: each child process of this one dies at another system call.

Started under strace, which kills a process when it makes one kind of call for the `WHEN`-th time. A
child that is to die at its k-th call of that kind first makes WHEN - k of them in vain. What was
acknowledged before the end stands in shared memory, which asks for no system call.

    python -m tests.live.mortal FOLDER

prints one line a life: kind, k, the last event announced, whether it was killed, and how it ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tradenb.core.events import Event
from tradenb.core.lifecycle.state import State
from tradenb.engine.specs.decorators import strategy
from tradenb.live.state.checkpoint import Checkpoint
from tradenb.live.state.disk_storage import DiskStorage
from tradenb.store.paths import Home

WHEN = 100
COMMITS = 3
SYMBOL = "BTCUSDT"
MINUTE = 60_000
T0 = 1_704_067_200_000
CALLS = {
    "write": "write",
    "sync": "fsync,fdatasync",
    "rename": "?rename,?renameat,?renameat2",
    "link": "?link,?linkat",
    "unlink": "?unlink,?unlinkat",
    "mkdir": "?mkdir,?mkdirat",
    "truncate": "?truncate,?ftruncate",
    "lock": "flock",
}


@strategy("mortal", every="1m")
def mortal(ctx):
    return None


def storage_at(folder: Path) -> DiskStorage:
    """The storage of the run that all lives are about."""
    return DiskStorage(Home(folder), SYMBOL, mortal, "made-up", now=lambda: T0)


def event(number: int) -> Event:
    at = T0 + number * MINUTE
    return Event(number, at, SYMBOL, "mortal", "error", note=f"{number}", mode="live", wall=at)


def kept(number: int, outbox: tuple[Event, ...]) -> Checkpoint:
    """What is committed with an event: everything in it tells the number."""
    state = State(SYMBOL, "mortal", MINUTE, T0 + number * MINUTE)
    return Checkpoint(state, f'{{"n": {number}}}', number, T0, T0, outbox, 0)


def live(folder: Path, announce: Callable[[int], None]) -> None:
    """Start, resume, and commit up to the last event."""
    storage = storage_at(folder)
    found = storage.open()
    done = 0 if found is None else found.last_seq
    announce(done)
    for number in range(done + 1, COMMITS + 1):
        storage.commit(kept(number, (event(number),)))
        storage.announce()
        announce(number)
    storage.close()


def _vain(kind: str, nothing: int) -> None:
    """Make one call of a kind that does nothing."""
    nowhere = Path("/nonexistent/x")
    with contextlib.suppress(OSError):
        match kind:
            case "write":
                os.write(nothing, b"x")
            case "sync":
                os.fsync(nothing)
            case "rename":
                nowhere.replace(nowhere)
            case "link":
                os.link(nowhere, nowhere)
            case "unlink":
                nowhere.unlink()
            case "mkdir":
                nowhere.mkdir()
            case "truncate":
                os.truncate(nowhere, 0)
            case "lock":
                fcntl.flock(nothing, fcntl.LOCK_UN)


def _child(folder: Path, kind: str, k: int, shared: mmap.mmap) -> None:
    nothing = os.open(os.devnull, os.O_WRONLY)
    for _ in range(WHEN - k):
        _vain(kind, nothing)
    live(folder, lambda number: struct.pack_into("q", shared, 0, number))


def main(folder: Path) -> None:
    shared = mmap.mmap(-1, mmap.PAGESIZE)
    rows = [row for kind in CALLS for row in _lives(folder, kind, shared)]
    # In one call: this process must not come to its own WHEN-th.
    sys.stdout.write("\n".join(rows))


def _lives(folder: Path, kind: str, shared: mmap.mmap) -> Iterator[str]:
    for k in range(1, WHEN):
        struct.pack_into("q", shared, 0, 0)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                _child(folder / f"{kind}-{k}", kind, k, shared)
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        (told,) = struct.unpack_from("q", shared, 0)
        yield f"{kind} {k} {told} {int(killed)} {status}"
        if not killed:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
