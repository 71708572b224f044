"""The rows of one journal file, read forwards and backwards; other lines are skipped.

A row is a line that ends, is JSON, and has a `seq`. A reader may meet a line that is being written.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from tradenb.store.codec import Damaged, parse
from tradenb.store.filesystem import Filesystem

CHUNK: Final = 1 << 16
# No line is longer; a file without line ends is not read into memory as a whole.
_LONGEST: Final = 1 << 24


class Line(NamedTuple):
    """A row, its number, and the offset of the byte after it."""

    seq: int
    row: dict[str, Any]
    end: int


def forwards(filesystem: Filesystem, path: Path) -> Iterator[Line]:
    """Read the rows of a file from its beginning."""
    for line, end in whole_lines(filesystem, path):
        found = _line(line, end)
        if found is not None:
            yield found


def whole_lines(filesystem: Filesystem, path: Path) -> Iterator[tuple[bytes, int]]:
    """Read the lines of a file that end, and the offset of the byte after each."""
    start, rest = 0, b""
    while True:
        piece = filesystem.read(path, limit=CHUNK, start=start + len(rest))
        *lines, rest_after = (rest + piece).split(b"\n")
        for line in lines:
            start += len(line) + 1
            yield line, start
        rest = rest_after
        if not piece or len(rest) > _LONGEST:
            return


def backwards(filesystem: Filesystem, path: Path) -> Iterator[Line]:
    """Read the rows of a file from its end."""
    start = filesystem.size(path)
    rest = b""  # the beginning of what was read, perhaps without the beginning of its line
    while start > 0 and len(rest) <= _LONGEST:
        size = min(CHUNK, start)
        start -= size
        rest = filesystem.read(path, limit=size, start=start) + rest
        head, *lines = rest.split(b"\n")
        end = start + len(rest)
        # The last piece follows the last line end: nothing, or a line that is torn.
        if lines:
            end -= len(lines[-1])
            lines = lines[:-1]
        else:
            continue
        for line in reversed(lines):
            found = _line(line, end)
            if found is not None:
                yield found
            end -= len(line) + 1
        rest = head + b"\n"
    if rest.endswith(b"\n"):
        found = _line(rest[:-1], start + len(rest))
        if found is not None:
            yield found


def row_of(line: bytes) -> dict[str, Any] | None:
    """Return the row of a line, or None if it is none."""
    if not line.startswith(b"{"):
        return None
    try:
        row = parse(line)
    except Damaged:
        return None
    return row if isinstance(row, dict) and type(row.get("seq")) is int else None


def _line(line: bytes, end: int) -> Line | None:
    row = row_of(line)
    return None if row is None else Line(row["seq"], row, end)
