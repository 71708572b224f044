"""The band that a run is held against, where other processes can read it: one small file a run.

`{home}/expected/{strategy}/{symbol}.json`, written by `run.expect`. Nothing in a run depends on it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tradenb.statistics.expectation import Band
from tradenb.store.codec import dump, parse
from tradenb.store.document.plain_record import record_of
from tradenb.store.filesystem import Filesystem, make_folders, replace_whole
from tradenb.store.paths import Home, Key, encoded

_LIMIT: Final = 1 << 16


def band_path(home: Home, key: Key) -> Path:
    """Return where the band of a run is kept."""
    folder = home.root / "expected" / encoded(key.strategy, "strategy")
    return folder / f"{encoded(key.symbol, 'symbol')}.json"


def keep_band(filesystem: Filesystem, home: Home, key: Key, band: Band) -> None:
    """Keep the band of a run, in place of one that was kept before.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    path = band_path(home, key)
    make_folders(filesystem, path.parent)
    replace_whole(filesystem, path, dump(band._asdict()) + b"\n")


def kept_band(filesystem: Filesystem, home: Home, key: Key) -> Band | None:
    """Return the band of a run, if one is kept that can be read."""
    path = band_path(home, key)
    try:
        if not filesystem.exists(path):
            return None
        return record_of(Band, parse(filesystem.read(path, limit=_LIMIT)))
    except (OSError, ValueError):
        return None
