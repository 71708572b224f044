"""Reading a document and the generation before it, changing nothing: for everybody.

A file that the disk or the permissions do not let us read is not damaged: the error is raised, and
nothing is concluded from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from tradenb.errors import StateCorrupt, StateError, StateVersionError
from tradenb.store.codec import HEAD, LIMIT, Damaged, Generation, dump, parse, unframed, unlike
from tradenb.store.document.migrations import MIGRATIONS, VERSION, Migrations, migrated
from tradenb.store.filesystem import Filesystem
from tradenb.store.paths import bak_of, key_of


class Reading(NamedTuple):
    """What was found under one name: nothing, a valid generation, or damage and its words."""

    path: Path
    data: bytes | None
    generation: Generation | None
    words: str = ""

    @property
    def damaged(self) -> bool:
        """Whether a file is there that is no valid generation."""
        return self.data is not None and self.generation is None


def decode(data: bytes, *, migrations: Migrations = MIGRATIONS) -> Generation:
    """Read a generation and check everything about it.

    Raises
    ------
    Damaged
        When it is not whole, or contradicts itself; all problems at once.
    StateVersionError
        When it is whole, and was written by a newer version.
    """
    return understood(*unframed(data), migrations)


def understood(
    version: int, seq: int, body: bytes, migrations: Migrations = MIGRATIONS
) -> Generation:
    """Bring a whole body to the present version, and check what it says."""
    if version > VERSION:
        raise StateVersionError(
            f"it was written by a newer tradenb (format version {version}, this one knows "
            f"{VERSION}); update tradenb, or restore an older generation"
        )
    found = parse(body)
    if not isinstance(found, dict):
        raise Damaged(f"the body is a {type(found).__name__}, not an object")
    from tradenb.store.document.schema import problems_of

    found = migrated(found, version, migrations)
    problems = problems_of(found)
    if problems:
        raise Damaged(problems)
    return Generation(seq, found, version)


def decode_by_hand(data: bytes, *, migrations: Migrations = MIGRATIONS) -> Generation:
    """Read a generation that a person may have edited: any layout, any checksum.

    Raises
    ------
    Damaged, StateVersionError
        As for `decode`; only the checksum is not asked for.
    """
    found = parse(data)
    if not isinstance(found, dict) or found.get("format") != "tradenb-state":
        raise Damaged(unlike(data))
    version, seq = found.get("v"), found.get("seq")
    if type(version) is not int or type(seq) is not int or seq < 0:
        raise Damaged(f"v and seq must be whole numbers, were {version!r} and {seq!r}")
    return understood(version, seq, dump(found.get("body")), migrations)


def content(filesystem: Filesystem, path: Path) -> bytes | None:
    """Return what a file holds, at most a byte more than a document may; None if it is not there.

    Raises
    ------
    StateError
        When it cannot be read; the file is left alone.
    """
    try:
        return filesystem.read(path, limit=LIMIT + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(
            f"{path} cannot be read ({error.strerror or error}); it may be whole, so nothing was "
            "changed. Repair the disk, the permissions or the limit of open files, and start again"
        ) from error


def read_one(
    filesystem: Filesystem, path: Path, *, of: Path | None = None, migrations: Migrations
) -> Reading:
    """Read one generation.

    Parameters
    ----------
    of : Path, optional
        The document that the file belongs to, if that is another one.

    Raises
    ------
    StateError
        When the file cannot be read.
    StateVersionError
        When a newer version wrote it.
    """
    data = content(filesystem, path)
    if data is None:
        return Reading(path, None, None)
    try:
        generation = decode(data, migrations=migrations)
        misplaced = misplacement(generation, of or path)
        if misplaced:
            raise Damaged(misplaced)
    except StateVersionError as error:
        raise StateVersionError(f"{path}: {error}. Nothing was changed") from error
    except Damaged as error:
        return Reading(path, data, None, str(error))
    return Reading(path, data, generation)


def read_both(
    filesystem: Filesystem, path: Path, *, migrations: Migrations = MIGRATIONS
) -> tuple[Reading, Reading]:
    """Read a document and the generation before it; raises as `read_one` does."""
    return (
        read_one(filesystem, path, migrations=migrations),
        read_one(filesystem, bak_of(path), of=path, migrations=migrations),
    )


def newest(readings: tuple[Reading, ...]) -> Reading | None:
    """Return the valid reading with the highest number; of equals the first."""
    valid = [item for item in readings if item.generation is not None]
    return max(valid, key=_number, default=None)


def read_document(filesystem: Filesystem, path: Path) -> Generation | None:
    """Return the newest valid generation of a run, as another process may ask for it.

    Returns
    -------
    Generation or None
        None if the run has never been saved.

    Raises
    ------
    StateCorrupt
        When files are there and none is valid.
    StateError, StateVersionError
        When a file cannot be read, or was written by a newer version.
    """
    readings = read_both(filesystem, path)
    best = newest(readings)
    if best is not None:
        return best.generation
    damaged = [item for item in readings if item.damaged]
    if not damaged:
        return None
    raise StateCorrupt(
        "; ".join(f"{item.path}: {item.words}" for item in damaged), path=str(damaged[0].path)
    )


class Documents:
    """Documents of others that are read again and again: only those that have changed since."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[bytes, Generation]] = {}

    def read(self, filesystem: Filesystem, path: Path) -> Generation | None:
        """Return what `read_document` would; what has the same number and checksum is the same."""
        try:
            head = filesystem.read(path, limit=HEAD)
        except OSError:
            head = b""
        known = self._known.get(path)
        if known is not None and head and known[0] == head:
            return known[1]
        found = read_document(filesystem, path)
        if found is not None:
            self._known[path] = (head, found)
        return found


def misplacement(generation: Generation, path: Path) -> str:
    """Say to whom a generation belongs if its name belongs to somebody else."""
    key = key_of(path)
    owner = generation.body["strategy"], generation.body["symbol"]
    if key is None or key == owner:
        return ""
    return (
        f"it is the state of {owner[1]}:{owner[0]}, under the name of {key.symbol}:{key.strategy}"
    )


def _number(reading: Reading) -> int:
    return -1 if reading.generation is None else reading.generation.seq
