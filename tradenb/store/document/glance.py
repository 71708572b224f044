"""A quick look at a document, for who only shows it: whole and ours, its fields not checked.

The checksum says that it is what a run has written, and a run checks what it writes. Whatever is
out of the ordinary is read in full, for the same words as everywhere: `read.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tradenb.store.codec import HEAD, LIMIT, Damaged, parse, seq_of, unframed
from tradenb.store.document.migrations import VERSION
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import Filesystem
from tradenb.store.paths import bak_of, key_of

Made = TypeVar("Made")


def glance(
    filesystem: Filesystem, path: Path, make: Callable[[dict[str, Any]], Made]
) -> Made | None:
    """Return what is made of the newest valid body of a run, None if it has never been saved.

    Raises as `read.read_document` does.
    """
    try:
        data = filesystem.read(path, limit=LIMIT + 1)
        version, seq, text = unframed(data)
        body = parse(text)
        ours = version == VERSION and key_of(path) == (body["strategy"], body["symbol"])
        if ours and seq_of(_head_of(filesystem, bak_of(path))) <= seq:
            return make(body)
    except (OSError, Damaged, LookupError, TypeError, ValueError, AttributeError):
        pass  # what is wrong is found, and said, below
    found = read_document(filesystem, path)
    return None if found is None else make(found.body)


def _head_of(filesystem: Filesystem, path: Path) -> bytes:
    try:
        return filesystem.read(path, limit=HEAD)
    except FileNotFoundError:
        return b""
