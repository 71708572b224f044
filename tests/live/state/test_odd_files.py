"""Fault 92: older documents, views and journals that are not as they should be, deleted files."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

import tradenb as tn
from tests.live.fakes import once, until, world_of
from tests.live.fast import until as wait_until
from tests.live.mortal import event, kept, mortal, storage_at
from tests.sources import candles, flat, minute
from tradenb.engine.serialise import event_to_row
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import SpecError, StateCorrupt
from tradenb.live.attached_run import attached
from tradenb.live.state.disk_storage import DiskStorage
from tradenb.live.status.listing import statuses
from tradenb.panel.watch_runs import Watch
from tradenb.store.control import kill_switch
from tradenb.store.home_check import check_home
from tradenb.store.paths import Home, Key
from tradenb.testing.world.fake_disk import FakeDisk
from tradenb.testing.world.simulated_world import Action, Process, World

KEY = Key("mortal", "BTCUSDT")


def saved(folder, count: int):
    """Commit so many times; each event is in the outbox of its document, then in the journal."""
    storage = storage_at(folder)
    storage.open()
    for number in range(1, count + 1):
        storage.commit(kept(number, (event(number),)))
        storage.announce()
    storage.close()
    return storage


def numbers(folder) -> list[int]:
    return [each.seq for each in storage_at(folder).events()]


def test_fault_92_an_older_document_with_an_outbox_cuts_no_later_event(tmp_path, caplog):
    saved(tmp_path, 1)
    document = Home(tmp_path).document(KEY)
    older = document.read_bytes()
    saved(tmp_path, 4)
    document.write_bytes(older)
    document.with_name(f"{document.name}.bak").unlink()
    storage = storage_at(tmp_path)
    opened = storage.open()
    storage.journal.append([event_to_row(event(1))])
    storage.journal.append([event_to_row(event(5))])
    storage.close()
    assert opened.last_seq == 4
    assert numbers(tmp_path) == [1, 2, 3, 4, 5]
    assert "is older than its journal, which goes on to event 4" in caplog.text


def test_fault_92_a_view_that_cannot_be_written_does_not_refuse_the_start(tmp_path, caplog):
    saved(tmp_path, 2)
    view = Home(tmp_path).view("signal", KEY)
    view.unlink()
    view.mkdir()
    (view / "something").write_text("in the way")
    storage = storage_at(tmp_path)
    assert storage.open() is not None
    storage.close()
    assert "views could not be written" in caplog.text


def odd_row(home: Home) -> None:
    with home.journal(KEY).open("a") as file:
        file.write(json.dumps({"seq": 99, "kind": "opened"}) + "\n")


def odd_lock(home: Home) -> None:
    home.lock(KEY).unlink()
    home.lock(KEY).mkdir()


@pytest.mark.parametrize("spoil", [odd_row, odd_lock])
def test_fault_92_one_odd_file_is_named_and_the_other_runs_are_shown(tmp_path, spoil):
    saved(tmp_path, 2)
    other = tmp_path / "data/state/other"
    other.mkdir(parents=True)
    home = Home(tmp_path)
    good = tn.strategy("other", every="1m")(mortal.function)

    storage = DiskStorage(home, "ETHUSDT", good, "made-up", now=lambda: 0)
    storage.open()
    storage.commit(
        kept(1, ())._replace(state=kept(1, ()).state._replace(symbol="ETHUSDT", strategy="other"))
    )
    storage.close()
    spoil(home)
    assert {status.id for status in statuses([], home)} == {"BTCUSDT:mortal", "ETHUSDT:other"}
    assert {run.id for run in attached(tmp_path, ended=True)} >= {"ETHUSDT:other"}
    assert len(tn.live.list(tmp_path)) == 2
    watch = Watch(tmp_path)
    found = {each.status.id: each for each in watch.poll()}
    watch.close()
    assert set(found) == {"BTCUSDT:mortal", "ETHUSDT:other"}
    words = found["BTCUSDT:mortal"].replica.missing + found["BTCUSDT:mortal"].status.error
    assert "row 99 is not an event" in words or "lock cannot be read" in words
    assert found["ETHUSDT:other"].replica.missing == ""


def test_fault_92_a_run_whose_document_was_deleted_does_not_begin_anew_with_an_open_position():
    world = world_of(once(2), flat(60))
    world.live(until(5))
    document = world.home.document(Key("a", "BTCUSDT"))
    world.disk.unlink(document)
    world.disk.unlink(document.with_name(f"{document.name}.bak"))
    with pytest.raises(StateCorrupt, match=r"Put the document back .* or move"):
        world.process()


def test_fault_92_a_run_whose_document_was_deleted_begins_anew_where_nothing_is_open():
    world = world_of(once(2, minutes=3), flat(60))
    world.live(until(8))
    document = world.home.document(Key("a", "BTCUSDT"))
    world.disk.unlink(document)
    world.disk.unlink(document.with_name(f"{document.name}.bak"))
    world.live(until(12))
    assert world.checkpoint(world.wanted[0]).state.signal is None


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize(("text", "says"), [("flatten\r\n", "flatten"), ("stop all", "halt")])
def test_fault_92_a_kill_switch_written_by_a_windows_shell_says_what_it_says(encoding, text, says):
    disk, home = FakeDisk(), Home(Path("/home"))
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    disk.plant(home.kill, mark + text.encode(encoding))
    assert kill_switch(disk, home.kill) == says


@pytest.mark.parametrize("name", ["a" * 121, "A" * 41, "ä" * 21])
def test_fault_92_a_name_that_live_files_cannot_have_is_refused_at_once(name):
    with pytest.raises(SpecError, match="120"):
        tn.strategy(name, every="1m")(lambda ctx: None)


@pytest.mark.parametrize("name", ["a" * 120, "A" * 40, "ä" * 20])
def test_the_longest_names_are_taken_live_as_well(name):
    spec = tn.strategy(name, every="1m")(lambda ctx: None)
    assert len(Home(Path("/h")).document(Key(spec.name, "BTC")).parent.name) <= 120


@pytest.mark.realtime
def test_fault_92_released_runs_leave_no_idle_threads(quick):
    spec = tn.strategy("idle", every="1m")(lambda ctx: None)
    runs = [quick.start(spec, symbol=f"C{n}USDT") for n in range(6)]
    wait_until(lambda: all(len(run.ticks()) for run in runs), "ticks")
    for run in runs:
        run.release()
    assert all(run.wait(240) for run in runs)

    def idle():
        return [each for each in threading.enumerate() if each.name == "tradenb-worker"]

    wait_until(lambda: len(idle()) <= 2, "the end of the threads")


def test_views_are_written_when_they_show_something_else():
    """Their number is that of the document that they were made from; later ones show the same."""
    run = ("BTCUSDT", StrategySpec(name="once", function=once(11), every="1m"))
    world = World({"BTCUSDT": candles(flat(40))}, start=minute(8) + 30_000, runs=[run])
    home, key, seen = world.home, Key("once", "BTCUSDT"), []

    def look(process: Process) -> None:
        files = world.disk.files()
        document = json.loads(files[home.document(key)])
        views = [json.loads(files[path]) for path in home.views(key).values()]
        numbers = {view["seq"] for view in views}
        seen.append((document["seq"], numbers, "id" in views[0]))
        assert not [each for each in check_home(world.disk, home) if each.verdict == "stale"]

    world.live(minute(14), [Action(minute(at) + 30_000, look) for at in (10, 11, 13)])
    (idle, first, _), (opened, then, is_shown), (later, still, _) = seen
    assert idle > 1
    assert first == {1}
    assert is_shown
    assert then == still == {opened}
    assert later > opened
