"""`Picking`: the lines of some kinds of events, without reading any line as JSON.

A report needs every close of a run and of all else only the count. What a journal holds was written
by `Journal.append`, so a line that begins as it writes them tells its number and kind without a
parser. A stretch in which any line looks otherwise is read with the parser, as `lines.py` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from tradenb.store.filesystem import Filesystem
from tradenb.store.journal.lines import row_of

STRETCH: Final = 1 << 23
# No line is longer; a file without line ends is not read into memory as a whole.
_LONGEST: Final = 1 << 24
_HEAD: Final = b'{"seq":'
_KIND: Final = b'"kind":"'
_SEQ: Final = re.compile(rb'\{"seq":(\d{1,18}),')


Lines = dict[str, list[bytes]]
"""Lines without their ends, by the kind of their event; in their order within a kind."""


class Picking:
    """The lines of some kinds in some files, oldest first, a stretch at a time; each event once.

    Attributes
    ----------
    count : int
        How many events of any kind were passed so far.
    """

    def __init__(self, filesystem: Filesystem, files: Sequence[Path], kinds: Iterable[str]) -> None:
        self.count = 0
        self._filesystem = filesystem
        self._files = files
        # A quote within a text of JSON is escaped, so this is never found inside of one.
        self._marks = {kind: f'"kind":"{kind}"'.encode() for kind in kinds}
        self._last = 0

    def __iter__(self) -> Iterator[Lines]:
        """Yield the lines of each stretch."""
        for path in self._files:
            for stretch in self._stretches(path):
                yield self._found(stretch) if self._is_plain(stretch) else self._parsed(stretch)

    def _stretches(self, path: Path) -> Iterator[bytes]:
        """Read a file in stretches that end with a line; a line without an end is left out."""
        start, rest = 0, b""
        while piece := self._filesystem.read(path, limit=STRETCH, start=start):
            start += len(piece)
            whole, end, rest_after = (rest + piece).rpartition(b"\n")
            if end:
                yield whole + end
            rest = rest_after
            if len(rest) > _LONGEST:
                return

    def _is_plain(self, stretch: bytes) -> bool:
        """Tell whether all lines look as they are written, with numbers that go on; count them."""
        lines = stretch.count(b"\n")
        heads = stretch.startswith(_HEAD) + stretch.count(b"\n" + _HEAD)
        first = _SEQ.match(stretch)
        last = _SEQ.match(stretch, stretch.rfind(b"\n", 0, -1) + 1)
        if not heads == stretch.count(_KIND) == lines or first is None or last is None:
            return False
        begin, end = int(first[1]), int(last[1])
        if begin <= self._last or end - begin + 1 < lines:
            return False  # repeated, or out of order
        self._last = end
        self.count += lines
        return True

    def _found(self, stretch: bytes) -> Lines:
        found: Lines = {}
        for kind, mark in self._marks.items():
            lines = found[kind] = []
            at = stretch.find(mark)
            while at >= 0:
                end = stretch.find(b"\n", at)
                lines.append(stretch[stretch.rfind(b"\n", 0, at) + 1 : end])
                at = stretch.find(mark, end)
        return found

    def _parsed(self, stretch: bytes) -> Lines:
        found: Lines = {kind: [] for kind in self._marks}
        for line in stretch.split(b"\n"):
            row = row_of(line)
            if row is None or row["seq"] <= self._last:
                continue
            self._last = row["seq"]
            self.count += 1
            if row.get("kind") in found:
                found[row["kind"]].append(line)
        return found
