"""What a run had when it found that another program wrote its document: kept beside it.

The file outlives the process, so that the decision does as well: while it is there no start is made
on the document. `{document}.ours-{seq}-{pid}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tradenb.errors import StateConflict
from tradenb.store import codec
from tradenb.store.aside import free_name
from tradenb.store.document.migrations import VERSION
from tradenb.store.filesystem import Filesystem, forget, write_copy
from tradenb.store.paths import key_of

_OURS: Final = ".ours-"


def how_to_decide(path: Path) -> str:
    """Say what to do about a document that two wrote."""
    key = key_of(path)
    name = path.name if key is None else f"{key.symbol}:{key.strategy}"
    return (
        f"`tradenb resolve {name}` shows both and takes one, in Python run.keep_ours() or "
        "run.take_theirs()"
    )


def ours_of(filesystem: Filesystem, path: Path) -> list[Path]:
    """Return what runs had when they lost this document, the one that had come furthest last.

    Raises
    ------
    OSError
        When the folder cannot be read.
    """
    try:
        names = filesystem.names(path.parent)
    except FileNotFoundError:
        return []
    wanted = f"{path.name}{_OURS}"

    def seq(name: str) -> tuple[int, str]:
        number = name.removeprefix(wanted).partition("-")[0]
        return int(number) if number.isdecimal() else 0, name

    found = sorted((name for name in names if name.startswith(wanted)), key=seq)
    return [path.with_name(name) for name in found]


def keep_ours_aside(
    filesystem: Filesystem, path: Path, seq: int, body: Mapping[str, Any], *, pid: int
) -> None:
    """Write the generation that was in force, once.

    Raises
    ------
    OSError
        When it cannot be written; it is in memory only, then.
    """
    target = path.with_name(f"{path.name}{_OURS}{seq}-{pid}")
    if filesystem.exists(target):
        return
    temp = target.with_name(f"{path.name}.{target.name}.tmp")
    forget(filesystem, temp)
    write_copy(filesystem, temp, codec.encode(VERSION, seq, body))
    filesystem.replace(temp, target)
    filesystem.sync_folder(path.parent)


def refuse_undecided(filesystem: Filesystem, path: Path) -> None:
    """Raise if it is still to be decided which state of a run holds.

    Raises
    ------
    StateConflict
    """
    found = ours_of(filesystem, path)
    if found:
        raise StateConflict(
            f"{path}: another program wrote it while a run had it, whose state is kept as "
            f"{found[-1].name}; nothing starts until you decide which one holds: "
            f"{how_to_decide(path)}"
        )


def words_if_undecided(filesystem: Filesystem, path: Path) -> str:
    """Say that it is still to be decided which state of a run holds; else nothing."""
    try:
        undecided = ours_of(filesystem, path)
    except OSError:
        return ""  # the reader of the document says so
    return f"another program wrote its state; {how_to_decide(path)}" if undecided else ""


def give_up_ours(filesystem: Filesystem, path: Path) -> None:
    """Let theirs hold: what we had gets a name that decides nothing; it is not deleted."""
    for file in ours_of(filesystem, path):
        kept = path.with_name(file.name.replace(_OURS, ".replaced-"))
        filesystem.replace(file, free_name(filesystem, kept))


def forget_ours(filesystem: Filesystem, path: Path) -> None:
    """Remove what we had, now that it is in force or has gone on."""
    for file in ours_of(filesystem, path):
        forget(filesystem, file)
