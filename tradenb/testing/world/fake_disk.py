"""`FakeDisk`: a disk in memory that fails, dies and loses power where you say.

It stands wherever tradenb takes a `filesystem`. At any operation it can raise an error, or `Crash`:
then the process is dead until `restart`, and `power_loss` says what of the unsynced rest is kept.

>>> from pathlib import Path
>>> disk = FakeDisk()
>>> disk.make_folder(Path("/disk"))
>>> disk.crash(at=1)  # the second operation from here is never begun
>>> try:
...     handle = disk.create(Path("/disk/a"))
...     disk.write(handle, b"bytes")
... except Crash:
...     disk.restart()
>>> disk.files()  # the kernel's cache survives the death of a process
{PosixPath('/disk/a'): b'by'}
>>> disk.power_loss()  # and this is what is left when the power goes as well
>>> disk.files()
{}
"""

from __future__ import annotations

import errno
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from tradenb.testing.world.disk_contents import DiskContents, Edit, Node, Survival
from tradenb.testing.world.injected_faults import Crash, FaultInjector, Operation, refused

__all__ = ["Crash", "FakeDisk", "Operation"]


class _Open(NamedTuple):
    node: Node
    path: Path


class FakeDisk(FaultInjector):
    """A disk in memory, with a page cache and faults.

    Parameters
    ----------
    links : bool
        Whether the file system has hard links.

    Examples
    --------
    >>> from pathlib import Path
    >>> disk = FakeDisk()
    >>> disk.make_folder(Path("/disk"))
    >>> handle = disk.create(Path("/disk/a"))
    >>> disk.write(handle, b"never synced")
    >>> disk.power_loss()
    >>> disk.files()
    {}
    """

    def __init__(self, *, links: bool = True) -> None:
        super().__init__()
        self._links = links
        self._contents = DiskContents()
        self._handles: dict[int, _Open] = {}
        self._locked: dict[int, Node] = {}
        self._next_handle = 3
        self.synced: set[Path] = set()

    def __repr__(self) -> str:
        sizes = [len(data) for data in self.files().values()]
        return f"<FakeDisk: {len(sizes):,} files, {sum(sizes):,} bytes>"

    # --- what a test says

    @property
    def pending(self) -> tuple[Edit, ...]:
        """Changes of names that no sync has made durable yet, oldest first."""
        return tuple(self._contents.pending)

    def restart(self) -> None:
        """Begin a new process: handles and locks are gone, what was written is there."""
        self.heal()
        self._dead = False
        self._handles.clear()
        self._locked.clear()
        self.synced = set()

    def power_loss(self, metadata: int | Collection[int] = 0, data: Survival = "lost") -> None:
        """Lose what was not synced, but for what is said here; then a new process begins.

        Parameters
        ----------
        metadata : int or collection of int
            How many of the `pending` changes of names survive, in order; or which of them.
        data : {"lost", "kept"} or random.Random
            What becomes of bytes that were written and not synced; a Random tears them.
        """
        self._contents.lose_power(metadata, data)
        self.restart()

    def copy(self) -> FakeDisk:
        """Return a disk of its own with the same content, as a new process finds it."""
        found = FakeDisk(links=self._links)
        found._contents = self._contents.copy()
        return found

    def plant(self, path: Path, data: bytes) -> None:
        """Put a file there, durably; no operation is counted."""
        self._contents.plant(path, data)

    def remove(self, path: Path) -> None:
        """Take a file, or a folder with all that is in it, away for good; nothing is counted."""
        self._contents.remove(path)

    def files(self) -> dict[Path, bytes]:
        """Return every file as processes see it."""
        names = self._contents.names
        return {path: bytes(names[path].data) for path in sorted(names) if not names[path].folder}

    # --- what the store asks for: `store.filesystem.Filesystem`

    def create(self, path: Path) -> int:
        """Make a file that was not there."""
        return self._step("create", path, lambda: self._open(self._contents.new(path), path))

    def append(self, path: Path) -> int:
        """Open a file for writing at its end."""
        return self._step("append", path, lambda: self._open(self._contents.there(path), path))

    def write(self, handle: int, data: bytes) -> None:
        """Write all of the data; half of it where the space or the process ends."""
        node, path = self._of(handle)
        lies = len(self.operations) in self._lies

        def put(size: int) -> None:
            node.write(len(node.data), data[:size])

        size = len(data) - lies
        self._step("write", path, lambda: put(size), half=lambda: put(len(data) // 2))

    def sync(self, handle: int) -> None:
        """Make the bytes of a file survive a power loss."""
        node, path = self._of(handle)
        self._step("sync", path, node.sync)

    def close(self, handle: int) -> None:
        """Give the handle back."""

        def act() -> None:
            del self._handles[handle]
            self._locked.pop(handle, None)

        self._step("close", self._of(handle).path, act)

    def read(self, path: Path, *, limit: int, start: int = 0) -> bytes:
        """Return at most `limit` bytes from `start`."""
        end = start + limit
        return self._step("read", path, lambda: bytes(self._contents.file(path).data[start:end]))

    def truncate(self, path: Path, size: int) -> None:
        """Cut a file off."""
        self._step("truncate", path, lambda: self._contents.file(path).cut(size))

    def size(self, path: Path) -> int:
        """Return the size of a file."""
        return self._step("size", path, lambda: len(self._contents.file(path).data))

    def exists(self, path: Path) -> bool:
        """Tell whether anything has this name."""
        return self._step("exists", path, lambda: path in self._contents.names)

    def is_file(self, path: Path) -> bool:
        """Tell whether the name leads to a file."""

        def act() -> bool:
            node = self._contents.names.get(path)
            return node is not None and not node.folder

        return self._step("is_file", path, act)

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder."""

        def act() -> list[str]:
            self._contents.folder(folder)
            return [path.name for path in self._contents.inside(folder)]

        return self._step("names", folder, act)

    def link(self, path: Path, target: Path) -> None:
        """Give a file a second name."""

        def act() -> None:
            node = self._contents.file(path)
            if not self._links:
                raise refused(errno.EPERM, target)
            if target in self._contents.names:
                raise refused(errno.EEXIST, target)
            self._contents.folder(target.parent)
            self._contents.change((target, node))

        self._step("link", target, act)

    def replace(self, path: Path, target: Path) -> None:
        """Rename a file; between two names of one file nothing happens, says POSIX."""

        def act() -> None:
            node = self._contents.file(path)
            self._contents.folder(target.parent)
            if self._contents.names.get(target) is not node:
                self._contents.change((path, None), (target, node))

        self._step("replace", target, act)

    def unlink(self, path: Path) -> None:
        """Remove a name."""

        def act() -> None:
            self._contents.file(path)
            self._contents.change((path, None))

        self._step("unlink", path, act)

    def make_folder(self, path: Path) -> None:
        """Make one folder."""
        self._step("make_folder", path, lambda: self._contents.new(path, folder=True))

    def sync_folder(self, path: Path) -> None:
        """Make the names in a folder survive a power loss."""

        def act() -> None:
            self._contents.folder(path)
            self._contents.sync_folder(path)

        self._step("sync_folder", path, act)

    def lock(self, path: Path) -> int:
        """Open and lock a file."""

        def act() -> int:
            node = self._contents.there(path)
            if any(node is held for held in self._locked.values()):
                raise refused(errno.EWOULDBLOCK, path)
            handle = self._open(node, path)
            self._locked[handle] = node
            return handle

        return self._step("lock", path, act)

    def is_locked(self, path: Path) -> bool:
        """Tell whether a process has the lock of a file."""

        def act() -> bool:
            node = self._contents.names.get(path)
            return node is not None and any(node is held for held in self._locked.values())

        return self._step("is_locked", path, act)

    def unlock(self, handle: int) -> None:
        """Free a lock and give the handle back."""

        def act() -> None:
            del self._handles[handle]
            del self._locked[handle]

        self._step("unlock", self._of(handle).path, act)

    def same(self, handle: int, path: Path) -> bool:
        """Tell whether the name still leads to the file of the handle."""
        node = self._of(handle).node
        return self._step("same", path, lambda: self._contents.names.get(path) is node)

    # --- inside

    def _open(self, node: Node, path: Path) -> int:
        handle, self._next_handle = self._next_handle, self._next_handle + 1
        self._handles[handle] = _Open(node, path)
        return handle

    def _of(self, handle: int) -> _Open:
        self._live()
        if handle not in self._handles:
            raise refused(errno.EBADF, Path(str(handle)))
        return self._handles[handle]
