"""The band that a run is held against, where other processes can read it: one small file a run.

`{home}/expected/{strategy}/{symbol}.json`, written by `run.expect`. Nothing in a run depends on it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from tradenb.statistics.expectation import Band
from tradenb.store.filesystem import Filesystem, make_folders, replace_whole
from tradenb.store.paths import Home, Key, encoded

_LIMIT: Final = 1 << 16
_FORM: Final[TypeAdapter[Band]] = TypeAdapter(Band)


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
    data = json.dumps(band._asdict(), separators=(",", ":")).encode()
    replace_whole(filesystem, path, data + b"\n")


def kept_band(filesystem: Filesystem, home: Home, key: Key) -> Band | None:
    """Return the band of a run, if one is kept that can be read."""
    path = band_path(home, key)
    try:
        if not filesystem.exists(path):
            return None
        found: Any = json.loads(filesystem.read(path, limit=_LIMIT))
        return _FORM.validate_python(found)
    except (OSError, ValueError, ValidationError):
        return None
