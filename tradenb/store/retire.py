"""Retiring an ended run: all its files move to a folder of their own, none is deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tradenb.errors import StateError
from tradenb.store.document.read import read_document
from tradenb.store.document.state_conflict import refuse_undecided
from tradenb.store.filesystem import Filesystem, make_folders
from tradenb.store.paths import Home, Key, decoded

FOLDER: Final = "retired"


def retire(filesystem: Filesystem, home: Home, key: Key, *, now: int) -> Path:
    """Move the files of a run that holds nothing; the caller has its lock.

    The document goes last: after a crash in between, the run can be retired again.

    Parameters
    ----------
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
    StateConflict
        When it is still to be decided which of two states is its own.
    """
    name = f"{key.symbol}:{key.strategy}"
    refuse_undecided(filesystem, home.document(key))
    found = read_document(filesystem, home.document(key))
    if found is None:
        raise StateError(f"{name} has no state under {home.root}")
    held = found.body["state"]["signal"] or found.body["state"]["scheduled"]
    if held is not None:
        raise StateError(
            f"{name} holds a signal ({held['id']}); start it and stop it first, or "
            f"if its symbol is gone: tradenb retire {name} --abandon PRICE"
        )
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
    views = [view for view in home.views(key).values() if filesystem.exists(view)]
    requests = _inside(filesystem, home.control(key))
    lived = [*_named(filesystem, home.recording(key)), *_named(filesystem, home.orders(key))]
    accounts = (decoded(folder.name, "account") for folder in _inside(filesystem, home.shares))
    shares = [home.account_share(account, key) for account in accounts if account is not None]
    last = [document] if filesystem.exists(document) else []
    there = [share for share in shares if filesystem.exists(share)]
    return [*_named(filesystem, journal), *lived, *views, *requests, *there, *beside, *last]


def _inside(filesystem: Filesystem, folder: Path) -> list[Path]:
    try:
        return [folder / name for name in sorted(filesystem.names(folder))]
    except FileNotFoundError:
        return []


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
