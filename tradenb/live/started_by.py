"""Notes under the home which file started a run, so that `tradenb resume` can start it again."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tradenb.clock import wall_ms
from tradenb.live.loop.record import RunRecord
from tradenb.live.status.run_status import mode_of
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.launch import LAUNCHED, Launch, note_launch
from tradenb.store.paths import Home, Key


def note_started_by(
    runs: Iterable[RunRecord], file: Path, command: tuple[str, ...], *, once: bool = False
) -> None:
    """Note what started the live runs of this process, unless its own starter notes it.

    Parameters
    ----------
    command : tuple of str
        What follows the interpreter; the home is added.
    once : bool
        Whether it makes one tick each time.
    """
    if os.environ.get(LAUNCHED):
        return
    disk = DiskFilesystem(durable=False)
    for run in runs:
        home = run.storage.home
        if mode_of(home) != "live":
            continue
        launch = Launch(
            file=str(file.absolute()),
            command=(*command, "--home", str(home)),
            folder=str(Path.cwd()),
            at=wall_ms(),
            once=once,
        )
        note_launch(disk, Home(home), Key(run.strategy, run.symbol), launch)
