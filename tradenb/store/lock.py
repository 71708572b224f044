"""Who may write: locks of the operating system, freed when their holder dies, however it dies.

The text in a lock file is only for the error message of the next process that wants it. A child
made by fork shares the lock and would keep it alive, so the handles are closed in the child.
Decision 5 in docs/adr.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple
from weakref import WeakSet

from tradenb.core.timeframe import iso
from tradenb.errors import StateError, StateLocked
from tradenb.store.codec import Damaged, dump, parse
from tradenb.store.filesystem import Filesystem, make_folders
from tradenb.store.paths import Home

_TEXT_LIMIT: Final = 4_096
_TRIES: Final = 10
_GLANCES: Final = 3
_YIELD_SECONDS: Final = 15.0
_WAIT_SECONDS: Final = 0.02
_held: WeakSet[FileLock] = WeakSet()


class Holder(NamedTuple):
    """Who holds a lock: process, host, and since when (wall-clock ms; 0 if it is not said).

    `yields`: it gives the lock up to a process that wants it, as `tradenb guard` does.
    """

    pid: int
    host: str
    started: int
    yields: bool = False

    def __str__(self) -> str:
        if not self.pid:
            return "another process"
        since = f" since {iso(self.started)} UTC" if self.started else ""
        return f"process {self.pid} on {self.host}{since}"


class FileLock:
    """An exclusive lock on one name.

    Parameters
    ----------
    path : Path
        `Home.lock(key)` or `Home.risk_lock(rule)`.
    started : int
        Wall-clock time for the message of others, ms UTC.
    what : str, optional
        What is locked, for that message.
    yields : bool, default False
        Its holder looks at `is_wanted`, and gives it up then.
    """

    def __init__(
        self,
        filesystem: Filesystem,
        path: Path,
        *,
        started: int = 0,
        what: str = "",
        yields: bool = False,
    ) -> None:
        self.path = path
        self._yields = yields
        self._filesystem = filesystem
        self._started = started
        self._what = what or path.name.removesuffix(".lock")
        self._handle: int | None = None
        self._assuring = threading.Lock()

    @property
    def held(self) -> bool:
        """Whether this object has the lock, in this process."""
        return self._handle is not None

    @property
    def is_wanted(self) -> bool:
        """Whether another process waits for it, see `acquire_patiently`."""
        return self._filesystem.is_locked(_wanted(self.path))

    def is_ours(self) -> bool:
        """Tell whether it is held and its file is there; nothing is taken."""
        return self._handle is not None and self._filesystem.same(self._handle, self.path)

    def acquire(self) -> None:
        """Take the lock.

        Raises
        ------
        StateLocked
            When somebody has it, this process included.
        StateError
            When the lock file cannot be made, or the file system has no locks.
        """
        if self.held:
            raise StateLocked(f"{self._what} is already locked by this object", pid=os.getpid())
        try:
            self._handle = self._lock()
        except BlockingIOError:
            holder = holder_of(self._filesystem, self.path)
            raise StateLocked(
                f"{self._what} is held by {holder} ({self.path}); stop it there, or wait until "
                "that process has ended",
                pid=holder.pid,
                host=holder.host,
            ) from None
        except OSError as error:
            raise StateError(f"{self.path} cannot be locked ({error.strerror or error})") from error
        _held.add(self)
        self._sign()

    def acquire_patiently(self) -> None:
        """Take the lock as `acquire` does, from a process that holds it for a moment as well.

        One that only checks it is waited for, and one that yields is told.
        """
        for _ in range(_GLANCES):
            with contextlib.suppress(StateLocked):
                return self.acquire()
            time.sleep(_WAIT_SECONDS)
        if not holder_of(self._filesystem, self.path).yields:
            return self.acquire()
        wanted = FileLock(self._filesystem, _wanted(self.path), what=self._what)
        wanted.acquire_within(_YIELD_SECONDS)
        with contextlib.ExitStack() as stack:
            stack.callback(wanted.release)
            return self.acquire_within(_YIELD_SECONDS)

    def acquire_within(
        self,
        seconds: float,
        *,
        now: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the lock as `acquire` does, and wait so long for others that have it.

        Raises
        ------
        StateLocked
            When the time is over.
        """
        deadline = now() + seconds
        while True:
            try:
                return self.acquire()
            except StateLocked:
                if now() >= deadline:
                    raise
                wait(_WAIT_SECONDS)

    def assure(self) -> None:
        """Take the lock anew if its file was deleted or moved away.

        Raises
        ------
        StateLocked
            When somebody else was faster.
        """
        with self._assuring:
            if not self.is_ours():
                self.release()
                self.acquire()

    def refuse_lost(self) -> None:
        """Take it anew as `assure` does, or raise StateLocked; a failing disk is no reason."""
        try:
            self.assure()
        except StateLocked:
            raise
        except (StateError, OSError):
            return

    def release(self) -> None:
        """Free the lock; the file stays. Releasing twice is releasing once."""
        handle, self._handle = self._handle, None
        _held.discard(self)
        if handle is None:
            return
        try:
            self._filesystem.unlock(handle)
        except OSError:
            return  # closing frees it as well, and so does the end of the process

    def __enter__(self) -> FileLock:
        """Take the lock."""
        self.acquire()
        return self

    def __exit__(self, *reason: object) -> None:
        """Free the lock."""
        self.release()

    def lose(self) -> None:
        """Forget the lock without freeing it for the process that this one was forked from."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._filesystem.close(handle)

    def _lock(self) -> int:
        for _ in range(_TRIES):
            try:
                handle = self._filesystem.lock(self.path)
            except FileNotFoundError:
                make_folders(self._filesystem, self.path.parent)
                continue
            if self._filesystem.same(handle, self.path):
                return handle
            self._filesystem.unlock(handle)  # its folder was deleted meanwhile
        raise OSError("its folder keeps disappearing")

    def _sign(self) -> None:
        """Write who holds the lock; a disk that refuses changes nothing about holding it."""
        holder = {"pid": os.getpid(), "host": os.uname().nodename, "started": self._started}
        if self._yields:
            holder["yields"] = True
        try:
            self._filesystem.truncate(self.path, 0)
            if self._handle is not None:
                self._filesystem.write(self._handle, dump(holder) + b"\n")
        except OSError:
            return


def holder_of(filesystem: Filesystem, path: Path) -> Holder:
    """Read who holds a lock, or held it last."""
    try:
        found = parse(filesystem.read(path, limit=_TEXT_LIMIT))
        yields = found.get("yields") is True
        return Holder(int(found["pid"]), str(found["host"]), int(found["started"]), yields)
    except (OSError, Damaged, AttributeError, LookupError, TypeError, ValueError):
        return Holder(0, "", 0)


def _wanted(path: Path) -> Path:
    """Return the file that is locked by a process while it waits for a lock."""
    return path.with_name(f"{path.name.removesuffix('.lock')}.wanted.lock")


def risk_locks(
    filesystem: Filesystem,
    home: Home,
    rules: Iterable[str],
    *,
    timeout_seconds: float = 10.0,
    now: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> ExitStack:
    """Take the locks of some risk rules, in the order of their names.

    Parameters
    ----------
    rules : iterable of str
        Names; each is locked once.
    timeout_seconds : float
        Longest time to wait for all of them together.
    now, wait : callable
        Monotonic clock, seconds, and what waits a number of them.

    Returns
    -------
    ExitStack
        Its `close()`, or leaving it, frees them.

    Raises
    ------
    StateLocked
        When the time is over; none is held then.
    """
    deadline = now() + timeout_seconds
    with ExitStack() as stack:
        for rule in sorted(set(rules)):
            lock = FileLock(filesystem, home.risk_lock(rule), what=f"risk rule {rule}")
            lock.acquire_within(deadline - now(), now=now, wait=wait)
            stack.callback(lock.release)
        return stack.pop_all()


def _lose_inherited() -> None:
    for lock in tuple(_held):
        try:
            lock.lose()
        except OSError:
            continue
    _held.clear()


os.register_at_fork(after_in_child=_lose_inherited)
