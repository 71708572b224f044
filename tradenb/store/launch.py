"""How a run was started outside a notebook: its file, so that `tradenb resume` can start it again.

One small file a run, `{home}/scripts/{strategy}/{symbol}.json`, written by `tradenb run`, by
exported scripts and by `tn.live.background(..., process=True)`. Nothing in a run depends on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from tradenb.errors import StateError
from tradenb.store.codec import dump, parse
from tradenb.store.document.plain_record import record_of
from tradenb.store.filesystem import Filesystem, make_folders, replace_whole
from tradenb.store.paths import Home, Key, encoded

# In the environment of a process whose starter notes how it was started.
LAUNCHED: Final = "TRADENB_LAUNCHED"
_LIMIT: Final = 1 << 16
_HOME: Final = "--home"


class Launch(NamedTuple):
    """What started a run.

    Attributes
    ----------
    file : str
        The bot file or exported script, absolute.
    command : tuple of str
        What follows the interpreter; last the home, as `--home FOLDER`.
    folder : str
        Working folder.
    at : int
        When, ms UTC.
    once : bool
        One tick each time, started again and again by cron.
    code : str
        Fingerprint of the strategy, where it is known.
    """

    file: str
    command: tuple[str, ...]
    folder: str
    at: int
    once: bool = False
    code: str = ""


def launch_path(home: Home, key: Key) -> Path:
    """Return where it is noted; script, log and process id have the same name."""
    folder = home.root / "scripts" / encoded(key.strategy, "strategy")
    return folder / f"{encoded(key.symbol, 'symbol')}.json"


def note_launch(filesystem: Filesystem, home: Home, key: Key, launch: Launch) -> bool:
    """Note what started a run; tell whether that could be written: the run goes on without."""
    path = launch_path(home, key)
    try:
        make_folders(filesystem, path.parent)
        replace_whole(filesystem, path, dump(launch._asdict()) + b"\n")
    except (OSError, StateError):
        return False
    return True


def launch_of(filesystem: Filesystem, home: Home, key: Key) -> Launch | None:
    """Return what started a run last, if it is known and its file is still there."""
    try:
        launch = record_of(Launch, parse(filesystem.read(launch_path(home, key), limit=_LIMIT)))
    except (OSError, ValueError):
        return None
    launch = _under(home.root, launch)
    return launch if Path(launch.file).is_file() else None


def _under(home: Path, launch: Launch) -> Launch:
    """Name the home that the note is under: it may be a copy, or have been moved since."""
    if launch.command[-2:-1] != (_HOME,):
        return launch
    noted = launch.command[-1]

    def found(path: str) -> str:
        inside = Path(path).is_relative_to(noted)
        there = home / Path(path).relative_to(noted) if inside else Path(path)
        return str(there) if inside and there.exists() else path

    return launch._replace(
        file=found(launch.file),
        folder=found(launch.folder),
        command=(*map(found, launch.command[:-1]), str(home)),
    )
