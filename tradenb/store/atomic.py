"""What takes several steps of the disk: folders that last, files replaced whole, moves aside."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from tradenb.store.filesystem import Filesystem

# A folder that we may not open or write has no name in it that we made.
_NOT_OURS: Final = {errno.EACCES, errno.EPERM, errno.EROFS}
_NO_LINKS: Final = {
    errno.EPERM,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EMLINK,
    errno.EXDEV,
}


def make_folders(filesystem: Filesystem, folder: Path) -> None:
    """Make a folder and what is missing above it, so that they survive a power loss.

    The folders above are synced even if they were there: an earlier process may have died between
    making one and syncing.
    """
    missing = []
    above = folder
    while not filesystem.exists(above) and above != above.parent:
        missing.append(above)
        above = above.parent
    for path in reversed(missing):
        try:
            filesystem.make_folder(path)
        except FileExistsError:
            continue  # another run was faster
    changed = {path.parent for path in missing}
    for path in folder.parents:
        try:
            filesystem.sync_folder(path)
        except OSError as error:
            if path in changed or error.errno not in _NOT_OURS:
                raise


def replace_whole(filesystem: Filesystem, path: Path, data: bytes) -> None:
    """Write a file so that readers see the old one or the new one; a power loss may undo it."""
    temp = path.with_name(f".{path.name}.tmp")
    if not filesystem.exists(path.parent):
        make_folders(filesystem, path.parent)
    forget(filesystem, temp)
    handle = filesystem.create(temp)
    try:
        filesystem.write(handle, data)
    finally:
        filesystem.close(handle)
    filesystem.replace(temp, path)


def write_copy(filesystem: Filesystem, path: Path, data: bytes) -> None:
    """Write a new file that survives a power loss once its folder is synced."""
    handle = filesystem.create(path)
    try:
        filesystem.write(handle, data)
        filesystem.sync(handle)
    finally:
        filesystem.close(handle)


def keep_copy(filesystem: Filesystem, path: Path, target: Path, *, limit: int) -> None:
    """Give a file a second name; where the disk has no links, copy it."""
    try:
        filesystem.link(path, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        write_copy(filesystem, target, filesystem.read(path, limit=limit))


def forget(filesystem: Filesystem, path: Path) -> None:
    """Remove a file if it is there."""
    try:
        filesystem.unlink(path)
    except FileNotFoundError:
        return


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
