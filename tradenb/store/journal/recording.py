"""`Recording`: what a run went through, a line each, for `tn.parity` (decision 43 in docs/adr).

    [open time, open, high, low, close, volume]           a candle, before it was consumed
    [open time, open, high, low, close, volume, as of]    one of the history, as loaded at a start
    {"begun": ...}  {"command": ...}  {"left_out": ...}   code and rules, requests, asks left out

Nothing in a run depends on it: it is no part of the commit, it is synced with events and commands
only, and a line that is torn or lacks something is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tradenb.store.aside import set_aside
from tradenb.store.codec import Damaged, dump_lines, parse
from tradenb.store.filesystem import Filesystem, append_to, make_folders, size_of
from tradenb.store.journal.lines import whole_lines

_TAIL_BYTES: Final = 1 << 16


class Recording:
    """The record of one run. Reading needs no lock, appending has the run's.

    Parameters
    ----------
    path : Path
        `Home.recording(key)`.
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
        size = size_of(self._filesystem, self.path)
        self._is_named = self._is_named and size >= 0
        data = dump_lines(lines)
        if size != self._size and size > 0 and not self._ends_a_line(size):
            data = b"\n" + data
        self._size = None
        if size < 0:
            make_folders(self._filesystem, self.path.parent)
        append_to(self._filesystem, self.path, data, sync=sync)
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
            if _is_candle(found) or (isinstance(found, dict) and _is_whole(found)):
                yield found

    def newest_candles(self) -> list[list[Any]]:
        """Return the candles at the end of the record, in order; it is read no further back."""
        size = max(size_of(self._filesystem, self.path), 0)
        start = max(0, size - _TAIL_BYTES)
        lines = self._filesystem.read(self.path, limit=_TAIL_BYTES, start=start).split(b"\n")
        found = {}
        for line in lines[1 if start else 0 : -1]:
            try:
                row = parse(line)
            except Damaged:
                continue  # torn
            if _is_candle(row):
                found[row[0]] = row[:6]
        return [found[at] for at in sorted(found)]

    def set_aside(self, ending: str) -> None:
        """Move the file aside, so that a new one begins; see `aside.set_aside`."""
        set_aside(self._filesystem, self.path, ending)
        self._size, self._is_named = None, False

    def _ends_a_line(self, size: int) -> bool:
        return self._filesystem.read(self.path, limit=1, start=size - 1) == b"\n"


def _is_before(line: bytes, since: int) -> bool:
    """Tell whether a candle opens before a moment, by the beginning of its line."""
    head = line[:24].split(b",", 1)[0]
    return head[:1] == b"[" and head[1:].isdigit() and int(head[1:]) < since


def _is_whole(found: dict[str, Any]) -> bool:
    """Tell whether a line has what its readers need; a start always has code and rules."""
    return "begun" not in found or (
        type(found["begun"]) is int
        and type(found.get("start")) is int
        and isinstance(found.get("code"), str)
        and isinstance(found.get("rules"), dict)
    )


def _is_candle(found: object) -> bool:
    return (
        isinstance(found, list)
        and len(found) in (6, 7)
        and type(found[0]) is int
        and all(type(value) in (int, float) for value in found[1:])
    )
