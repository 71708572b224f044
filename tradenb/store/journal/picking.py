"""`Picking`: the lines of some kinds of events, without reading any line as JSON.

A report needs every close of a run and of all else only the count. What a journal holds was written
by `Journal.append`, so a line that begins as it writes them tells its number and kind without a
parser. A stretch in which any line looks otherwise is read with the parser, as `lines.py` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tradenb.store.filesystem import Filesystem
from tradenb.store.journal.lines import row_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STRETCH: Final = 1 << 19
# No line is longer; a file without line ends is not read into memory as a whole.
_LONGEST: Final = 1 << 24
# So few lines are read with the parser if any of them looks otherwise.
_FEW: Final = 8
_HEAD: Final = b'{"seq":'
_KIND: Final = b'"kind":"'
_SEQ: Final = re.compile(rb'\{"seq":([1-9]\d{0,17}),')


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
        self._kinds = {kind: f'{kind}"'.encode() for kind in kinds}
        self._last = 0

    def __iter__(self) -> Iterator[Lines]:
        """Yield the lines of each stretch."""
        for path in self._files:
            for stretch in self._stretches(path):
                yield self._found(stretch)

    def _stretches(self, path: Path) -> Iterator[bytes]:
        """Read a file in stretches that end with a line; a line without an end is left out."""
        start, rest = 0, b""
        while piece := self._filesystem.read(path, limit=STRETCH, start=start):
            start += len(piece)
            whole, end, rest_after = (rest + piece if rest else piece).rpartition(b"\n")
            if end:
                yield whole
            rest = rest_after
            if len(rest) > _LONGEST:
                return

    def _found(self, stretch: bytes) -> Lines:
        """Find the lines of the kinds; only those around one that looks otherwise are parsed."""
        plain = self._plain(stretch)
        if plain is not None:
            return plain
        middle = stretch.find(b"\n", len(stretch) // 2)
        if middle < 0 or stretch.count(b"\n") < _FEW:
            return self._parsed(stretch)
        found = self._found(stretch[:middle])
        for kind, lines in self._found(stretch[middle + 1 :]).items():
            found[kind] += lines
        return found

    def _plain(self, stretch: bytes) -> Lines | None:
        """Find the lines if all look as they are written, with numbers that rise; else None."""
        first, kind_at = _SEQ.match(stretch), stretch.find(_KIND)
        if first is None or kind_at < 0:
            return None
        table = _Table(stretch, kind_at + len(_KIND) + max(map(len, self._kinds.values())))
        digits = len(first[1])
        if not (table.has(_HEAD, 0).all() and table.has(_KIND, kind_at).all()):
            return None
        if not table.has(b",", len(_HEAD) + digits).all():
            return None
        numbers = table.numbers(len(_HEAD), digits)
        if numbers is None or numbers[0] <= self._last or (numbers[1:] <= numbers[:-1]).any():
            return None  # repeated, or out of order
        self._last = int(numbers[-1])
        self.count += len(numbers)
        found = {kind: table.has(name, kind_at + len(_KIND)) for kind, name in self._kinds.items()}
        return {kind: table.lines(there) for kind, there in found.items()}

    def _parsed(self, stretch: bytes) -> Lines:
        found: Lines = {kind: [] for kind in self._kinds}
        for line in stretch.split(b"\n"):
            row = row_of(line)
            if row is None or row["seq"] <= self._last:
                continue
            self._last = row["seq"]
            self.count += 1
            if row.get("kind") in found:
                found[row["kind"]].append(line)
        return found


class _Table:
    """The lines of a stretch as columns of bytes, counted from the beginning of each.

    Lines that are shorter than `room` have no column: then `has` and `numbers` find nothing.
    """

    def __init__(self, stretch: bytes, room: int) -> None:
        import numpy as np

        self._stretch = stretch
        self._bytes = np.frombuffer(stretch, np.uint8)
        self._ends = np.append(np.flatnonzero(self._bytes == ord("\n")), len(stretch))
        self._begins = np.append(0, self._ends[:-1] + 1)
        self._fits = bool((self._ends - self._begins).min() >= room)

    def has(self, text: bytes, place: int) -> NDArray[np.bool_]:
        """Tell which lines have a text at a place."""
        import numpy as np

        there = np.full(len(self._begins), self._fits)
        for at, byte in enumerate(text if self._fits else b"", place):
            there &= self._bytes[self._begins + at] == byte
        return there

    def numbers(self, place: int, digits: int) -> NDArray[np.int64] | None:
        """Return the number that each line has at a place; None if one of them has none."""
        import numpy as np

        found = np.zeros(len(self._begins), np.int64)
        for at in range(place, place + digits):
            digit = self._bytes[self._begins + at] - ord("0")  # anything else is above 9
            if (digit > 9).any():
                return None
            found = found * 10 + digit
        return found

    def lines(self, wanted: NDArray[np.bool_]) -> list[bytes]:
        """Return some lines."""
        begins, ends = self._begins[wanted].tolist(), self._ends[wanted].tolist()
        return [self._stretch[begin:end] for begin, end in zip(begins, ends, strict=True)]
