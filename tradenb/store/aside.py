"""Files that are moved aside: damaged, replaced, or of a run that ended; nothing is deleted."""

from __future__ import annotations

from pathlib import Path

from tradenb.errors import StateError
from tradenb.store.filesystem import Filesystem


def free_name(filesystem: Filesystem, path: Path) -> Path:
    """Return the path, or with a number after it if something has that name."""
    found, number = path, 0
    while filesystem.exists(found):
        number += 1
        found = path.with_name(f"{path.name}.{number}")
    return found


def move_aside(filesystem: Filesystem, path: Path, ending: str) -> Path:
    """Rename a file so that nothing is lost or written over; return where it is now."""
    target = free_name(filesystem, path.with_name(f"{path.name}.{ending}"))
    filesystem.replace(path, target)
    return target


def set_aside(filesystem: Filesystem, path: Path, ending: str) -> None:
    """Move a file aside that the next run must not go on with, if it is there.

    Raises
    ------
    StateError
        When that is not possible.
    """
    try:
        if filesystem.exists(path):
            move_aside(filesystem, path, ending)
    except OSError as error:
        raise StateError(
            f"{path} cannot be moved aside ({error.strerror or error}); repair the disk, or choose "
            "another home"
        ) from error
