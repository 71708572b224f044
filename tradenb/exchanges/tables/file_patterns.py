"""Which files a path, a folder or a pattern means."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tradenb.errors import UsageError
from tradenb.exchanges.tables.file_readers import READERS, can_read

_LISTED: Final = 12


def matching(pattern: Path) -> list[Path]:
    """Return the readable files that match a pattern, at least one."""
    if pattern.is_dir():
        found = _readable(pattern, "*") or _readable(pattern, "*/*", "*/*/*")
    elif pattern.exists():
        found = [pattern]
    else:
        folder, rest = _split(pattern)
        found = [path for path in folder.glob(rest) if path.is_file()] if rest else []
    found = sorted(path for path in found if not path.name.startswith("."))
    if not found:
        raise UsageError(f"no file matches {str(pattern)!r}; {_contents(pattern)}")
    for path in found:
        if not can_read(path):
            raise UsageError(
                f"{str(path)!r} cannot be read, only {', '.join(READERS)}; pass a narrower "
                "pattern such as 'data/*.parquet'"
            )
    return found


def _readable(folder: Path, *patterns: str) -> list[Path]:
    """Return what can be read in a folder, or in folders below it, which may name symbols."""
    found = (path for pattern in patterns for path in folder.glob(pattern))
    return [path for path in found if can_read(path)]


def _split(pattern: Path) -> tuple[Path, str]:
    """Split a pattern into the folder before its first wildcard, and the rest."""
    plain = 0
    while plain < len(pattern.parts) and not set("*?[") & set(pattern.parts[plain]):
        plain += 1
    return Path(*pattern.parts[:plain]), "/".join(pattern.parts[plain:])


def _contents(pattern: Path) -> str:
    folder = _split(pattern)[0]
    while not folder.is_dir():
        folder = folder.parent
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{str(folder)!r} contains {', '.join(names[:_LISTED]) or 'nothing'}{more}"
