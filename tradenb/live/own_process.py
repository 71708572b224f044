"""Runs in processes of their own: how they are started, and where their script and log are.

Such a process has a session of its own: it outlives the kernel, its restarts, and cells that hold
everything up. Script, log and process id are under `{home}/scripts`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tradenb.errors import StateError, StateLocked
from tradenb.live.attached_run import AttachedRun
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.launch import LAUNCHED, Launch, launch_path, note_launch
from tradenb.store.lock import holder_of
from tradenb.store.paths import Home, Key

_START_S: Final = 60.0
_POLL_S: Final = 0.05
_SHOWN: Final = 2_000


def script_of(home: Home, key: Key) -> Path:
    """Return where the exported script of a run is."""
    return launch_path(home, key).with_suffix(".py")


def start_and_wait(home: Home, run: AttachedRun, launch: Launch, more: Sequence[str] = ()) -> int:
    """Start what runs a run, and wait until it does; return its process id.

    Parameters
    ----------
    more : sequence of str
        Arguments for this start alone.

    Raises
    ------
    StateLocked
        When another process has the run.
    StateError
        When it ended or does not run within a minute, its last words are given; and when the
        folder that it works in is gone.
    """
    if not Path(launch.folder).is_dir():
        raise StateError(
            f"{launch.file} was not started: its working folder {launch.folder} is gone; make it "
            "again, or start the file from another folder"
        )
    key = Key(run.strategy, run.symbol)
    script = script_of(home, key)
    script.parent.mkdir(parents=True, exist_ok=True)
    process = _spawned([*launch.command, *more], launch.folder, script.with_suffix(".log"))
    script.with_suffix(".pid").write_text(f"{process.pid}\n", encoding="ascii")
    _wait_until_it_runs(process, script, home, run)
    note_launch(DiskFilesystem(), home, key, launch)
    return process.pid


def holder_pid(home: Home, run: AttachedRun) -> int | None:
    """Return the process that runs a pair, if one does."""
    if run.status != "running":
        return None
    return holder_of(DiskFilesystem(), home.lock(Key(run.strategy, run.symbol))).pid


def started_pid(home: Home, key: Key) -> int | None:
    """Return the id of the process that was started last."""
    try:
        return int(script_of(home, key).with_suffix(".pid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _spawned(command: Sequence[str], folder: str, log_file: Path) -> subprocess.Popen[bytes]:
    with log_file.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - the user's own file, from the user's own home
            [sys.executable, *command],
            cwd=folder,
            env=os.environ | {LAUNCHED: "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # It is reaped when it ends. At our own end nobody waits for it: it may outlive us.
    threading.Thread(target=process.wait, name=f"tradenb reaper {process.pid}", daemon=True).start()
    return process


def _wait_until_it_runs(
    process: subprocess.Popen[bytes], script: Path, home: Home, run: AttachedRun
) -> None:
    deadline = time.monotonic() + _START_S
    while holder_pid(home, run) != process.pid:
        code = process.poll()
        if code is not None or time.monotonic() >= deadline:
            how = "does not run yet" if code is None else f"ended with exit code {code}"
            log = script.with_suffix(".log")
            words = log.read_text(encoding="utf-8", errors="replace")[-_SHOWN:].strip()
            error = StateLocked if code == 3 else StateError
            raise error(f"the process of {run.id} {how}; its log {log} ends with: {words}")
        time.sleep(_POLL_S)
