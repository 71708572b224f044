"""Looking at runs of this process and of others, through their files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import tradenb as tn
from tests.live.fast import until
from tradenb.engine.serialise import event_to_row
from tradenb.live.live_run import record_of
from tradenb.panel.dashboard_model import Board
from tradenb.panel.watch_runs import Watch
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.paths import Key, find_home

KEY = Key("swing", "BTCUSDT")
SHORT = "2024-01-02T06:00"


def nobody():
    return []


def watch(**more):
    return Watch(find_home().root, **more)


def one(found):
    (look,) = found
    return look


def test_a_run_of_this_process_is_seen_with_its_price_and_position(rehearse):
    run = rehearse(speed=3_000)
    seen = watch()
    until(lambda: run.position and run.ticks().shape[0], "a position")
    look = one(seen.look())
    assert (look.facts.status, look.facts.mode, look.facts.here) == ("running", "rehearsal", True)
    assert look.facts.price is not None
    assert look.facts.candles is not None
    seen.close()


def test_a_finished_run_is_the_same_seen_from_here_and_from_its_files(rehearse, swing, market):
    run = rehearse()
    assert run.wait(60)
    here, elsewhere = (
        one(watch(runs=lambda: [record_of(run)]).look()),
        one(watch(runs=nobody).look()),
    )
    assert vars(here.story) == vars(elsewhere.story)
    assert here.facts.state == elsewhere.facts.state
    wanted = tn.backtest.run(
        "BTCUSDT", strategy=swing, exchange=market, start="2024-01-02", end="2024-01-02T12:00"
    )
    assert list(elsewhere.story.trades) == wanted.trade_list
    assert elsewhere.story.agrees(elsewhere.facts.state.signal)


def test_the_position_is_the_same_for_a_dashboard_that_is_made_anew(rehearse):
    run = rehearse(end=SHORT)
    assert run.wait(60)
    boards = [Board(watch(runs=nobody)) for _ in range(2)]
    for board in boards:
        board.look()
    first, second = (json.dumps([b.rows, b.pictures, list(b.events)]) for b in boards)
    assert first == second
    assert boards[0].events


def test_the_price_of_a_run_elsewhere_is_that_of_its_last_candle(rehearse):
    run = rehearse(end=SHORT)
    assert run.wait(60)
    facts = one(watch(runs=nobody).look()).facts
    newest = run.ticks().iloc[-1]
    assert facts.price == newest.price
    assert facts.state.cursor == record_of(run).committed.cursor


def test_files_that_have_not_changed_are_not_read_again(rehearse, monkeypatch):
    assert rehearse(end=SHORT).wait(60)
    seen = watch(runs=nobody)
    before = one(seen.look())

    def forbidden(*args):
        raise AssertionError("it was read again")

    monkeypatch.setattr("tradenb.panel.watch_runs.read_document", forbidden)
    monkeypatch.setattr(Journal, "read", forbidden)
    monkeypatch.setattr(Journal, "tail", forbidden)
    assert one(seen.look()).facts.state == before.facts.state


def test_a_hole_in_the_journal_is_said(rehearse):
    assert rehearse(end=SHORT).wait(60)
    path = find_home().rehearsal.journal(KEY)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3] + lines[5:]))
    look = one(watch(runs=nobody).look())
    assert look.story.missing == "events 4 to 5 are missing from the journal"
    assert look.story.last_seq == len(lines)


def test_events_that_are_appended_later_are_folded_in(rehearse, tmp_path):
    assert rehearse(end=SHORT).wait(60)
    seen = watch(runs=nobody)
    before = one(seen.look()).story
    newest = before.last_seq
    event = before.events[-1]._replace(seq=newest + 1, kind="skipped")
    Journal(DiskFilesystem(), find_home().rehearsal.journal(KEY)).append([event_to_row(event)])
    after = one(seen.look()).story
    assert after.last_seq == newest + 1
    assert after.missing == ""


def test_a_document_that_cannot_be_read_is_a_row_that_says_so(rehearse):
    assert rehearse(end=SHORT).wait(60)
    document = find_home().rehearsal.document(KEY)
    document.write_text("not json")
    document.with_name(f"{document.name}.bak").write_text("not json either")
    board = Board(watch(runs=nobody))
    board.look()
    assert str(document) in one(board.watch.look()).facts.error


def test_an_error_of_the_loop_is_shown_with_its_traceback(rehearse):
    run = rehearse(speed=600)
    until(lambda: run.ticks().shape[0], "a tick")
    try:
        raise ValueError("a planted fault")
    except ValueError as error:
        record_of(run).error = error
    facts = one(watch(runs=lambda: [record_of(run)]).look()).facts
    if run.error is not None:  # no good tick came between
        assert facts.error == "a planted fault"
        assert "raise ValueError" in facts.trace


def test_an_empty_home_shows_nothing():
    board = Board(watch(runs=nobody))
    assert board.look() == []
    assert (board.rows, board.pictures, board.health["level"]) == ([], {}, "empty")


def test_looking_writes_nothing(rehearse):
    assert rehearse(end=SHORT).wait(60)
    root = find_home().root

    def files():
        return {
            path: path.stat().st_mtime_ns
            for folder, _, names in os.walk(root)
            for path in (Path(folder) / name for name in names)
        }

    before = files()
    watch(runs=nobody).look()
    assert files() == before
