"""Faults 7 to 9, 14, 17, 18, 20, 21: the disk refuses, at every call, once or for good."""

from __future__ import annotations

import errno
import os
import threading

import pytest

from tests.store.ends import TICKS, WithoutLinks, operations
from tests.store.life import Life, Memory, check, live
from tests.store.samples import BAK, DOCUMENT, HOME, KEY, body, row
from tradenb.errors import StateCorrupt, StateError, StateLocked, StateWriteError
from tradenb.store.codec import decode
from tradenb.store.document import DocumentStore
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal import Journal
from tradenb.store.lock import FileLock
from tradenb.store.paths import Home
from tradenb.store.views import behind, run_views
from tradenb.testing.disk import FakeDisk


def started(disk: FakeDisk, memory: Memory) -> Life:
    """Start, as often as it takes: a start that fails is tried again."""
    for _ in range(3):
        try:
            return Life(disk, memory)
        except StateCorrupt:
            raise
        except StateError:
            disk.restart()
    raise AssertionError("it does not start")


def lives_through(disk: FakeDisk, memory: Memory) -> None:
    """Tick until all is done, in one process; the loop stays alive."""
    life = started(disk, memory)
    for _ in range(TICKS + 3):
        if memory.acked < TICKS:
            try:
                life.tick()
            except StateWriteError:
                continue
    life.flush()
    assert memory.acked == life.n >= TICKS


@pytest.mark.parametrize(
    ("make", "done"), [(FakeDisk, False), (FakeDisk, True), (WithoutLinks, False)]
)
def test_fault_07_an_error_at_any_call_is_survived_by_the_loop(make, done):
    for at in range(0, operations(make), 2 if make is WithoutLinks else 1):
        disk, memory = make(), Memory()
        disk.fail(at, errno.EIO, done=done)
        lives_through(disk, memory)
        disk.restart()
        check(disk, memory)


def test_fault_07_an_error_and_then_a_power_loss():
    for at in range(0, operations(), 2):
        disk, memory = FakeDisk(), Memory()
        disk.fail(at, errno.EIO, done=at % 4 == 0)
        live(disk, memory, TICKS)
        disk.power_loss(0)
        check(disk, memory)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS], ids=errno.errorcode.get)
def test_fault_08_a_full_disk_stops_nothing_and_heals_by_itself(error):
    for at in range(20, operations(), 3):
        disk, memory = FakeDisk(), Memory()
        life = Life(disk, memory)
        disk.fail(at, error, forever=True)
        refused = 0
        for _ in range(6):
            try:
                life.tick()
            except StateWriteError:
                refused += 1
            assert len(memory.announced) <= memory.acked, "announced what is not on disk"
        assert refused
        disk.heal()
        life.tick()
        assert memory.acked == life.n
        disk.restart()
        check(disk, memory)


def test_fault_08_every_generation_in_force_is_named_in_the_error():
    disk = FakeDisk()
    store = begun(disk)
    store.commit(body(1))
    disk.fail(0, errno.ENOSPC, forever=True)
    with pytest.raises(StateWriteError, match=r"No space left.*generation 1 is in force") as caught:
        store.commit(body(2))
    assert caught.value.retryable
    assert store.seq == 1


def test_an_error_after_the_replace_leaves_open_which_one_is_in_force():
    """The replace fails, and the disk does not even say whether it happened."""
    for happened in (True, False):
        disk = FakeDisk()
        store = begun(disk)
        store.commit(body(1))
        at = replace_of_document(disk)
        disk.fail(at, errno.EIO, done=happened)
        disk.fail(at + 1, errno.EIO)
        with pytest.raises(StateWriteError, match="generation 1 or the one after it is in force"):
            store.commit(body(2))
        assert store.commit(body(2)).seq == (3 if happened else 2)
        assert decode(disk.files()[DOCUMENT]).body == body(2)


def replace_of_document(disk: FakeDisk) -> int:
    """Return how many operations a commit has before it replaces the document."""
    trial = disk.copy()
    store = begun(trial)
    first = len(trial.operations)
    store.commit(body(2))
    names = [(item.name, item.path) for item in trial.operations[first:]]
    made = sum(
        name in ("make_folder", "exists") or path in HOME.document(KEY).parents
        for name, path in names[: names.index(("replace", DOCUMENT))]
    )
    return names.index(("replace", DOCUMENT)) - made


