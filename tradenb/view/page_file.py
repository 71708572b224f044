"""Writing a report to a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from tradenb.errors import UsageError

_SUFFIXES: Final = (".html", ".htm")


def page_path(path: str | os.PathLike[str]) -> Path:
    """Return where a page goes, as a whole path; the ending of another kind of file is refused."""
    if ending_of(path) not in _SUFFIXES:
        raise UsageError(f"a report is an HTML page: name it like 'report.html', was {path!r}")
    return Path(path).resolve()


def ending_of(path: object) -> str:
    """Return the ending of a path, such as ".html"; empty for what is not a path."""
    return Path(path).suffix.lower() if isinstance(path, str | os.PathLike) else ""


def write_page(target: Path, html: str) -> Path:
    """Write a page and make its folders; a file of that name is replaced."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(html, encoding="utf-8")
    return target
