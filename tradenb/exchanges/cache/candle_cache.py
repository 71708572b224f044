"""Fetched candles on disk: a Parquet file for each symbol and month.

Closed candles do not change, so a file only ever gains rows. Readers take no lock, because files
are replaced whole; writers of all processes take turns. The cache never makes a load fail: what
cannot be read is fetched again, what cannot be written is not cached, and the log says so.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Final

from tradenb.errors import StateError, StateLocked
from tradenb.exchanges.cache.month_file import (
    NO_CANDLES,
    DamagedFile,
    KnownCandles,
    concatenated_months,
    decode,
    encode,
)
from tradenb.exchanges.cache.spans import Span, month_name, month_of, split_by_month
from tradenb.store.aside import move_aside
from tradenb.store.filesystem import DiskFilesystem, make_folders, replace_whole
from tradenb.store.lock import FileLock

log = logging.getLogger("tradenb")

LOCK_WAIT_S: Final = 10.0
_RETRY_LOCK_S: Final = 0.02


class CandleCache:
    """The candles of one symbol, in a folder of its own, see `Home.candles`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # A power loss may cost a file, which its checksum shows; it is fetched again then.
        self._disk = DiskFilesystem(durable=False)

    def read(self, start: int, end: int) -> KnownCandles:
        """Return what is cached of [start, end)."""
        return concatenated_months(
            [self._read(span).between(*span) for span in split_by_month((start, end))]
        )

    def add(self, found: KnownCandles) -> None:
        """Cache candles and the spans that were fetched; cached candles stay as they are."""
        if not found.spans:
            return
        try:
            self._wait_and_write(found)
        except (StateError, OSError) as error:
            log.warning("candles cannot be cached in %s: %s", self._folder, error)

    def _wait_and_write(self, found: KnownCandles) -> None:
        if not self._disk.exists(self._folder):
            make_folders(self._disk, self._folder)
        lock = FileLock(self._disk, self._folder / ".lock", what=f"candle cache {self._folder}")
        _acquire(lock)
        try:
            for span in split_by_month((found.spans[0][0], found.spans[-1][1])):
                part = found.between(*span)
                if part.spans:
                    self._write(span, part)
        finally:
            lock.release()

    def _write(self, span: Span, part: KnownCandles) -> None:
        known = self._read(span)
        more = known.plus(part)
        if len(more.rows.time) > len(known.rows.time) or more.spans != known.spans:
            replace_whole(self._disk, self._path(span), encode(more))

    def _read(self, span: Span) -> KnownCandles:
        path = self._path(span)
        try:
            return decode(path, month_of(span[0]))
        except FileNotFoundError:
            return NO_CANDLES
        except DamagedFile as error:
            self._move_aside(path, str(error))
        except OSError as error:
            log.warning("%s cannot be read (%s); its candles are fetched again", path, error)
        return NO_CANDLES

    def _move_aside(self, path: Path, why: str) -> None:
        try:
            moved = move_aside(self._disk, path, "corrupt")
        except OSError as error:
            log.warning("%s is damaged (%s) and cannot be moved aside: %s", path, why, error)
            return
        log.warning(
            "%s is damaged (%s); moved to %s, its candles are fetched again", path, why, moved.name
        )

    def _path(self, span: Span) -> Path:
        return self._folder / f"{month_name(span[0])}.parquet"


def _acquire(lock: FileLock) -> None:
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            lock.acquire()
        except StateLocked:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_RETRY_LOCK_S)
        else:
            return
