"""The disk as a port: what the store asks of it, one step at a time.

Each operation is one step that can fail or be the last one before a crash, so that a fake
(`tradenb.testing.world.fake_disk.FakeDisk`) can stop a commit at every one of them. Errors are
plain `OSError`s; the callers say what they mean. The real disk is in `filesystem.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Filesystem(Protocol):
    """What the store asks of a disk.

    Handles are ints that only the filesystem understands. Every operation raises `OSError`.

    Attributes
    ----------
    synced : set of Path
        Folders that survive a power loss, with all above them: this process has seen to that.
    """

    synced: set[Path]

    def create(self, path: Path) -> int:
        """Make a file that was not there, for writing, mode 0600; return its handle."""

    def append(self, path: Path) -> int:
        """Open a file for writing at its end, made where it is missing; return its handle."""

    def write(self, handle: int, data: bytes) -> None:
        """Write all of the data."""

    def sync(self, handle: int) -> None:
        """Make what was written survive a power loss; never to be repeated on a failed handle."""

    def close(self, handle: int) -> None:
        """Give the handle back; a lock that other processes share through it stays."""

    def read(self, path: Path, *, limit: int, start: int = 0) -> bytes:
        """Return at most `limit` bytes of a regular file from the offset `start`."""

    def truncate(self, path: Path, size: int) -> None:
        """Cut a file off at a size."""

    def size(self, path: Path) -> int:
        """Return the size of a file, bytes."""

    def exists(self, path: Path) -> bool:
        """Tell whether anything has this name."""

    def is_file(self, path: Path) -> bool:
        """Tell whether the name leads to a regular file, directly or by links."""

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder, sorted."""

    def link(self, path: Path, target: Path) -> None:
        """Give a file a second name, which must be free."""

    def replace(self, path: Path, target: Path) -> None:
        """Rename a file in one step; what had the name before is gone."""

    def unlink(self, path: Path) -> None:
        """Remove a name."""

    def make_folder(self, path: Path) -> None:
        """Make one folder, mode 0700."""

    def sync_folder(self, path: Path) -> None:
        """Make the names in a folder survive a power loss."""

    def lock(self, path: Path) -> int:
        """Open a file, made where it is missing, and lock it; BlockingIOError if another has it."""

    def is_locked(self, path: Path) -> bool:
        """Tell whether a process has the lock of a file; needs no right to write it."""

    def unlock(self, handle: int) -> None:
        """Free the lock for everybody and give the handle back."""

    def same(self, handle: int, path: Path) -> bool:
        """Tell whether the name still leads to the file of the handle."""
