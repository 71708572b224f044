"""`Journal`: the events of a run, each exactly once.

The document's outbox keeps an event until the journal has it on disk, so each event is offered at
least once; what is in the journal already is left out, so each is there exactly once. The journal
is rotated by size (`.jsonl.1` is the oldest) and all files are kept: the user decides how long, by
moving numbered files away.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tradenb.errors import StateWriteError
from tradenb.store.aside import free_name, set_aside
from tradenb.store.codec import dump_lines
from tradenb.store.filesystem import Filesystem, append_to, make_folders, size_of, write_copy
from tradenb.store.journal.lines import Line, backwards
from tradenb.store.journal.picking import Picking
from tradenb.store.journal.rotation import ROTATE_BYTES, JournalFiles

T = TypeVar("T")


class Journal:
    """The journal of one run. Reading needs no lock, appending has the run's.

    Parameters
    ----------
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
        # The last event before the file that grows; None where that has to be found out.
        self._last_rotated: int | None = None

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
        """Move the files aside, so that a new journal begins; see `aside.set_aside`."""
        last = self.last_seq()
        for file in [*self._files.all_numbered(), self.path]:
            set_aside(self._filesystem, file, f"before-{last}")
        self._size, self._last, self._last_rotated = None, 0, 0

    def read(self, since_seq: int = 0, limit: int | None = None) -> list[dict[str, Any]]:
        """Return the events after a number, oldest first.

        Parameters
        ----------
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

    def pick(
        self, kinds: Iterable[str], collect: Callable[[Picking], T], newest_of: Iterable[str] = ()
    ) -> T:
        """Return what is made of the lines of some kinds, however long the journal is.

        Parameters
        ----------
        kinds, newest_of : iterable of str
            See `Picking`.
        collect : callable
            Iterates over a `Picking`; called anew if a file got its number meanwhile.

        Raises
        ------
        OSError
            When a file is there and cannot be read.
        """
        return self._files.pick(kinds, collect, newest_of)

    def last_seq(self) -> int:
        """Return the number of the last event.

        A run that begins without a document, or from an older one that a user chose, goes on
        numbering after it.
        """
        found = self._files.tail(1)
        last = int(found[0]["seq"]) if found else 0
        if not self._filesystem.exists(self.path):
            self._last_rotated = last
        return last

    def _append(self, rows: Sequence[Mapping[str, Any]]) -> int:
        # Any other size than the one we left means a crash, a failed write or another hand: what
        # follows the confirmed part is then cut off, and written again from the outbox.
        size = max(size_of(self._filesystem, self.path), 0)
        certain = size == self._size
        if not certain:
            size = self._recover(rows, size)
        elif size >= self._rotate_bytes:
            size = self._rotate()
        fresh = [row for row in rows if row["seq"] > self._last]
        if not fresh:
            return 0
        data = dump_lines(fresh)
        self._size = None  # until it is certain that all of it is on disk
        append_to(self._filesystem, self.path, data, sync=True)
        if self._filesystem.read(self.path, limit=len(data) + 1, start=size) != data:
            raise OSError(errno.EIO, "what was read back is not what was written")
        if not certain or size == 0:
            self._filesystem.sync_folder(self.path.parent)
        self._size, self._last = size + len(data), fresh[-1]["seq"]
        return len(fresh)

    def _recover(self, rows: Sequence[Mapping[str, Any]], size: int) -> int:
        """Cut off what may not have reached the disk whole; all that it was is in the outbox.

        Lines before the outbox were confirmed. What follows the last of them was written by a
        process that died, or by a write that failed: after a failed sync nothing about it is known.
        """
        make_folders(self._filesystem, self.path.parent)
        later = self._confirmed_later(rows) if size else None
        if later is not None:
            if size > later.end:
                self._keep_torn(later.end, size, rows)
                self._filesystem.truncate(self.path, later.end)
            self._last = later.seq
            return later.end
        earlier = backwards(self._filesystem, self.path) if size else iter(())
        before = next((line for line in earlier if line.seq < rows[0]["seq"]), None)
        end = 0 if before is None else before.end
        if size > end:
            self._keep_torn(end, size, rows)
            self._filesystem.truncate(self.path, end)
        if before is None and self._last_rotated is None:
            self._last_rotated = self._files.last_numbered()
        self._last = (self._last_rotated or 0) if before is None else before.seq
        return end

    def _confirmed_later(self, rows: Sequence[Mapping[str, Any]]) -> Line | None:
        """Return the last line if the outbox is that of an older document, put back by somebody.

        Then all of it is here, and what came after it was confirmed long ago.
        """
        last, missing = None, {row["seq"] for row in rows}
        for line in backwards(self._filesystem, self.path):
            last = last or line
            if last.seq <= rows[-1]["seq"] or line.seq < rows[0]["seq"]:
                break
            missing.discard(line.seq)
        return None if missing else last

    def _keep_torn(self, start: int, size: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Copy what is cut off, unless it is just the beginning of what will be written again."""
        torn = self._filesystem.read(self.path, limit=size - start, start=start)
        if dump_lines(rows).startswith(torn):
            return
        kept = self.path.with_name(f"{self.path.name}.torn-{start}-{self._pid}")
        write_copy(self._filesystem, free_name(self._filesystem, kept), torn)

    def _rotate(self) -> int:
        self._last_rotated = None  # until it is certain that the file has its number
        self._files.rotate()
        self._size, self._last_rotated = None, self._last
        return 0
