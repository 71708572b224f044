"""Whose a home is: files that its owner cannot read would halt the runs under it."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tradenb.errors import StateError
from tradenb.store.home_check import NOT_STATE
from tradenb.store.paths import Home

_MOST: Final = 100_000


def owner_of(path: Path) -> int | None:
    """Return the user id of the owner of a path; None if it is not there or cannot be seen."""
    try:
        return path.stat().st_uid
    except OSError:
        return None


def name_of(user: int) -> str:
    """Return the name of a user, or the number where it has none."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def refuse_foreign(home: Home) -> None:
    """Raise if this user may not leave files in a home; root may, and gives them to its owner.

    Raises
    ------
    StateError
        When the home belongs to another user.
    """
    owner, user = owner_of(home.root), os.geteuid()
    if owner is not None and user not in (owner, 0):
        name = name_of(owner)
        raise StateError(
            f"{home.root} belongs to {name}, who could not read what {name_of(user)} writes there; "
            f"run this as {name}, or with sudo"
        )


def foreign_paths(home: Home) -> Iterator[tuple[Path, str]]:
    """Yield what under a home belongs to another user than the home itself, and to whom."""
    owner = owner_of(home.root)
    count = 0
    for folder, folders, files in os.walk(home.root):
        if Path(folder) in (home.data, home.rehearsal.data):
            folders[:] = [name for name in folders if name not in NOT_STATE]
        for name in (*folders, *files):
            count += 1
            if count > _MOST:
                return
            path = Path(folder) / name
            try:
                user = path.lstat().st_uid
            except OSError:
                continue
            if user != owner:
                yield path, name_of(user)
