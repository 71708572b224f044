"""The commit: one document replaced by the next generation so that no crash can part it.

    1 check and serialise
    2 write an exclusive temporary file, sync, close
    3 read it back and compare
    4 keep the document as `.bak` by a second name
    5 replace the document
    6 sync the folder

Before 5 the generation on disk is the old one whatever happens, after 6 it is the new one, and
between them it is one of the two. An error after 5 leads to a look at the disk: what is there is in
force. A file that failed to sync is never synced again; the next try writes a new one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from tradenb.errors import StateConflict, StateError, StateWriteError
from tradenb.store import codec
from tradenb.store.codec import LIMIT, fingerprint
from tradenb.store.document.migrations import VERSION
from tradenb.store.document.schema import problems_of
from tradenb.store.document.state_conflict import forget_ours, how_to_decide
from tradenb.store.filesystem import Filesystem, forget, keep_copy, make_folders
from tradenb.store.paths import bak_of

_TEMP_NAMES: Final = 100


def encode(seq: int, body: Mapping[str, Any]) -> bytes:
    """Check a generation and write it down.

    Raises
    ------
    ValueError
        When it could not be read again; all problems at once.
    """
    problems = problems_of(body)
    if problems:
        raise ValueError(problems)
    data = codec.encode(VERSION, seq, body)
    if len(data) > LIMIT:
        raise ValueError(f"a document must stay within {LIMIT} bytes, was {len(data)}")
    return data


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
        Whether the document was missing or damaged, and was written anew.
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
    """

    def __init__(
        self,
        filesystem: Filesystem,
        path: Path,
        *,
        pid: int | None = None,
        guard: Callable[[], None] | None = None,
    ) -> None:
        self.path = path
        self.seq = 0
        self._filesystem = filesystem
        self._pid = os.getpid() if pid is None else pid
        self._guard = guard
        self._folder, self._bak = path.parent, bak_of(path)
        self._new_bak = path.with_name(f"{self._bak.name}.tmp")
        self._temps = 0
        self._has_folder = False
        self._busy = threading.Lock()
        self._begun = False
        # The user has decided that ours holds; what is kept of it goes with the next commit.
        self._decided = False
        self._body: Mapping[str, Any] | None = None
        # What may be on disk, and the generation in force if it is; None: the file does not exist.
        self._expected: dict[bytes | None, int] = {None: 0}
        self._keeps_bak = True
        self._foreign = False

    def commit(self, body: Mapping[str, Any]) -> Committed:
        """Put the next generation in force.

        Parameters
        ----------
        body : mapping
            The fields of `schema.Body`, JSON-plain.

        Raises
        ------
        StateWriteError
            When it could not be written: the generation before it is in force. May be tried again.
        StateLocked
            When the guard found that another process holds the run.
        StateConflict
            When another program wrote the document; refused until `keep_ours` or `take_theirs`.
            What was in force before is kept beside it. A document that was damaged is moved aside
            and written anew.
        StateError
            When nothing was loaded.
        """
        if not self._begun:
            raise StateError(f"{self.path}: load it before writing")
        if not self._busy.acquire(blocking=False):
            raise StateWriteError(f"{self.path}: the previous commit is still running")
        try:
            if self._guard is not None:
                self._guard()
            try:
                committed = self._put_in_force(body)
            except StateConflict as error:
                self._on_conflict(error)
                committed = self._put_in_force(body)._replace(renewed=True)
        except OSError as error:
            # Two generations are expected where an error left open which of them is in force.
            force = "is" if len(self._expected) == 1 else "or the one after it is"
            raise StateWriteError(
                f"{self.path} could not be written ({error.strerror or error}); generation "
                f"{self.seq} {force} in force, the next commit tries again"
            ) from error
        finally:
            self._busy.release()
        self._body = body
        if self._decided:
            with contextlib.suppress(OSError):
                forget_ours(self._filesystem, self.path)
                self._decided = False
        return committed

    def _on_conflict(self, error: StateConflict) -> None:
        """Return if the commit may be tried once more, else raise."""
        raise error

    def _put_in_force(self, body: Mapping[str, Any]) -> Committed:
        before = self._on_disk()
        # If nothing is there where something was expected, the document was deleted.
        renewed = before not in self._expected
        self.seq = max(self._expected.values()) if renewed else self._expected[before]
        if not renewed:
            self._expected = {before: self.seq}
        try:
            data = encode(self.seq + 1, body)
        except ValueError as error:
            raise StateWriteError(f"{self.path}: invalid state, not written: {error}") from error
        temp = self._write_temp(data)
        try:
            # A drive may report success and have written something else.
            if self._filesystem.read(temp, limit=len(data) + 1) != data:
                raise OSError(errno.EIO, "what was read back is not what was written")
            # Syncing takes long: another program may have written meanwhile.
            self._on_disk()
            if self._keeps_bak and before is not None:
                self._keep_bak()
        except (OSError, StateError):
            self._drop(temp)
            raise
        after = fingerprint(data)
        synced = self._replace(temp, before, after)
        self._go_on(self.seq + 1, after, keeps_bak=True)
        return Committed(self.seq, synced, renewed)

    def _go_on(self, seq: int, on_disk: bytes | None, *, keeps_bak: bool) -> None:
        """Go on from a generation.

        Parameters
        ----------
        on_disk : bytes or None
            Fingerprint of the document as it is now, None if there is none.
        keeps_bak : bool
            Whether the document is the generation in force, so that it becomes the `.bak`.
        """
        self.seq = seq
        self._expected = {on_disk: seq}
        self._keeps_bak = keeps_bak
        self._foreign = False

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
            f"{self.path}: another program wrote it (another machine on a synchronised folder, an "
            f"editor?); nothing is saved after generation {self.seq} until you decide which state "
            f"holds: {how_to_decide(self.path)}"
        )

    def _write_temp(self, data: bytes) -> Path:
        if not self._has_folder:
            make_folders(self._filesystem, self._folder)
            self._has_folder = True
        try:
            temp, handle = self._create()
        except FileNotFoundError:
            make_folders(self._filesystem, self._folder)
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
            temp = self._folder / f"{self.path.name}.{self._pid}-{self._temps}.tmp"
            try:
                return temp, self._filesystem.create(temp)
            except FileExistsError:
                continue
        raise FileExistsError(errno.EEXIST, "no free name for a temporary file", str(self.path))

    def _keep_bak(self) -> None:
        """Make the document the `.bak` as well; the names change, not the bytes."""
        forget(self._filesystem, self._new_bak)
        keep_copy(self._filesystem, self.path, self._new_bak, limit=LIMIT)
        self._filesystem.replace(self._new_bak, self._bak)
        # Renaming one name of a file to another name of the same file does nothing, says POSIX.
        forget(self._filesystem, self._new_bak)

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
            self._filesystem.sync_folder(self._folder)
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
