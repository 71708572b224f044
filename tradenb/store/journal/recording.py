"""`LivedFile`: what a run went through, a line each, only ever appended to.

    [open time, open, high, low, close, volume]           a candle, before it was consumed
    [open time, open, high, low, close, volume, as of]    one of the history, as loaded at a start
    {"begun": ...}  {"command": ...}  {"left_out": ...}   code and rules, requests, asks left out

For comparing a run with its backtest later (`tn.parity`). Nothing in a run depends on it: it is no
part of the commit, it is synced with the events only, and a line that is torn is passed over.
Decision 43 in docs/adr.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tradenb.errors import StateError
from tradenb.store.atomic import free_name, make_folders
from tradenb.store.filesystem import Filesystem
from tradenb.store.journal.lines import whole_lines
from tradenb.store.strict_json import Damaged, dump, parse


class LivedFile:
    """The record of one run. Reading needs no lock, appending has the run's.

    Parameters
    ----------
    filesystem : Filesystem
    path : Path
        `Home.lived(key)`.
    """

    def __init__(self, filesystem: Filesystem, path: Path) -> None:
        self.path = path
        self._filesystem = filesystem
        # The size after the last append; None where it may end within a line.
        self._size: int | None = None
        self._is_named = False

    def append(self, lines: Sequence[object], *, sync: bool) -> None:
        """Write lines; with `sync` they and those before them survive a power loss.

        Raises
        ------
        OSError
            When they could not be written, or only in part.
        """
        size = self._size_on_disk()
        self._is_named = self._is_named and size >= 0
        data = b"".join(dump(line) + b"\n" for line in lines)
        if size != self._size and size > 0 and not self._ends_a_line(size):
            data = b"\n" + data
        self._size = None
        if size < 0:
            make_folders(self._filesystem, self.path.parent)
        handle = self._filesystem.append(self.path)
        try:
            self._filesystem.write(handle, data)
            if sync:
                self._filesystem.sync(handle)
        finally:
            self._filesystem.close(handle)
        if sync and not self._is_named:
            self._filesystem.sync_folder(self.path.parent)
            self._is_named = True
        self._size = max(size, 0) + len(data)

    def read(self, since: int = 0) -> Iterator[list[Any] | dict[str, Any]]:
        """Read the lines in order; candles that open before `since` (ms UTC) are passed over.

        Raises
        ------
        OSError
            When the file is there and cannot be read.
        """
        if not self._filesystem.exists(self.path):
            return
        for line, _ in whole_lines(self._filesystem, self.path):
            if since and _is_before(line, since):
                continue
            try:
                found = parse(line)
            except Damaged:
                continue  # torn
            if isinstance(found, dict) or _is_candle(found):
                yield found

    def set_aside(self, ending: str) -> None:
        """Give the file a name that nobody reads, so that a new one begins; nothing is lost.

        Raises
        ------
        StateError
            When that is not possible.
        """
        try:
            if self._filesystem.exists(self.path):
                aside = self.path.with_name(f"{self.path.name}.{ending}")
                self._filesystem.replace(self.path, free_name(self._filesystem, aside))
        except OSError as error:
            words = f"{self.path} cannot be set aside ({error.strerror or error})"
            raise StateError(f"{words}; mend the disk, or choose another home") from error
        self._size, self._is_named = None, False

    def _size_on_disk(self) -> int:
        """Return the size of the file, -1 if there is none."""
        try:
            return self._filesystem.size(self.path)
        except FileNotFoundError:
            return -1

    def _ends_a_line(self, size: int) -> bool:
        return self._filesystem.read(self.path, limit=1, start=size - 1) == b"\n"


def _is_before(line: bytes, since: int) -> bool:
    """Tell whether a candle opens before a moment, by the beginning of its line."""
    head = line[:24].split(b",", 1)[0]
    return head[:1] == b"[" and head[1:].isdigit() and int(head[1:]) < since


def _is_candle(found: object) -> bool:
    return (
        isinstance(found, list)
        and len(found) in (6, 7)
        and type(found[0]) is int
        and all(type(value) in (int, float) for value in found[1:])
    )
