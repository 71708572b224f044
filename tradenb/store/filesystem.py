"""The real disk behind the port of `disk_port.py`, and what takes several steps of either.

What root makes in a folder of another user belongs to that user: the run whose home it is must be
able to read it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path
from typing import Final

from tradenb.store.disk_port import Filesystem as Filesystem  # noqa: PLC0414 - exported

Stamp = tuple[int, int, int] | None
"""What changes with a file: time, size and inode; None where there is none."""

# macOS: fsync hands the data to the drive, which may keep it in its cache.
_FULL_SYNC: Final[int | None] = getattr(fcntl, "F_FULLFSYNC", None)
_NOT_SUPPORTED: Final = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOTTY}
_READ: Final = os.O_RDONLY | os.O_CLOEXEC
_WRITE: Final = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
_LOCK: Final = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
_NEW: Final = os.O_CREAT | os.O_EXCL
_PIECE: Final = 1 << 20
# We have made no name in a folder that we may not open or write.
_NOT_OURS: Final = {errno.EACCES, errno.EPERM, errno.EROFS}
# Of all that wait for the drive.
_SYNCED: Final[set[Path]] = set()
_NO_LINKS: Final = {
    *(errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
}


class DiskFilesystem:
    """The real disk.

    Parameters
    ----------
    durable : bool
        Wait for the drive where the store asks for it. Without it a kill loses nothing but a power
        loss may: for rehearsals.
    """

    def __init__(self, *, durable: bool = True) -> None:
        self.durable = durable
        self.synced = _SYNCED if durable else set()

    def create(self, path: Path) -> int:
        """Make a file that was not there."""
        return _made(path, _WRITE)

    def append(self, path: Path) -> int:
        """Open a file for writing at its end."""
        return _opened(path, _WRITE | os.O_APPEND)

    def write(self, handle: int, data: bytes) -> None:
        """Write all of the data, however little the system takes at a time."""
        rest = memoryview(data)
        while rest:
            written = os.write(handle, rest)
            if written <= 0:
                raise OSError(errno.EIO, "the disk accepted no data")
            rest = rest[written:]

    def sync(self, handle: int) -> None:
        """Wait until what was written is on the drive."""
        if not self.durable:
            return
        if _FULL_SYNC is not None:
            try:
                fcntl.fcntl(handle, _FULL_SYNC)
                return
            except OSError as error:
                if error.errno not in _NOT_SUPPORTED:
                    raise
        os.fsync(handle)

    def close(self, handle: int) -> None:
        """Give the handle back."""
        os.close(handle)

    def read(self, path: Path, *, limit: int, start: int = 0) -> bytes:
        """Return at most `limit` bytes from `start`; a pipe is refused, not waited for."""
        handle = os.open(path, _READ | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(errno.EINVAL, "not a regular file", str(path))
            pieces = []
            while limit > 0 and (piece := os.pread(handle, min(limit, _PIECE), start)):
                pieces.append(piece)
                start += len(piece)
                limit -= len(piece)
            return b"".join(pieces)
        finally:
            os.close(handle)

    def truncate(self, path: Path, size: int) -> None:
        """Cut a file off at a size."""
        os.truncate(path, size)

    def size(self, path: Path) -> int:
        """Return the size of a file, bytes."""
        return path.stat().st_size

    def exists(self, path: Path) -> bool:
        """Tell whether anything has this name, a broken link included."""
        try:
            path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def is_file(self, path: Path) -> bool:
        """Tell whether the name leads to a regular file; a link to nothing, or to itself, not."""
        try:
            return stat.S_ISREG(path.stat().st_mode)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return False
            raise

    def names(self, folder: Path) -> list[str]:
        """Return the names in a folder, sorted."""
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries)

    def link(self, path: Path, target: Path) -> None:
        """Give a file a second name."""
        target.hardlink_to(path)

    def replace(self, path: Path, target: Path) -> None:
        """Rename a file in one step."""
        os.replace(path, target)  # noqa: PTH105 - `Path.replace` builds a path from its target

    def unlink(self, path: Path) -> None:
        """Remove a name."""
        path.unlink()

    def make_folder(self, path: Path) -> None:
        """Make one folder, mode 0700 whatever the umask."""
        path.mkdir(mode=0o700)
        path.chmod(0o700)
        _give_to_owner(path, path.parent)

    def sync_folder(self, path: Path) -> None:
        """Wait until the names in a folder are on the drive."""
        if not self.durable:
            return
        handle = os.open(path, _READ | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        except OSError as error:
            # Some network and user-space file systems cannot sync folders, and say so.
            if error.errno not in _NOT_SUPPORTED:
                raise
        finally:
            os.close(handle)

    def lock(self, path: Path) -> int:
        """Open and lock a file; the system frees the lock when its holder dies, however it dies."""
        handle = _opened(path, _LOCK)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(handle)
            raise
        return handle

    def is_locked(self, path: Path) -> bool:
        """Tell whether a process has the lock of a file; needs no right to write it."""
        try:
            handle = os.open(path, _READ | os.O_NONBLOCK | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError):
            return False
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(errno.EINVAL, "not a regular file", str(path))
            # The lock of readers: NFS gives the one of writers only to who may write.
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    def unlock(self, handle: int) -> None:
        """Free the lock for everybody and give the handle back."""
        try:
            fcntl.flock(handle, fcntl.LOCK_UN)
        finally:
            os.close(handle)

    def same(self, handle: int, path: Path) -> bool:
        """Tell whether the name still leads to the file of the handle."""
        try:
            return os.path.samestat(os.fstat(handle), path.stat())
        except (FileNotFoundError, NotADirectoryError):
            return False


def _opened(path: Path, flags: int) -> int:
    """Open a file, made where it is missing."""
    try:
        return _private(os.open(path, flags))
    except FileNotFoundError:
        try:
            return _made(path, flags)
        except FileExistsError:  # another process was faster
            return _private(os.open(path, flags))


def _made(path: Path, flags: int) -> int:
    handle = os.open(path, flags | _NEW, 0o600)
    _give_to_owner(handle, path.parent)
    return _private(handle)


def _give_to_owner(made: int | Path, folder: Path) -> None:
    """Let what root has just made belong to the owner of its folder, where the system allows it."""
    if os.geteuid() != 0:
        return
    with contextlib.suppress(OSError):
        owner = folder.stat()
        if owner.st_uid != 0:
            os.chown(made, owner.st_uid, owner.st_gid, follow_symlinks=isinstance(made, int))


def _private(handle: int) -> int:
    """Let the owner read and write a file under any umask; what a user allows more, stays."""
    try:
        if os.fstat(handle).st_mode & 0o600 != 0o600:
            os.fchmod(handle, 0o600)
    except BaseException:
        os.close(handle)
        raise
    return handle


def make_folders(filesystem: Filesystem, folder: Path, *, sync: bool = True) -> None:
    """Make a folder and what is missing above it; with `sync` they survive a power loss.

    Those above are synced as well, once: an earlier process may have died between making and
    syncing.
    """
    missing, above = [], folder
    while not filesystem.exists(above) and above != above.parent:
        missing.append(above)
        above = above.parent
    for path in reversed(missing):
        try:
            filesystem.make_folder(path)
        except FileExistsError:
            continue  # another run was faster
    if not sync:
        return
    changed, child = {path.parent for path in missing}, folder
    for path in folder.parents:
        if child in filesystem.synced and path not in changed:
            break
        try:
            filesystem.sync_folder(path)
        except OSError as error:
            if path in changed or error.errno not in _NOT_OURS:
                raise
        child = path
    filesystem.synced.update((folder, *folder.parents))


def replace_whole(filesystem: Filesystem, path: Path, data: bytes) -> None:
    """Write a file so that readers see the old one or the new one; a power loss may undo it."""
    temp = path.with_name(f".{path.name}.tmp")
    if not filesystem.exists(path.parent):
        make_folders(filesystem, path.parent)
    forget(filesystem, temp)
    write_copy(filesystem, temp, data, sync=False)
    filesystem.replace(temp, path)


def replace_durably(filesystem: Filesystem, path: Path, data: bytes) -> None:
    """Write a file so that readers see the old one or the new one, and a power loss keeps it.

    Raises
    ------
    OSError
        When it could not be written; a reader may see either then.
    """
    temp = path.with_name(f".{path.name}.tmp")
    make_folders(filesystem, path.parent)
    forget(filesystem, temp)
    write_copy(filesystem, temp, data)
    filesystem.replace(temp, path)
    filesystem.sync_folder(path.parent)


def write_copy(filesystem: Filesystem, path: Path, data: bytes, *, sync: bool = True) -> None:
    """Write a new file; if synced it survives a power loss once its folder is synced."""
    handle = filesystem.create(path)
    try:
        filesystem.write(handle, data)
        if sync:
            filesystem.sync(handle)
    finally:
        filesystem.close(handle)


def keep_copy(filesystem: Filesystem, path: Path, target: Path, *, limit: int) -> None:
    """Give a file a second name; where the disk has no links, copy it."""
    try:
        filesystem.link(path, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        write_copy(filesystem, target, filesystem.read(path, limit=limit))


def append_to(filesystem: Filesystem, path: Path, data: bytes, *, sync: bool) -> None:
    """Append to a file; with `sync` this and what is before it survive a power loss."""
    handle = filesystem.append(path)
    try:
        filesystem.write(handle, data)
        if sync:
            filesystem.sync(handle)
    finally:
        filesystem.close(handle)


def size_of(filesystem: Filesystem, path: Path) -> int:
    """Return the size of a file, -1 if there is none."""
    try:
        return filesystem.size(path)
    except FileNotFoundError:
        return -1


def stamp_of(path: Path) -> Stamp:
    """Return the stamp of a file, for those who only watch it."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def forget(filesystem: Filesystem, path: Path) -> None:
    """Remove a file if it is there."""
    with contextlib.suppress(FileNotFoundError):
        filesystem.unlink(path)
