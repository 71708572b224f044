"""`Picking`: the lines of some kinds of events, without reading any line as JSON.

A report needs every close of a run and of all else only the count. What a journal holds was written
by `Journal.append`, so a line that begins as it writes them tells its number and kind without a
parser. A stretch in which any line looks otherwise is read with the parser, as `lines.py` does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tradenb.store.filesystem import Filesystem
from tradenb.store.journal.lines import row_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STRETCH: Final = 1 << 20
# No line is longer; a file without line ends is not read into memory as a whole.
_LONGEST: Final = 1 << 24
# So few lines are read with the parser if any of them looks otherwise.
_FEW: Final = 8
_HEAD: Final = b'{"seq":'
_KIND: Final = b'"kind":"'
_WORD: Final = 8
_SEQ: Final = re.compile(rb'\{"seq":([1-9]\d{0,17}),')


Lines = dict[str, list[bytes]]
"""Lines without their ends, by the kind of their event; in their order within a kind."""


class Picking:
    """The lines of some kinds in some files, oldest first, a stretch at a time; each event once.

    Parameters
    ----------
    newest_of : iterable of str
        Kinds of which each stretch gives the newest line alone.

    Attributes
    ----------
    count : int
        How many events of any kind were passed so far.
    counts : Counter
        How many of each of the kinds.
    """

    def __init__(
        self,
        filesystem: Filesystem,
        files: Sequence[Path],
        kinds: Iterable[str],
        newest_of: Iterable[str] = (),
    ) -> None:
        self.count = 0
        self.counts: Counter[str] = Counter()
        self._newest_of = frozenset(newest_of)
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
        return {kind: self._lines(table, kind, kind_at + len(_KIND)) for kind in self._kinds}

    def _lines(self, table: _Table, kind: str, place: int) -> list[bytes]:
        """Count the lines of a kind, and return those that are wanted."""
        wanted = table.has(self._kinds[kind], place).nonzero()[0]
        self.counts[kind] += len(wanted)
        return table.lines(wanted[-1:] if kind in self._newest_of else wanted)

    def _parsed(self, stretch: bytes) -> Lines:
        found: Lines = {kind: [] for kind in self._kinds}
        for line in stretch.split(b"\n"):
            row = row_of(line)
            if row is None or row["seq"] <= self._last:
                continue
            self._last = row["seq"]
            self.count += 1
            kind = row.get("kind")
            if kind in found:
                self.counts[kind] += 1
                found[kind] = [*(() if kind in self._newest_of else found[kind]), line]
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
        self._fits = bool((self._ends - self._begins).min() >= room + _WORD)
        # The eight bytes from each place on as one number: compared at once.
        places = max(len(stretch) - _WORD + 1, 0)
        self._words = np.ndarray((places,), "<u8", stretch, strides=(1,))
        self._columns: dict[int, NDArray[np.uint64]] = {}

    def has(self, text: bytes, place: int) -> NDArray[np.bool_]:
        """Tell which lines have a text at a place."""
        import numpy as np

        there = np.full(len(self._begins), self._fits)
        for at in range(0, len(text) if self._fits else 0, _WORD):
            part = text[at : at + _WORD]
            mask = np.uint64((1 << 8 * len(part)) - 1)
            there &= self._column(place + at) & mask == int.from_bytes(part, "little")
        return there

    def _column(self, place: int) -> NDArray[np.uint64]:
        """Return the eight bytes that each line has from a place on."""
        if place not in self._columns:
            self._columns[place] = self._words[self._begins + place]
        return self._columns[place]

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

    def lines(self, wanted: NDArray[np.int64]) -> list[bytes]:
        """Return some lines, by their places."""
        begins, ends = self._begins[wanted].tolist(), self._ends[wanted].tolist()
        return [self._stretch[begin:end] for begin, end in zip(begins, ends, strict=True)]
