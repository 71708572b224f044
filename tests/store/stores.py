"""Documents on fake disks, for the tests of loading and committing."""

from __future__ import annotations

from pathlib import Path

from tests.store.samples import DOCUMENT, KEY, body
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.paths import Home
from tradenb.testing.world.fake_disk import FakeDisk


def begun(disk: FakeDisk, *, pid: int = 1) -> DocumentStore:
    """A store that has loaded what there is."""
    store = DocumentStore(disk, DOCUMENT, pid=pid)
    store.load()
    return store


def two_generations() -> FakeDisk:
    """A disk with a document and the generation before it."""
    disk = FakeDisk()
    store = begun(disk)
    store.commit(body(1))
    store.commit(body(2))
    return disk


def document_in(folder: Path) -> Path:
    """The document of a home on the real disk."""
    return Home(folder).document(KEY)