def test_a_failed_sync_of_the_folder_is_a_commit_that_may_not_be_announced():
    disk = FakeDisk()
    store = begun(disk)
    store.commit(body(1))
    disk.fail(replace_of_document(disk) + 1, errno.EIO)
    assert store.commit(body(2)) == (2, False, False)
    disk.power_loss(0)
    assert begun(disk).seq == 1


def test_a_failed_sync_is_never_tried_again_on_the_same_file():
    synced: list[int] = []

    class Counting(FakeDisk):
        def sync(self, handle: int) -> None:
            synced.append(handle)
            super().sync(handle)

    disk, memory = Counting(), Memory()
    life = Life(disk, memory)
    for at in range(60):
        disk.heal()
        disk.fail(at % 31, errno.EIO)
        try:
            life.tick()
        except StateWriteError:
            continue
    assert len(synced) == len(set(synced)), "a descriptor was synced twice"


def test_fault_09_short_writes_are_continued(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:100]))
    store = DocumentStore(DiskFilesystem(durable=False), document(tmp_path))
    store.load()
    store.commit(body(3))
    assert decode(document(tmp_path).read_bytes()).body == body(3)


@pytest.mark.parametrize("answer", [0, BlockingIOError(errno.EAGAIN, "try again")])
def test_fault_09_a_disk_that_takes_nothing_is_an_error(tmp_path, monkeypatch, answer):
    store = DocumentStore(DiskFilesystem(durable=False), document(tmp_path))
    store.load()

    def write(handle, data):
        if isinstance(answer, OSError):
            raise answer
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", write)
        with pytest.raises(StateWriteError):
            store.commit(body(3))
    assert store.commit(body(3)).seq == 1


@pytest.mark.parametrize("error", [errno.EIO, errno.EACCES, errno.EMFILE])
@pytest.mark.parametrize("which", [DOCUMENT, BAK])
def test_fault_14_what_cannot_be_read_is_not_taken_for_damage(error, which):
    class Unreadable(FakeDisk):
        def read(self, path, *, limit, start=0):
            if path == which:
                raise OSError(error, os.strerror(error))
            return super().read(path, limit=limit, start=start)

    disk = Unreadable()
    disk.plant(DOCUMENT, b"damaged")
    disk.plant(BAK, b"damaged as well")
    before = disk.files()
    with pytest.raises(StateError, match=f"{which}.*{os.strerror(error)}") as caught:
        begun(disk)
    assert type(caught.value) is StateError
    assert disk.files() == before


def test_fault_14_out_of_file_handles_for_real(tmp_path):
    import resource

    store = DocumentStore(DiskFilesystem(), document(tmp_path))
    store.load()
    store.commit(body(1))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    kept = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
        while True:
            try:
                kept.append(os.open(os.devnull, os.O_RDONLY))
            except OSError:
                break
        with pytest.raises(StateError, match="Too many open files"):
            DocumentStore(DiskFilesystem(), document(tmp_path)).load()
        with pytest.raises(StateWriteError, match="Too many open files"):
            store.commit(body(2))
    finally:
        for handle in kept:
            os.close(handle)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert store.commit(body(2)).seq == 2


def test_fault_17_a_folder_that_was_deleted_is_made_again():
    disk, memory = FakeDisk(), Memory()
    life = Life(disk, memory)
    life.tick()
    disk.remove(HOME.data)
    committed = life.store.commit(body(2, [row(1), row(2)]))
    assert committed.renewed
    assert committed.seq == 2
    assert life.lock.held
    disk.power_loss(0)
    assert begun(disk).seq == 2
    assert Journal(disk, HOME.journal(KEY)).append([row(1), row(2)]) == 2


def test_fault_17_a_folder_that_was_deleted_is_made_again_without_a_lock_too():
    disk = FakeDisk()
    store = begun(disk)
    store.commit(body(1))
    disk.remove(HOME.data)
    assert store.commit(body(2)).renewed
    disk.power_loss(0)
    assert begun(disk).seq == 2


def test_fault_17_a_folder_that_is_moved_away_and_back_is_gone_on_with():
    disk = FakeDisk()
    store = begun(disk)
    store.commit(body(1))
    document = disk.files()[DOCUMENT]
    disk.remove(HOME.data)
    disk.fail(0, errno.EROFS, forever=True)
    with pytest.raises(StateWriteError):
        store.commit(body(2))
    disk.heal()
    disk.plant(DOCUMENT, document)
    assert store.commit(body(2)) == (2, True, False)


