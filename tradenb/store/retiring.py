"""Taking an ended run out of the books: all its files move to a folder, none is deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tradenb.errors import StateError
from tradenb.store.atomic import make_folders
from tradenb.store.filesystem import Filesystem
from tradenb.store.paths import VIEWS, Home, Key
from tradenb.store.reading import read_document

FOLDER: Final = "retired"


def retire(filesystem: Filesystem, home: Home, key: Key, *, now: int) -> Path:
    """Move the files of a run that holds nothing; the caller has its lock.

    What stands beside the document goes before it, journal and views after it: whoever dies in
    between leaves a run that is whole, or one that has gone.

    Parameters
    ----------
    filesystem : Filesystem
    home : Home
    key : Key
    now : int
        For the name of the folder, ms UTC.

    Returns
    -------
    Path
        Where they are: `{home}/retired/{now}`, in the same folders as under `data`.

    Raises
    ------
    StateError
        When it has no state, has not ended or holds a signal, or a file cannot be moved.
    """
    name = f"{key.symbol}:{key.strategy}"
    found = read_document(filesystem, home.document(key))
    if found is None:
        raise StateError(f"{name} has no state under {home.root}")
    held = found.body["state"]["signal"] or found.body["state"]["scheduled"]
    if held is not None:
        raise StateError(f"{name} holds a signal ({held['id']}); start it and stop it first")
    target = home.root / FOLDER / str(now)
    try:
        for file in _files(filesystem, home, key):
            moved = target / file.relative_to(home.data)
            make_folders(filesystem, moved.parent)
            filesystem.replace(file, moved)
            filesystem.sync_folder(moved.parent)
            filesystem.sync_folder(file.parent)
    except OSError as error:
        raise StateError(
            f"{name} could not be moved to {target} ({error.strerror or error}); try again"
        ) from error
    return target


def _files(filesystem: Filesystem, home: Home, key: Key) -> list[Path]:
    document, journal = home.document(key), home.journal(key)
    beside = [
        file for file in _named(filesystem, document) if file not in (document, home.lock(key))
    ]
    views = [home.view(kind, key) for kind in VIEWS]
    after = [*_named(filesystem, journal), *(view for view in views if filesystem.exists(view))]
    return [*beside, *([document] if filesystem.exists(document) else []), *after]


def _named(filesystem: Filesystem, path: Path) -> list[Path]:
    """Return the files of a run in a folder, its rotated and damaged ones as well."""
    try:
        names = filesystem.names(path.parent)
    except FileNotFoundError:
        return []
    return [
        path.with_name(name)
        for name in sorted(names)
        if name == path.name or name.startswith(f"{path.name}.")
    ]
