"""The files of one journal together: the numbered ones, oldest first, then the one that grows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

from tradenb.store.filesystem import Filesystem
from tradenb.store.journal.lines import Line, backwards, forwards
from tradenb.store.journal.picking import Picking

ROTATE_BYTES: Final = 8 << 20
"""A file of this size is continued in a new one."""
_TRIES: Final = 5
T = TypeVar("T")


class JournalFiles:
    """Reads a journal, also while its run goes on; needs no lock."""

    def __init__(self, filesystem: Filesystem, path: Path) -> None:
        self.path = path
        self._filesystem = filesystem

    def numbers(self) -> list[int]:
        """Return the numbers of the files that are continued in a later one."""
        prefix = f"{self.path.name}."
        try:
            names = self._filesystem.names(self.path.parent)
        except FileNotFoundError:
            return []
        endings = (name.removeprefix(prefix) for name in names if name.startswith(prefix))
        return sorted(int(ending) for ending in endings if ending.isascii() and ending.isdigit())

    def numbered(self, number: int) -> Path:
        """Return the name of a file that is continued in a later one."""
        return self.path.with_name(f"{self.path.name}.{number}")

    def all_numbered(self) -> list[Path]:
        """Return the files that are continued in a later one, oldest first."""
        return [self.numbered(number) for number in self.numbers()]

    def rotate(self) -> None:
        """Give the file that grows the next number."""
        number = max(self.numbers(), default=0) + 1
        self._filesystem.replace(self.path, self.numbered(number))
        # Else the new file could take the name on disk before the old one has its number.
        self._filesystem.sync_folder(self.path.parent)

    def last_numbered(self) -> int:
        """Return the number of the last event in the numbered files, 0 if there is none."""
        line = next(self._backwards(self.all_numbered()), None)
        return 0 if line is None else line.seq

    def read(self, since_seq: int, limit: int | None) -> list[dict[str, Any]]:
        """Return the events after a number, oldest first."""

        def collect(files: list[Path]) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = []
            last = since_seq
            for line in self._forwards(files, since_seq):
                if limit is not None and len(found) >= limit:
                    break
                if line.seq > last:
                    last = line.seq
                    found.append(line.row)
            return found

        return self.steadily(collect)

    def tail(self, n: int) -> list[dict[str, Any]]:
        """Return the last events, oldest first."""

        def collect(files: list[Path]) -> list[dict[str, Any]]:
            found: dict[int, dict[str, Any]] = {}
            for line in self._backwards(files):
                if len(found) >= n:
                    break
                found.setdefault(line.seq, line.row)
            return [found[seq] for seq in sorted(found)]

        return self.steadily(collect)

    def pick(
        self, kinds: Iterable[str], collect: Callable[[Picking], T], newest_of: Iterable[str] = ()
    ) -> T:
        """Return what is made of the lines of some kinds; see `Picking`."""
        wanted, newest = frozenset(kinds), frozenset(newest_of)
        return self.steadily(
            lambda files: collect(Picking(self._filesystem, files, wanted, newest))
        )

    def _files(self) -> list[Path]:
        files = self.all_numbered()
        return [*files, self.path] if self._filesystem.exists(self.path) else files

    def steadily(self, collect: Callable[[list[Path]], T]) -> T:
        """Return what is made of the files; once more if one got its number meanwhile."""
        for _ in range(_TRIES):
            files = self._files()
            try:
                found = collect(files)
            except FileNotFoundError:
                continue
            if self._files() == files:
                return found
        return collect(self._files())

    def _forwards(self, files: list[Path], since_seq: int) -> Iterator[Line]:
        """Read from the file that holds the first event after a number."""
        first = len(files)
        while first > 0:
            first -= 1
            line = next(forwards(self._filesystem, files[first]), None)
            if line is not None and line.seq <= since_seq + 1:
                break
        for path in files[first:]:
            yield from forwards(self._filesystem, path)

    def _backwards(self, files: list[Path]) -> Iterator[Line]:
        for path in reversed(files):
            yield from backwards(self._filesystem, path)
