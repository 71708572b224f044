"""Faults of a fake disk: errors of the system, and the death of the process."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

T = TypeVar("T")
_TAKES_SPACE: Final = frozenset({"create", "append", "write", "make_folder", "link", "sync"})
_CHANGES: Final = _TAKES_SPACE | {"truncate", "replace", "unlink"}
_ONLY_AT: Final = {errno.ENOSPC: _TAKES_SPACE, errno.EROFS: _CHANGES}


class Crash(BaseException):
    """The process died here; nothing that runs afterwards reaches the disk."""


class Operation(NamedTuple):
    """What was asked of the disk."""

    name: str
    path: Path


class Fault(NamedTuple):
    """What happens at an operation; see `FaultInjector.fail` and `FaultInjector.crash`."""

    at: int
    error: int | None
    forever: bool = False
    done: bool = False

    def applies(self, number: int, name: str) -> bool:
        """Tell whether it happens at an operation."""
        if not self.forever:
            return number == self.at
        names = _ONLY_AT.get(self.error or 0)
        return number >= self.at and (names is None or name in names)


class FaultInjector:
    """Counts operations, and lets some of them fail.

    Attributes
    ----------
    operations : list of Operation
        Everything that was asked for, in order.
    """

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._faults: list[Fault] = []
        self._lies: set[int] = set()
        self._dead = False
        self._mutex = threading.RLock()

    def crash(self, at: int, *, done: bool = False) -> None:
        """Die at the operation `at` from here: before it, or after it if `done`.

        A write that is not done is half done.
        """
        self._faults.append(Fault(len(self.operations) + at, None, done=done))

    def fail(self, at: int, error: int, *, forever: bool = False, done: bool = False) -> None:
        """Raise an error of the system at the operation `at` from here.

        Parameters
        ----------
        at : int
            0 is the next one.
        error : int
            `errno.ENOSPC`, `errno.EIO`, ...
        forever : bool
            Go on raising it until `heal`; ENOSPC at what takes space, EROFS at what changes
            anything, other errors at everything.
        done : bool
            Carry the operation out, and raise all the same.
        """
        self._faults.append(Fault(len(self.operations) + at, error, forever, done))

    def lie(self, at: int) -> None:
        """Let the write at the operation `at` from here lose its last byte, without an error."""
        self._lies.add(len(self.operations) + at)

    def heal(self) -> None:
        """Forget all faults that have not happened yet."""
        self._faults.clear()
        self._lies.clear()

    def _step(
        self, name: str, path: Path, act: Callable[[], T], half: Callable[[], object] | None = None
    ) -> T:
        """Carry an operation out, or let it fail: not begun, half done, or done all the same."""
        with self._mutex:
            self._live()
            number = len(self.operations)
            self.operations.append(Operation(name, path))
            if not self._faults:
                return act()
            found = (fault for fault in self._faults if fault.applies(number, name))
            fault = next(found, None)
            if fault is None:
                return act()
            if fault.done:
                act()
            elif half is not None:
                half()
            if fault.error is None:
                self._dead = True
                raise Crash(f"at operation {number}: {name} {path}")
            raise refused(fault.error, path)

    def _live(self) -> None:
        if self._dead:
            raise Crash("the process is dead")


def refused(error: int, path: Path) -> OSError:
    """Make an error as the system does."""
    return OSError(error, os.strerror(error), str(path))
