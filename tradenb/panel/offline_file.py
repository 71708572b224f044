"""What a dashboard shows, as a file that a page reads while the kernel cannot answer.

It is written only while a cell keeps the kernel busy, and removed when the kernel is free again.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from pathlib import Path
from typing import Any, Final

from tradenb.clock import wall_ms
from tradenb.errors import StateError
from tradenb.store.filesystem import DiskFilesystem, forget, replace_whole
from tradenb.store.ownership import owner_of
from tradenb.store.paths import Home

log = logging.getLogger("tradenb")

FOLDER: Final = "panel"
PACE_S: Final = 2.0
BEAT_S: Final = 10.0
_OLD_S: Final = 86_400.0


class OfflineFile:
    """The file of one dashboard."""

    def __init__(self, home: Home, id: str) -> None:
        self.path = home.data / FOLDER / f"{id}.json"
        self._disk = DiskFilesystem(durable=False)
        self.written: dict[str, Any] | None = None
        self._at = float("-inf")
        # Who looks at the home of another user leaves nothing in it.
        self._is_ours = owner_of(home.root) in (None, os.geteuid())

    def write(self, shown: dict[str, Any], now: float) -> None:
        """Replace the file when something has changed, or to say that nothing has."""
        if not self._is_ours:
            return
        pace = PACE_S if shown != self.written else BEAT_S
        if now - self._at < pace * 0.99:
            return
        self._at = now
        text = json.dumps({**shown, "beat": wall_ms()})
        try:
            if self.written is None:
                self._remove_old()
            replace_whole(self._disk, self.path, text.encode())
        except (OSError, StateError) as error:
            log.debug("%s cannot be written: %s", self.path, error)
        else:
            self.written = shown

    def remove(self) -> None:
        """Remove the file, if there is one."""
        if self.written is None:
            return
        self.written, self._at = None, float("-inf")
        with contextlib.suppress(OSError):
            forget(self._disk, self.path)

    def _remove_old(self) -> None:
        """Remove the files of kernels that died while they were busy."""
        folder: Path = self.path.parent
        for path in folder.glob("*.json") if folder.is_dir() else ():
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _OLD_S:
                    forget(self._disk, path)
