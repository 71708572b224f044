"""`Journal`: what happened in a run, one event a line, only ever appended to.

The document's outbox keeps an event until the journal has it on disk, so each event is offered at
least once; what stands there already is left out, so each is in the files exactly once. The files
are rotated by size (`.jsonl.1` is the oldest) and all of them are kept: how long is for the user to
say, by moving numbered files away.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tradenb.errors import StateError, StateWriteError
from tradenb.store.atomic import free_name, make_folders, write_copy
from tradenb.store.filesystem import Filesystem
from tradenb.store.journal.lines import backwards
from tradenb.store.journal.rotation import JournalFiles
from tradenb.store.strict_json import dump

ROTATE_BYTES: Final = 8 << 20


class Journal:
    """The journal of one run. Reading needs no lock, appending has the run's.

    Parameters
    ----------
    filesystem : Filesystem
    path : Path
        `Home.journal(key)`.
    pid : int, optional
        Goes into the names of quarantined files; default this process.
    rotate_bytes : int
        A file of this size is continued in a new one.
    """

    def __init__(
        self,
        filesystem: Filesystem,
        path: Path,
        *,
        pid: int | None = None,
        rotate_bytes: int = ROTATE_BYTES,
    ) -> None:
        self.path = path
        self._filesystem = filesystem
        self._files = JournalFiles(filesystem, path)
        self._pid = os.getpid() if pid is None else pid
        self._rotate_bytes = rotate_bytes
        # How much of the file is on disk for certain; None where that has to be found out.
        self._size: int | None = None
        self._last = 0

    def append(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Write events that are not there yet; when this returns they survive a power loss.

        Parameters
        ----------
        rows : sequence of mapping
            The outbox: everything that is not confirmed, with rising `seq`.

        Returns
        -------
        int
            How many were written.

        Raises
        ------
        StateWriteError
            When they could not be written; offer them again.
        """
        if not rows:
            return 0
        try:
            return self._append(rows)
        except OSError as error:
            self._size = None
            raise StateWriteError(
                f"{self.path} could not be written ({error.strerror or error}); the events stay in "
                "the document until it can"
            ) from error

    def set_aside(self) -> None:
        """Give the files names that nobody reads, so that a new journal begins; nothing is lost.

        Raises
        ------
        StateError
            When that is not possible.
        """
        try:
            last = self.last_seq()
            files = [self._files.numbered(number) for number in self._files.numbers()]
            for file in [*files, self.path]:
                if self._filesystem.exists(file):
                    aside = file.with_name(f"{file.name}.before-{last}")
                    self._filesystem.replace(file, free_name(self._filesystem, aside))
        except OSError as error:
            words = f"{self.path} cannot be set aside ({error.strerror or error})"
            raise StateError(f"{words}; mend the disk, or choose another home") from error
        self._size, self._last = None, 0

    def read(self, since_seq: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
        """Return the events after a number, oldest first.

        Parameters
        ----------
        since_seq : int
        limit : int, optional
            At most so many.

        Raises
        ------
        OSError
            When a file is there and cannot be read.
        """
        return self._files.read(since_seq, limit)

    def tail(self, n: int) -> list[dict[str, Any]]:
        """Return the last events, oldest first, without reading what is before them."""
        return self._files.tail(n)

    def last_seq(self) -> int:
        """Return the number of the last event.

        A run that begins without a document, or from an older one that a user chose, goes on
        numbering after it.
        """
        found = self._files.tail(1)
        return int(found[0]["seq"]) if found else 0

    def _append(self, rows: Sequence[Mapping[str, Any]]) -> int:
        size = self._size_on_disk()
        certain = size == self._size
        if not certain:
            size = self._recover(rows, size)
        elif size >= self._rotate_bytes:
            size = self._rotate()
        fresh = [row for row in rows if row["seq"] > self._last]
        if not fresh:
            return 0
        data = _text(fresh)
        self._size = None
        self._write(data)
        if self._filesystem.read(self.path, limit=len(data) + 1, start=size) != data:
            raise OSError(errno.EIO, "what was read back is not what was written")
        if not certain or size == 0:
            self._filesystem.sync_folder(self.path.parent)
        self._size, self._last = size + len(data), fresh[-1]["seq"]
        return len(fresh)

    def _write(self, data: bytes) -> None:
        handle = self._filesystem.append(self.path)
        try:
            self._filesystem.write(handle, data)
            self._filesystem.sync(handle)
        finally:
            self._filesystem.close(handle)

    def _size_on_disk(self) -> int:
        try:
            return self._filesystem.size(self.path)
        except FileNotFoundError:
            return 0

    def _recover(self, rows: Sequence[Mapping[str, Any]], size: int) -> int:
        """Cut off what may not have reached the disk whole; all that it was is in the outbox.

        Lines before the outbox were confirmed. What follows the last of them was written by a
        process that died, or by a write that failed: after a failed sync nothing about it is known.
        """
        make_folders(self._filesystem, self.path.parent)
        earlier = backwards(self._filesystem, self.path) if size else iter(())
        before = next((line for line in earlier if line.seq < rows[0]["seq"]), None)
        end = 0 if before is None else before.end
        if size > end:
            self._keep_torn(end, size, rows)
            self._filesystem.truncate(self.path, end)
        self._last = self._files.last_numbered() if before is None else before.seq
        return end

    def _keep_torn(self, start: int, size: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Copy what is cut off, unless it is just the beginning of what will be written again."""
        torn = self._filesystem.read(self.path, limit=size - start, start=start)
        if _text(rows).startswith(torn):
            return
        kept = self.path.with_name(f"{self.path.name}.torn-{start}-{self._pid}")
        write_copy(self._filesystem, free_name(self._filesystem, kept), torn)

    def _rotate(self) -> int:
        number = max(self._files.numbers(), default=0) + 1
        self._filesystem.replace(self.path, self._files.numbered(number))
        self._size = None
        # Else the new file could take the name on disk before the old one has its number.
        self._filesystem.sync_folder(self.path.parent)
        return 0


def _text(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return b"".join(dump(row) + b"\n" for row in rows)