def test_fault_17_a_folder_that_another_run_has_taken_over_is_left_to_it():
    disk = FakeDisk()
    first = FileLock(disk, HOME.lock(KEY))
    first.acquire()
    store = DocumentStore(disk, DOCUMENT, guard=first.assure)
    store.load()
    store.commit(body(1))
    disk.remove(HOME.state)
    second = FileLock(disk, HOME.lock(KEY))
    second.acquire()
    with pytest.raises(StateLocked):
        store.commit(body(2))
    assert DOCUMENT not in disk.files()
    second.release()
    assert store.commit(body(2)).renewed


def test_fault_18_ten_thousand_leftovers_are_swept_and_nobody_elses():
    disk = FakeDisk()
    store = begun(disk)
    store.commit(body(1))
    others = DOCUMENT.with_name("ETHUSDT.json.7-1.tmp")
    for path in [others, *(DOCUMENT.with_name(f"{DOCUMENT.name}.7-{i}.tmp") for i in range(300))]:
        handle = disk.create(path)
        disk.close(handle)
    found = DocumentStore(disk, DOCUMENT).load()
    assert found.swept == 300
    assert sorted(disk.files()) == sorted([DOCUMENT, others])


def test_fault_18_a_sweep_has_a_bound(monkeypatch):
    monkeypatch.setattr("tradenb.store.loading._MOST_LEFTOVERS", 10)
    disk = FakeDisk()
    begun(disk).commit(body(1))
    for i in range(25):
        disk.close(disk.create(DOCUMENT.with_name(f"{DOCUMENT.name}.7-{i}.tmp")))
    assert [DocumentStore(disk, DOCUMENT).load().swept for _ in range(4)] == [10, 10, 5, 0]


def test_fault_18_leftovers_in_the_way_of_a_commit_are_passed_by():
    disk = FakeDisk()
    store = begun(disk, pid=7)
    for i in range(1, 30):
        disk.plant(DOCUMENT.with_name(f"{DOCUMENT.name}.7-{i}.tmp"), b"half a doc")
    disk.plant(BAK.with_name(f"{BAK.name}.tmp"), b"half a bak")
    store.commit(body(1))
    store.commit(body(2))
    assert decode(disk.files()[BAK]).body == body(1)


def test_a_commit_finds_a_free_name_or_gives_up():
    disk = FakeDisk()
    store = begun(disk, pid=7)
    for i in range(1, 250):
        disk.plant(DOCUMENT.with_name(f"{DOCUMENT.name}.7-{i}.tmp"), b"")
    for _ in range(2):
        with pytest.raises(StateWriteError, match="no free name"):
            store.commit(body(1))
    assert store.commit(body(1)).seq == 1


def test_fault_20_views_that_a_crash_left_behind_are_seen_and_rebuilt():
    disk, memory = FakeDisk(), Memory()
    Life(disk, memory).tick()
    for path in run_views(HOME, begun(disk).load().generation):
        for damaged in (b"", b"{", b'{"seq": 0}\n'):
            disk.restart()
            disk.plant(path, damaged)
            views = run_views(HOME, begun(disk).load().generation)
            assert list(behind(disk, views)) == [path]
            Life(disk, memory)
            assert not behind(disk, views)


def test_fault_21_a_commit_that_hangs_is_not_overtaken_by_the_next_one():
    reached, go_on = threading.Event(), threading.Event()

    class Hanging(FakeDisk):
        def sync(self, handle: int) -> None:
            reached.set()
            assert go_on.wait(30)
            super().sync(handle)

    disk = Hanging()
    store = begun(disk)
    hanging = threading.Thread(target=store.commit, args=(body(1),))
    hanging.start()
    assert reached.wait(30)
    with pytest.raises(StateWriteError, match="has not ended yet"):
        store.commit(body(2))
    go_on.set()
    hanging.join()
    assert store.commit(body(2)).seq == 2


def begun(disk: FakeDisk, *, pid: int = 1) -> DocumentStore:
    store = DocumentStore(disk, DOCUMENT, pid=pid)
    store.load()
    return store


def document(tmp_path):
    return Home(tmp_path).document(KEY)
