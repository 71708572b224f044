"""Finding the generation in force when a run starts; the caller has the run's lock.

Both generations are read before anything is moved, so that an error of the disk, or a file of a
newer version, leaves everything as it was.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from tradenb.errors import StateCorrupt, StateError
from tradenb.store.aside import move_aside
from tradenb.store.codec import Generation, fingerprint, seq_of
from tradenb.store.document.migrations import Migrations
from tradenb.store.document.read import Reading, newest, read_both
from tradenb.store.filesystem import Filesystem, forget

_MOST_LEFTOVERS: Final = 10_000


class Moved(NamedTuple):
    """A damaged file that was moved aside: from where, to where, and what was wrong."""

    path: Path
    to: Path
    words: str


class Found(NamedTuple):
    """What a run begins with.

    Attributes
    ----------
    generation : Generation or None
        None if the run has never been saved.
    moved : tuple of Moved
        What was damaged; to be reported.
    swept : int
        Temporary files of a writer that died, removed.
    on_disk : bytes or None
        Fingerprint of the document.
    from_document : bool
        Whether the generation is the document's, not that of the one before it.
    """

    generation: Generation | None
    moved: tuple[Moved, ...]
    swept: int
    on_disk: bytes | None
    from_document: bool

    @property
    def seq(self) -> int:
        """Number of the generation, 0 if there is none."""
        return 0 if self.generation is None else self.generation.seq


def load(filesystem: Filesystem, path: Path, *, pid: int, migrations: Migrations) -> Found:
    """Find the generation in force; see `DocumentStore.load`."""
    readings = read_both(filesystem, path, migrations=migrations)
    try:
        moved = tuple(
            _move(filesystem, item, item.data, pid)
            for item in readings
            if item.data is not None and item.generation is None
        )
        names = _names(filesystem, path.parent)
        swept = _sweep(filesystem, path, names)
        if newest(readings) is not None:
            # Its writer may have died between renaming it and syncing that: what follows from it
            # must not outlive it.
            filesystem.sync_folder(path.parent)
    except OSError as error:
        raise StateError(
            f"{path.parent}: {error.strerror or error}; nothing was changed"
        ) from error
    best = newest(readings)
    if best is None:
        _refuse_a_fresh_start(path, moved, names)
    document = readings[0]
    on_disk = None if document.generation is None else fingerprint(document.data or b"")
    generation = None if best is None else best.generation
    return Found(generation, moved, swept, on_disk, best is document)


def _move(filesystem: Filesystem, item: Reading, data: bytes, pid: int) -> Moved:
    to = move_aside(filesystem, item.path, f"corrupt-{seq_of(data)}-{pid}")
    return Moved(item.path, to, item.words)


def _names(filesystem: Filesystem, folder: Path) -> list[str]:
    try:
        return filesystem.names(folder)
    except FileNotFoundError:
        return []


def _sweep(filesystem: Filesystem, path: Path, names: list[str]) -> int:
    """Remove the temporary files of this document, a bounded number at a time."""
    mine = [name for name in names if name.startswith(f"{path.name}.") and name.endswith(".tmp")]
    for name in mine[:_MOST_LEFTOVERS]:
        forget(filesystem, path.with_name(name))
    return len(mine[:_MOST_LEFTOVERS])


def _refuse_a_fresh_start(path: Path, moved: tuple[Moved, ...], names: list[str]) -> None:
    """Raise if there was a state: a run that forgot its position must not begin anew by itself."""
    aside = [name for name in names if name.startswith(f"{path.name}.corrupt-")]
    if not moved and not aside:
        return
    last = moved[0].to if moved else path.with_name(aside[-1])
    said = "; ".join(f"{item.path.name}: {item.words}" for item in moved)
    raise StateCorrupt(
        f"{path} has no valid generation left{f' ({said})' if said else ''}; the files are kept as "
        f"{path.name}.corrupt-*. Choose one with `tradenb doctor --accept FILE`, or move them "
        "out of the folder to begin anew",
        path=str(path),
        moved_to=str(last),
    )
