"""What is wrong with a run now, where other processes can read it: one small file a run.

It is written by a tick that ends in an error or with a warning, and by the first one after it that
does not; a tick without either writes nothing. Nothing in a run depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from tradenb.errors import StateError
from tradenb.store.codec import dump, parse
from tradenb.store.document.plain_record import record_of
from tradenb.store.filesystem import Filesystem, replace_whole

_LIMIT: Final = 1 << 16
_LONGEST: Final = 2_000


class NotedError(NamedTuple):
    """What a run ran into.

    Attributes
    ----------
    error : str
        In words; empty once it is over.
    since, last : int
        When it came first and last, wall-clock ms UTC; `last` of one that is over is its end.
    times : int
        In how many ticks, one after the other.
    warnings : tuple of str
        What is wrong with its candles.
    """

    error: str
    since: int
    last: int
    times: int
    warnings: tuple[str, ...] = ()


class ErrorFile:
    """Writes the error of one run.

    Parameters
    ----------
    is_ours : callable
        Whether this process has the run; the file is that of the process that has it.

    Attributes
    ----------
    is_noted : bool
        Whether an error or a warning was written last, the end of which is to be written too.
    """

    def __init__(self, filesystem: Filesystem, path: Path, is_ours: Callable[[], bool]) -> None:
        self._filesystem = filesystem
        self._path = path
        self._is_ours = is_ours
        self._noted: NotedError | None = None
        self.is_noted = False

    def note(self, error: BaseException | None, warnings: Iterable[str], now: int) -> None:
        """Write what is wrong, or that it is over; a disk that refuses changes nothing."""
        words = "" if error is None else words_of(error)[:_LONGEST]
        before = self._noted
        if before is not None and before.error == words:
            noted = before._replace(last=now, times=before.times + 1)
        else:
            noted = NotedError(error=words, since=now, last=now, times=1)
        noted = noted._replace(warnings=tuple(warnings))
        self._noted, self.is_noted = noted, bool(words or noted.warnings)
        try:
            if self._is_ours():
                replace_whole(self._filesystem, self._path, dump(noted._asdict()) + b"\n")
        except (OSError, StateError):
            return


def noted_error(filesystem: Filesystem, path: Path) -> NotedError | None:
    """Return what a run noted last, or None."""
    try:
        return record_of(NotedError, parse(filesystem.read(path, limit=_LIMIT)))
    except (OSError, ValueError):
        return None


def words_of(error: BaseException) -> str:
    """Say what went wrong; an error without words says what it is."""
    return str(error) or repr(error)
