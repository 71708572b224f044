"""Each rule of the commit and of the journal, left out: the model has to notice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.ends import (
    TICKS,
    check_power_loss,
    in_order,
    outcomes,
    reordered,
)
from tests.store.life import Life, Memory, check, live
from tests.store.samples import BAK, DOCUMENT, KEY
from tradenb.errors import StateCorrupt
from tradenb.store import filesystem, lock
from tradenb.store.codec import Damaged
from tradenb.store.document import commit as writer
from tradenb.store.journal import event_journal as journal
from tradenb.store.journal.rotation import JournalFiles
from tradenb.testing.world.fake_disk import FakeDisk

# Shows what other tests catch, and measures nothing.
pytestmark = pytest.mark.no_cover

NOTICED = (AssertionError, Damaged, StateCorrupt)


class NoFolderSync(FakeDisk):
    """The folder is not synced after the rename."""

    def sync_folder(self, path: Path) -> None:
        if path.name == KEY.strategy:
            return
        super().sync_folder(path)


class NoSync(FakeDisk):
    """The temporary file is not synced."""

    ending = ".tmp"

    def sync(self, handle: int) -> None:
        if not self._of(handle).path.name.endswith(self.ending):
            super().sync(handle)


class NoJournalSync(NoSync):
    """The journal is not synced."""

    ending = ".jsonl"


class LateSync(FakeDisk):
    """The document is replaced first, and synced then."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[int] = []

    def sync(self, handle: int) -> None:
        if self._of(handle).path.name.endswith(".tmp"):
            self.late.append(handle)
        else:
            super().sync(handle)

    def close(self, handle: int) -> None:
        if handle not in self.late:
            super().close(handle)

    def replace(self, path: Path, target: Path) -> None:
        super().replace(path, target)
        while self.late:
            handle = self.late.pop()
            super().sync(handle)
            super().close(handle)


class BakByCopyWithoutSync(FakeDisk):
    """The generation before is copied, and the copy not synced."""

    def __init__(self) -> None:
        super().__init__(links=False)

    def sync(self, handle: int) -> None:
        if not self._of(handle).path.name.endswith(".bak.tmp"):
            super().sync(handle)


class InPlace(FakeDisk):
    """The document is written over instead of replaced."""

    def replace(self, path: Path, target: Path) -> None:
        if target != DOCUMENT or target not in self.files():
            return super().replace(path, target)
        data = self.files()[path]
        self.truncate(target, 0)
        handle = self.append(target)
        self.write(handle, data)
        self.sync(handle)
        self.close(handle)
        return self.unlink(path)


class NoReadBack(FakeDisk):
    """What was written is believed to be there."""

    def __init__(self) -> None:
        super().__init__()
        self.written: dict[Path, bytes] = {}

    def write(self, handle: int, data: bytes) -> None:
        self.written[self._of(handle).path] = data
        super().write(handle, data)

    def read(self, path: Path, *, limit: int, start: int = 0) -> bytes:
        data = super().read(path, limit=limit, start=start)
        return self.written[path] if path.name.endswith(".tmp") else data


class NoBak(FakeDisk):
    """No generation before is kept."""

    def link(self, path: Path, target: Path) -> None:
        return

    def replace(self, path: Path, target: Path) -> None:
        if target != BAK:
            super().replace(path, target)


def survive(chooser, make=FakeDisk) -> None:
    for left, memory in outcomes(chooser, make):
        check_power_loss(left, memory)


@pytest.mark.parametrize(
    "make", [NoFolderSync, NoSync, NoJournalSync, LateSync, BakByCopyWithoutSync, InPlace]
)
def test_a_mutant_of_the_order_of_steps_does_not_survive_a_power_loss(make):
    with pytest.raises(NOTICED):
        survive(reordered, make)


@pytest.mark.parametrize("make", [FakeDisk, NoReadBack])
def test_a_lying_disk_is_noticed_by_reading_back_and_not_otherwise(make):
    try:
        for at in writes(make):
            disk, memory = make(), Memory()
            disk.lie(at)
            live(disk, memory, TICKS)
            disk.restart()
            if make is NoReadBack:
                disk.written.clear()
            check(disk, memory)
    except (*NOTICED, KeyError):
        assert make is NoReadBack
    else:
        assert make is FakeDisk


def writes(make) -> list[int]:
    disk = make()
    live(disk, Memory(), TICKS)
    return [at for at, operation in enumerate(disk.operations) if operation.name == "write"]


def rotten(make) -> None:
    disk, memory = make(), Memory()
    live(disk, memory, TICKS)
    disk.plant(DOCUMENT, disk.files()[DOCUMENT].replace(b'"long"', b'"lung"'))
    memory.acked -= 1
    memory.announced.pop()
    assert Life(disk, memory).n == TICKS - 1


def test_without_a_generation_before_a_rotten_document_is_the_end():
    rotten(FakeDisk)
    with pytest.raises(NOTICED):
        rotten(NoBak)


def make_folders_without_sync(filesystem, folder) -> None:
    for path in [*reversed(folder.parents), folder]:
        if not filesystem.exists(path):
            filesystem.make_folder(path)


def test_folders_that_are_not_synced_do_not_survive(monkeypatch):
    for module in (filesystem, journal, lock, writer):
        monkeypatch.setattr(module, "make_folders", make_folders_without_sync)
    with pytest.raises(NOTICED):
        survive(in_order)


def test_a_journal_that_believes_in_its_last_line_loses_events(monkeypatch):
    """What follows the confirmed part may be torn in the middle and whole at the end."""

    def believe(self, rows, size):
        filesystem.make_folders(self._filesystem, self.path.parent)
        lines = self._files.tail(1)
        self._last = lines[0]["seq"] if lines else 0
        return size

    monkeypatch.setattr(journal.Journal, "_recover", believe)
    with pytest.raises(NOTICED):
        survive(reordered)


def test_a_journal_that_is_rotated_without_a_sync_loses_a_file(monkeypatch):
    original = JournalFiles.rotate

    def rotate(self):
        keep, self._filesystem = self._filesystem, Unsynced(self._filesystem)
        try:
            return original(self)
        finally:
            self._filesystem = keep

    monkeypatch.setattr(JournalFiles, "rotate", rotate)
    with pytest.raises(NOTICED):
        survive(reordered)


class Unsynced:
    """A disk on which syncing a folder does nothing."""

    def __init__(self, disk: FakeDisk) -> None:
        self.disk = disk

    def sync_folder(self, path: Path) -> None:
        return

    def __getattr__(self, name: str):
        return getattr(self.disk, name)
