"""The commit: one document replaced by the next generation so that no crash can part it.

    1 serialise · 2 write an exclusive temporary file, sync, close · 3 read it back and compare ·
    4 keep the document as `.bak` by a second name · 5 replace the document · 6 sync the folder

Before 5 the generation on disk is the old one whatever happens, after 6 it is the new one, and
between them it is one of the two. An error after 5 leads to a look at the disk: what is there is in
force. A file that failed to sync is never synced again; the next try writes a new one.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from tradenb.errors import StateConflict, StateError, StateWriteError
from tradenb.store.atomic import forget, keep_copy, make_folders
from tradenb.store.document.envelope import LIMIT, encode
from tradenb.store.document.read import bak_of, fingerprint
from tradenb.store.filesystem import Filesystem
from tradenb.store.paths import key_of

_TEMP_NAMES: Final = 100


def how_to_decide(path: Path) -> str:
    """Say what to do about a document that two wrote."""
    key = key_of(path)
    name = path.name if key is None else f"{key.symbol}:{key.strategy}"
    return (
        f"`tradenb resolve {name}` shows both and takes one, in Python run.keep_ours() or "
        "run.take_theirs()"
    )


class Committed(NamedTuple):
    """What is in force after a commit.

    Attributes
    ----------
    seq : int
        Number of the generation.
    synced : bool
        Whether it survives a power loss. If not, nothing may be announced yet: a later commit that
        is synced covers this one.
    renewed : bool
        Whether the document had gone, or was damaged, and was written anew.
    """

    seq: int
    synced: bool
    renewed: bool = False


class Writer:
    """Writes the generations of one document; knows what has to be on disk before each.

    Attributes
    ----------
    seq : int
        Number of the generation in force, 0 before the first.
    certain : bool
        False after an error that left open which of two generations is in force.
    """

    def __init__(self, filesystem: Filesystem, path: Path, *, pid: int) -> None:
        self.path = path
        self.seq = 0
        self._filesystem = filesystem
        self._pid = pid
        self._temps = 0
        self._has_folder = False
        # What may be on disk, and the generation in force if it is; None is no file.
        self._expected: dict[bytes | None, int] = {None: 0}
        self._keeps_bak = True
        self._foreign = False

    @property
    def certain(self) -> bool:
        """Whether it is known which generation is in force."""
        return len(self._expected) == 1

    def begin_at(self, seq: int, on_disk: bytes | None, *, keeps_bak: bool) -> None:
        """Go on from a generation.

        Parameters
        ----------
        seq : int
        on_disk : bytes or None
            Fingerprint of the document as it is now, None if there is none.
        keeps_bak : bool
            Whether the document is the generation in force, so that it becomes the `.bak`.
        """
        self.seq = seq
        self._expected = {on_disk: seq}
        self._keeps_bak = keeps_bak
        self._foreign = False

    def commit(self, body: Mapping[str, Any]) -> Committed:
        """Put the next generation in force; see `DocumentStore.commit`. Raises OSError as well."""
        before = self._on_disk()
        renewed = self._settle(before)
        try:
            data = encode(self.seq + 1, body)
        except ValueError as error:
            raise StateWriteError(
                f"{self.path}: a state that makes no sense is not written: {error}"
            ) from error
        temp = self._write_temp(data)
        try:
            if self._filesystem.read(temp, limit=len(data) + 1) != data:
                raise OSError(errno.EIO, "what was read back is not what was written")
            self._on_disk()
            if self._keeps_bak and before is not None:
                self._keep_bak()
        except (OSError, StateError):
            self._drop(temp)
            raise
        synced = self._replace(temp, before, fingerprint(data))
        self.begin_at(self.seq + 1, fingerprint(data), keeps_bak=True)
        return Committed(self.seq, synced, renewed)

    def _on_disk(self) -> bytes | None:
        """Return the fingerprint of the document; refuse if it is not the one we left there."""
        if not self._foreign:
            try:
                found = fingerprint(self._filesystem.read(self.path, limit=LIMIT + 1))
            except FileNotFoundError:
                return None  # the folder was deleted, perhaps: what is in memory is written anew
            if found in self._expected:
                return found
            self._foreign = True
        raise StateConflict(
            f"{self.path}: somebody else wrote it (another machine on a synchronised folder, an "
            f"editor?); nothing is saved after generation {self.seq} until you decide which state "
            f"holds: {how_to_decide(self.path)}"
        )

    def _settle(self, on_disk: bytes | None) -> bool:
        """Say whether the document has gone; if not, it settles which generation is in force."""
        if on_disk not in self._expected:
            self.seq = max(self._expected.values())
            return True
        self.seq = self._expected[on_disk]
        self._expected = {on_disk: self.seq}
        return False

    def _write_temp(self, data: bytes) -> Path:
        if not self._has_folder:
            make_folders(self._filesystem, self.path.parent)
            self._has_folder = True
        try:
            temp, handle = self._create()
        except FileNotFoundError:
            make_folders(self._filesystem, self.path.parent)
            temp, handle = self._create()
        try:
            try:
                self._filesystem.write(handle, data)
                self._filesystem.sync(handle)
            finally:
                self._filesystem.close(handle)
        except OSError:
            self._drop(temp)
            raise
        return temp

    def _create(self) -> tuple[Path, int]:
        for _ in range(_TEMP_NAMES):
            self._temps += 1
            temp = self.path.with_name(f"{self.path.name}.{self._pid}-{self._temps}.tmp")
            try:
                return temp, self._filesystem.create(temp)
            except FileExistsError:
                continue
        raise FileExistsError(errno.EEXIST, "no free name for a temporary file", str(self.path))

    def _keep_bak(self) -> None:
        """Make the document the `.bak` as well; the names change, not the bytes."""
        bak = bak_of(self.path)
        temp = bak.with_name(f"{bak.name}.tmp")
        forget(self._filesystem, temp)
        keep_copy(self._filesystem, self.path, temp, limit=LIMIT)
        self._filesystem.replace(temp, bak)
        # Renaming one name of a file to another name of the same file does nothing, says POSIX.
        forget(self._filesystem, temp)

    def _replace(self, temp: Path, before: bytes | None, after: bytes) -> bool:
        """Put the new generation in force; return whether it survives a power loss."""
        try:
            self._filesystem.replace(temp, self.path)
        except OSError as error:
            try:
                self._look_again(error, before, after)
            except (OSError, StateError):
                self._drop(temp)
                raise
        try:
            self._filesystem.sync_folder(self.path.parent)
        except OSError as error:
            self._look_again(error, before, after)
            return False
        return True

    def _look_again(self, error: OSError, before: bytes | None, after: bytes) -> None:
        """Return if the new generation is in force after all, else raise."""
        self._expected = {before: self.seq, after: self.seq + 1}
        found = self._on_disk()
        if found == after:
            return
        self._expected = {before: self.seq}
        raise error

    def _drop(self, temp: Path) -> None:
        try:
            forget(self._filesystem, temp)
        except OSError:
            return  # the next start sweeps it
