"""What is on a disk: what processes see, and what of it would survive a power loss now.

Data and names are kept apart, as file systems do: syncing a file saves its bytes and not its name,
syncing a folder saves the names in it and not their bytes. `FakeDisk` puts a process in front.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final, Literal, NamedTuple

from tradenb.testing.world.injected_faults import refused

BLOCK: Final = 512
Survival = Literal["lost", "kept"] | random.Random


class Write(NamedTuple):
    """Bytes written at an offset, or the file cut off there (then data is None)."""

    offset: int
    data: bytes | None


class Node:
    """A file or folder, apart from its names.

    Attributes
    ----------
    data : bytearray
        As processes see it.
    durable : bytes
        As it was when it was synced last.
    writes : list of Write
        What was done to it since.
    """

    def __init__(self, *, folder: bool = False) -> None:
        self.folder = folder
        self.data = bytearray()
        self.durable = b""
        self.writes: list[Write] = []

    def write(self, offset: int, data: bytes) -> None:
        """Write bytes at an offset."""
        self._apply(self.data, Write(offset, data))
        self.writes.append(Write(offset, data))

    def cut(self, size: int) -> None:
        """Cut the file off."""
        self._apply(self.data, Write(size, None))
        self.writes.append(Write(size, None))

    def sync(self) -> None:
        """Make what processes see survive."""
        self.durable, self.writes = bytes(self.data), []

    def copy(self) -> Node:
        """Return another node that is like this one."""
        found = Node(folder=self.folder)
        found.data, found.durable = bytearray(self.data), self.durable
        found.writes = list(self.writes)
        return found

    def lose_power(self, survival: Survival) -> None:
        """Leave of the unsynced writes nothing, everything, or some blocks of some of them."""
        left = bytearray(self.durable)
        for write in self.writes if survival != "lost" else ():
            if isinstance(survival, random.Random):
                self._apply_torn(left, write, survival)
            else:
                self._apply(left, write)
        self.data = left
        self.sync()

    @staticmethod
    def _apply(data: bytearray, write: Write) -> None:
        if write.data is None:
            del data[write.offset :]
            return
        data.extend(bytes(max(0, write.offset - len(data))))
        data[write.offset : write.offset + len(write.data)] = write.data

    def _apply_torn(self, data: bytearray, write: Write, chance: random.Random) -> None:
        fate = chance.random()
        if fate < 0.25:
            return
        if fate < 0.5 or write.data is None:
            self._apply(data, write)
            return
        for start in range(0, len(write.data), BLOCK):
            if chance.random() < 0.5:
                piece = write.data[start : start + BLOCK]
                cut = len(piece) if chance.random() < 0.5 else chance.randrange(len(piece) + 1)
                self._apply(data, Write(write.offset + start, piece[:cut]))


class Edit(NamedTuple):
    """Names that one operation changed, all or none, and their folders; None takes a name away.

    Folders are strings: a journal of a thousand changes is searched at each sync, and paths are
    slow to compare.
    """

    changes: tuple[tuple[Path, Node | None], ...]
    folders: frozenset[str]

    @classmethod
    def of(cls, changes: Iterable[tuple[Path, Node | None]]) -> Edit:
        """Return the edit of these changes."""
        changes = tuple(changes)
        return cls(changes, frozenset(str(path).rpartition("/")[0] or "/" for path, _ in changes))


class DiskContents:
    """The names of a disk.

    Attributes
    ----------
    names : dict of Path to Node
        As processes see them.
    durable : dict of Path to Node
        Those that were synced.
    """

    def __init__(self) -> None:
        root = Node(folder=True)
        self.names: dict[Path, Node] = {Path("/"): root}
        self.durable: dict[Path, Node] = {Path("/"): root}
        # A journal of thousands of changes is asked at each sync: the numbers of those of a folder.
        self._pending: dict[int, Edit] = {}
        self._unsynced: dict[str, list[int]] = {}
        self._edits = 0
        self._inside: dict[str, list[Path]] = {}

    @property
    def pending(self) -> list[Edit]:
        """What changed since the names were synced, oldest first."""
        return list(self._pending.values())

    def change(self, *changes: tuple[Path, Node | None]) -> None:
        """Change names in one step."""
        edit = Edit.of(changes)
        _apply(self.names, edit)
        self._add(edit)
        for folder in edit.folders:
            self._inside.pop(folder, None)

    def _add(self, edit: Edit) -> None:
        self._edits += 1
        self._pending[self._edits] = edit
        for folder in edit.folders:
            self._unsynced.setdefault(folder, []).append(self._edits)

    def sync_folder(self, folder: Path) -> None:
        """Make the names in a folder survive."""
        for number in self._unsynced.pop(str(folder), ()):
            edit = self._pending.pop(number, None)  # None: synced with its other folder
            if edit is not None:
                _apply(self.durable, edit)

    def plant(self, path: Path, data: bytes) -> None:
        """Put a file there that survives."""
        for above in path.parents:
            self.names.setdefault(above, Node(folder=True))
        node = self.names[path] = Node()
        node.write(0, data)
        self._sync()

    def remove(self, path: Path) -> None:
        """Take a file or a folder away for good, with all that is in it."""
        for name in [name for name in self.names if path in (name, *name.parents)]:
            del self.names[name]
        self._sync()

    def _sync(self) -> None:
        for node in self.names.values():
            node.sync()
        self.durable = dict(self.names)
        self._settle()

    def _settle(self) -> None:
        """Know that all names are durable, whatever they are now."""
        self._pending, self._unsynced, self._inside = {}, {}, {}

    def lose_power(self, metadata: int | Collection[int], data: Survival) -> None:
        """Leave what was synced, and of the rest what is chosen; see `FakeDisk.power_loss`."""
        chosen = range(metadata) if isinstance(metadata, int) else sorted(metadata)
        pending = self.pending
        for number in chosen:
            _apply(self.durable, pending[number])
        self._settle()
        self.names = {}
        for path in sorted(self.durable):  # a folder comes before what is in it
            if path.parent in self.names or path == path.parent:
                self.names[path] = self.durable[path]
        for node in {id(node): node for node in self.names.values()}.values():
            node.lose_power(data)
        self.durable = dict(self.names)

    def copy(self) -> DiskContents:
        """Return a disk of its own with the same names and bytes."""
        found = DiskContents()
        made: dict[int, Node] = {}

        def twin(node: Node) -> Node:
            if id(node) not in made:
                made[id(node)] = node.copy()
            return made[id(node)]

        found.names = {path: twin(node) for path, node in self.names.items()}
        found.durable = {path: twin(node) for path, node in self.durable.items()}
        for edit in self.pending:
            found._add(Edit.of((path, node and twin(node)) for path, node in edit.changes))
        return found

    def file(self, path: Path) -> Node:
        """Return a file."""
        node = self.names.get(path)
        if node is None:
            raise refused(errno.ENOENT, path)
        if node.folder:
            raise refused(errno.EINVAL, path)
        return node

    def folder(self, path: Path) -> Node:
        """Return a folder."""
        node = self.names.get(path)
        if node is None:
            raise refused(errno.ENOENT, path)
        if not node.folder:
            raise refused(errno.ENOTDIR, path)
        return node

    def new(self, path: Path, *, folder: bool = False) -> Node:
        """Make a file or folder under a free name."""
        if path in self.names:
            raise refused(errno.EEXIST, path)
        self.folder(path.parent)
        node = Node(folder=folder)
        self.change((path, node))
        return node

    def there(self, path: Path) -> Node:
        """Return a file, made where it is missing."""
        return self.file(path) if path in self.names else self.new(path)

    def inside(self, folder: Path) -> list[Path]:
        """Return what is directly in a folder, sorted."""
        own = str(folder)
        if own not in self._inside:
            above = own.rstrip("/") + "/"
            below = ((path, str(path)) for path in self.names)
            self._inside[own] = sorted(
                path
                for path, name in below
                if name.startswith(above) and name != above and "/" not in name[len(above) :]
            )
        return self._inside[own]


def _apply(names: dict[Path, Node], edit: Edit) -> None:
    for path, node in edit.changes:
        if node is None:
            names.pop(path, None)
        else:
            names[path] = node
