"""One status of a run, in this process and in every other: starting, failing, old code, stopped."""

from __future__ import annotations

import os
import re
import threading

import pytest

import tradenb as tn
from tests.live.fast import RULES, rows, until
from tradenb.cli import main
from tradenb.live.live_run import record_of
from tradenb.live.state.error_file import ErrorFile, noted_error
from tradenb.live.status.run_files import RunFiles
from tradenb.live.status.status_of_run import status_of_run
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Key, find_home


def opens(ctx):
    return tn.long(take_profit=150.0, stop_loss=85.0, minutes=1_000)


@pytest.fixture
def line(quick):
    """An exchange whose line can be cut or held up."""

    class Line:
        cut = False
        clear = threading.Event()

    Line.clear.set()

    @tn.exchange("line", now=quick.clock.now)
    def line(symbol, since, limit):
        assert Line.clear.wait(240)
        if Line.cut:
            raise LookupError("the line is dead")
        return rows(since, limit, quick.clock.now())

    Line.exchange = line
    return Line


def start(quick, line, **more):
    strategy = tn.strategy("opens", every="1m")(opens)
    rules = RULES.model_copy(update={"candle_retries": 0})
    return quick.start(strategy, exchange=line.exchange, rules=rules, **more)


def with_position(quick, line):
    run = start(quick, line)
    until(lambda: record_of(run).committed and run.position, "a position on disk")
    return run


@pytest.mark.realtime
def test_fault_96_after_a_resume_the_position_is_there_at_once_and_starting_is_said(quick, line):
    run = with_position(quick, line)
    run.release()
    assert run.wait(240)
    held, line.clear = run.position, threading.Event()
    again = start(quick, line)
    try:
        assert (again.position.id, again.status) == (held.id, "running")
        card = again._repr_html_()
        assert "starting" in repr(again)
        assert "starting: its first candles are being fetched" in card
        assert "nothing open" not in card
        assert " · price 10" in card
        (handle,) = tn.live.attach()
        assert (handle.position.id, "starting" in repr(handle)) == (held.id, True)
    finally:
        line.clear.set()
    until(lambda: record_of(again).last_ticks, "a tick")
    assert "starting" not in again._repr_html_()


@pytest.mark.realtime
def test_a_card_says_of_what_moment_it_is(quick, line):
    card = start(quick, line)._repr_html_()
    assert re.search(r"· as of 20\d\d-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC</p>", card)


@pytest.mark.realtime
def test_fault_99_a_failing_exchange_is_failing_for_every_process_and_heals_for_every_process(
    quick, line, capsys
):
    run = start(quick, line)
    until(lambda: record_of(run).last_ticks, "a tick")
    line.cut = True
    files = RunFiles(find_home(), Key("opens", "BTCUSDT"))
    until(lambda: files.status().error, "the error on disk")
    ours, theirs = status_of_run(record_of(run)), files.status()
    assert (ours.label, ours.error) == (theirs.label, theirs.error)
    assert "the line is dead" in theirs.error
    assert theirs.label == "failing"
    assert main(["status"]) == 1
    said = capsys.readouterr().out
    assert "failing" in said
    assert "the line is dead" in said
    assert main(["doctor"]) == 1
    assert "! failing: BTCUSDT:opens: " in capsys.readouterr().out
    line.cut = False
    until(lambda: not files.status().error, "the end of the error")
    assert files.status().label == status_of_run(record_of(run)).label == "running"
    assert main(["status"]) == 0


@pytest.mark.realtime
def test_what_a_dead_process_ran_into_is_its_last_error_and_not_its_state_now(quick, line, capsys):
    run = with_position(quick, line)
    line.cut = True
    files = RunFiles(find_home(), Key("opens", "BTCUSDT"))
    until(lambda: files.status().error, "the error on disk")
    run.release()
    assert run.wait(240)
    status = files.status()
    assert (status.label, status.error) == ("unwatched long", "")
    assert "the line is dead" in status.last_error


def test_repeats_of_an_error_are_counted_and_a_disk_that_refuses_is_no_matter(tmp_path):
    disk, path = DiskFilesystem(durable=False), tmp_path / "error" / "a.json"
    file = ErrorFile(disk, path, lambda: True)
    assert not file.is_noted
    for now in (1_000, 2_000, 3_000):
        file.note(tn.CandleError("late", code="range"), [], now)
    found = noted_error(disk, path)
    assert (found.error, found.since, found.last, found.times) == ("late", 1_000, 3_000, 3)
    assert file.is_noted
    file.note(None, ["candles come late"], 4_000)
    found = noted_error(disk, path)
    assert (found.error, found.warnings) == ("", ("candles come late",))
    assert file.is_noted
    file.note(None, [], 5_000)
    assert not file.is_noted
    path.write_text("{")
    assert noted_error(disk, path) is None
    path.parent.joinpath("b").touch()
    ErrorFile(disk, path.parent / "b" / "c.json", lambda: True).note(ValueError(), [], 1)


@pytest.mark.realtime
def test_a_run_that_cannot_save_as_the_disk_takes_nothing_is_failing_for_every_process(
    quick, line, capsys, monkeypatch
):
    with_position(quick, line)
    files, found = RunFiles(find_home(), Key("opens", "BTCUSDT")), list(os.statvfs("/"))
    for changes, words in (
        ({4: 0}, "has room for 0 bytes: a save of the state may fail; make room"),
        ({8: os.ST_RDONLY}, "is read-only, so the run cannot save its state; remount its disk"),
    ):
        disk = os.statvfs_result([changes.get(at, each) for at, each in enumerate(found)])
        with monkeypatch.context() as patch:
            patch.setattr(os, "statvfs", lambda _, disk=disk: disk)
            status = files.status()
            assert (status.label, words in status.trouble) == ("failing", True)
            assert main(["status"]) == 1
            assert words in capsys.readouterr().out
        assert (files.status().label, files.status().error) == ("running", "")
        assert main(["status"]) == 0


@pytest.mark.realtime
def test_fault_98_a_cell_that_is_run_again_says_which_code_goes_on(quick, line, caplog):
    run = start(quick, line)
    until(lambda: record_of(run).last_ticks, "a tick")
    caplog.clear()
    assert start(quick, line) is run
    assert caplog.text == ""

    newer = tn.strategy("opens", every="5m")(opens)
    again = quick.start(newer, exchange=line.exchange, rules=record_of(run).rules)
    assert again is run
    words = "release and start again to take the new"
    assert "BTCUSDT:opens runs the code of " in caplog.text
    assert words in caplog.text
    assert words in run._repr_html_()
    assert words in run.report()


@pytest.mark.realtime
def test_fault_98_a_run_that_was_stopped_says_so_when_it_is_started_again(quick, line, caplog):
    run = start(quick, line)
    until(lambda: record_of(run).committed, "a commit")
    run.stop()
    run.flatten()
    assert run.wait(240)
    again = start(quick, line)
    words = "a new run: the one before it was stopped and ended at "
    assert words in caplog.text
    assert words in again._repr_html_()


@pytest.mark.realtime
@pytest.mark.parametrize("acted", [True, False])
def test_a_run_that_is_stopping_says_so_when_it_is_started_again(quick, line, caplog, acted):
    run = with_position(quick, line)
    run.stop()
    until(lambda: record_of(run).committed.stopping or not acted, "the stop")
    run.release()
    assert run.wait(240)
    again = start(quick, line)
    assert "it was asked to stop before and goes on stopping" in caplog.text
    assert "it was asked to stop before" in again._repr_html_()
