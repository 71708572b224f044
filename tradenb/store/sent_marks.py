"""What a notification service was sent, so that no restart sends it again.

A mark is on disk before the message leaves: a process that is killed in between loses that message
and repeats none. A disk that refuses marks does not keep messages back, because the message may be
about that disk; then a restart can repeat them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from tradenb.errors import StateError
from tradenb.store.filesystem import DiskFilesystem, Filesystem, replace_whole
from tradenb.store.lock import FileLock
from tradenb.store.paths import Home

log = logging.getLogger("tradenb")

_LIMIT: Final = 1 << 22
_LOCK_S: Final = 5.0

Moment = tuple[int, int]
"""Number of an event in its run, and the wall-clock time of its commit, ms UTC."""


class SentMarks:
    """The marks of one service under one home; several processes may share them.

    Parameters
    ----------
    service : str
        The reference to its URL, such as "env:TELEGRAM_URL".
    """

    def __init__(self, home: Home, service: str, filesystem: Filesystem | None = None) -> None:
        self._path = home.notified(service)
        self._service = service
        self._disk = DiskFilesystem() if filesystem is None else filesystem
        self._latest: dict[str, Any] = _empty()
        self._refused = ""

    def last(self, run: str) -> Moment | None:
        """Return the last event of a run that was marked, or None."""
        with self._changing() as marks:
            found = marks["runs"].get(run)
        return None if found is None else (found[0], found[1])

    def mark_events(self, run: str, moments: Sequence[Moment]) -> list[bool]:
        """Mark events of a run, in their order, as sent; tell which were not marked before.

        One that was restored with an older state has an old number and a new time: it is news.
        """
        with self._changing() as marks:
            fresh = []
            for seq, wall in moments:
                last = marks["runs"].get(run)
                fresh.append(last is None or seq > last[0] or wall > last[1])
                if fresh[-1]:
                    marks["runs"][run] = [seq, wall]
        return fresh

    def mark_once(self, name: str, now_ms: int, *, again_ms: int) -> bool:
        """Mark something that lasts, such as an alarm; tell whether it is to be sent now.

        Not while an earlier mark is younger than `again_ms`.
        """
        with self._changing() as marks:
            since = marks["lasting"].get(name)
            fresh = since is None or not 0 <= now_ms - since < again_ms
            if fresh:
                marks["lasting"][name] = now_ms
        return fresh

    def clear(self, name: str) -> None:
        """Take back the mark of something that is over."""
        if name in self._latest["lasting"]:
            with self._changing() as marks:
                marks["lasting"].pop(name, None)

    def lasting(self) -> list[str]:
        """Return what is marked as lasting."""
        with self._changing() as marks:
            return sorted(marks["lasting"])

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """Give the marks, and write them if they were changed."""
        lock = FileLock(self._disk, self._path.with_suffix(".lock"), what="notifications")
        try:
            lock.acquire_within(_LOCK_S)
        except StateError as error:
            self._note(str(error))
        try:
            marks = self._read()
            before = json.dumps(marks)
            yield marks
            self._latest = marks
            if json.dumps(marks) != before:
                self._write(marks)
        finally:
            lock.release()

    def _read(self) -> dict[str, Any]:
        """Return what is on disk, with what could not be written there."""
        try:
            found = json.loads(self._disk.read(self._path, limit=_LIMIT))
            marks = {name: dict(found[name]) for name in ("runs", "lasting")}
            if any(len(each) != 2 for each in marks["runs"].values()):
                raise ValueError("not marks")
        except FileNotFoundError:
            marks = _empty()
        except (OSError, ValueError, LookupError, TypeError):
            return self._latest
        if not self._refused:
            return marks
        for run, mine in self._latest["runs"].items():
            marks["runs"][run] = max(mine, marks["runs"].get(run, mine))
        return {"runs": marks["runs"], "lasting": marks["lasting"] | self._latest["lasting"]}

    def _write(self, marks: dict[str, Any]) -> None:
        head = {"format": "tradenb-notified", "v": 1, "service": self._service}
        try:
            replace_whole(self._disk, self._path, json.dumps(head | marks).encode() + b"\n")
        except OSError as error:
            self._note(f"{self._path} could not be written ({error.strerror or error})")
        else:
            self._refused = ""

    def _note(self, words: str) -> None:
        if words != self._refused:
            log.warning("%s; a restart may send notifications again", words)
        self._refused = words


def _empty() -> dict[str, Any]:
    return {"runs": {}, "lasting": {}}
