"""Files that are replaced as a whole and survive a power loss once they are."""

from __future__ import annotations

from pathlib import Path

from tradenb.store.filesystem import Filesystem, forget, make_folders, write_copy


def replace_durably(filesystem: Filesystem, path: Path, data: bytes) -> None:
    """Write a file so that readers see the old one or the new one, and a power loss keeps it.

    Raises
    ------
    OSError
        When it could not be written; a reader may see either then.
    """
    temp = path.with_name(f".{path.name}.tmp")
    make_folders(filesystem, path.parent)
    forget(filesystem, temp)
    write_copy(filesystem, temp, data)
    filesystem.replace(temp, path)
    filesystem.sync_folder(path.parent)
