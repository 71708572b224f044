"""Watching runs of this process and of others, through their files."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

import tradenb as tn
from tests.live.fast import until
from tests.store.samples import body
from tradenb.engine.serialise import event_to_row
from tradenb.live.live_run import record_of
from tradenb.panel.dashboard_model import DashboardModel
from tradenb.panel.watch_runs import MOST_RUNS, Watch, _newest
from tradenb.store.document.commit import encode
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.paths import Key, find_home

KEY = Key("swing", "BTCUSDT")
SHORT = "2024-01-02T06:00"


def nobody():
    return []


def watch(**more):
    return Watch(find_home().root, **more)


def one(runs):
    (run,) = runs
    return run


def told(status):
    """What a status says wherever it was made: all but clocks, counts and the rules."""
    names = ("given_rules", "last_tick", "age_s", "ticks", "intake")
    given = {name: value for name, value in asdict(status).items() if name not in names}
    return {**given, "status_text": status.status_text, "holds": status.holds}


@pytest.mark.realtime
def test_a_run_of_this_process_is_seen_with_its_price_and_position(rehearse):
    run = rehearse(speed=3_000)
    seen = watch()
    until(lambda: run.position and run.ticks().shape[0], "a position")
    found = one(seen.poll())
    assert (found.status.status, found.status.mode) == ("running", "rehearsal")
    assert found.status.price is not None
    assert found.candles is not None
    seen.close()


@pytest.mark.no_cover
@pytest.mark.realtime
def test_a_finished_run_is_the_same_seen_from_here_and_from_its_files(rehearse, swing, market):
    run = rehearse(end="2024-01-02T12:00")
    assert run.wait(240)
    here, elsewhere = (
        one(watch(runs=lambda: [record_of(run)]).poll()),
        one(watch(runs=nobody).poll()),
    )
    assert vars(here.replica) == vars(elsewhere.replica)
    assert told(here.status) == told(elsewhere.status)
    wanted = tn.backtest.run(
        "BTCUSDT", strategy=swing, exchange=market, start="2024-01-02", end="2024-01-02T12:00"
    )
    assert list(elsewhere.replica.trades) == wanted.trade_list
    assert elsewhere.replica.agrees(elsewhere.status.state.signal)


@pytest.mark.realtime
def test_a_run_that_was_released_in_a_position_is_the_same_from_here_and_from_its_files(rehearse):
    run = rehearse(speed=3_000)
    until(lambda: run.position, "a position")
    run.release()
    assert run.wait(240)
    here = one(watch(runs=lambda: [record_of(run)]).poll()).status
    elsewhere = one(watch(runs=nobody).poll()).status
    assert told(here) == told(elsewhere)
    assert here.status_text == "idle"


@pytest.mark.no_cover
@pytest.mark.realtime
def test_fault_101_the_price_of_a_run_elsewhere_is_drawn_from_what_it_went_through(rehearse):
    run = rehearse(end=SHORT)
    assert run.wait(240)
    here, elsewhere = (
        DashboardModel(watch(runs=runs)) for runs in (lambda: [record_of(run)], nobody)
    )
    for model in (here, elsewhere):
        model.poll()
    assert elsewhere.pictures["price"].startswith("<svg")
    ours = record_of(run).instance.candles
    theirs = elsewhere.watch.recorded_candles(elsewhere.locations()["rehearsal:BTCUSDT:swing"])
    assert theirs.end == ours.end
    assert theirs.close.tolist() == ours.close.tolist()[-len(theirs) :]
    assert len(theirs) > 300


def test_candles_with_a_gap_keep_their_times_and_none_come_from_nothing():
    def candle(minute):
        return [minute * 60_000, 1.0, 1.0, 1.0, 1.0, 1.0]

    found = _newest([candle(minute) for minute in (0, 1, 5, 6, 7)])
    assert (found.time // 60_000).tolist() == [0, 1, 5, 6, 7]
    assert _newest([]) is None
    assert len(_newest([candle(0)])) == 1


@pytest.mark.realtime
def test_the_position_is_the_same_for_a_dashboard_that_is_made_anew(rehearse):
    run = rehearse(end=SHORT)
    assert run.wait(240)
    models = [DashboardModel(watch(runs=nobody)) for _ in range(2)]
    for model in models:
        model.poll()
    first, second = (json.dumps([b.rows, b.pictures, list(b.events)]) for b in models)
    assert first == second
    assert models[0].events


@pytest.mark.realtime
def test_the_price_of_a_run_elsewhere_is_that_of_its_last_candle(rehearse):
    run = rehearse(end=SHORT)
    assert run.wait(240)
    status = one(watch(runs=nobody).poll()).status
    newest = run.ticks().iloc[-1]
    assert status.price == newest.price
    assert status.state.cursor == record_of(run).committed.cursor


@pytest.mark.realtime
def test_files_that_have_not_changed_are_not_read_again(rehearse, monkeypatch):
    assert rehearse(end=SHORT).wait(240)
    seen = watch(runs=nobody)
    before = one(seen.poll())

    def forbidden(*args):
        raise AssertionError("it was read again")

    monkeypatch.setattr("tradenb.live.status.run_files.glance", forbidden)
    monkeypatch.setattr(Journal, "read", forbidden)
    monkeypatch.setattr(Journal, "tail", forbidden)
    assert one(seen.poll()).status.state == before.status.state


@pytest.mark.realtime
def test_a_hole_in_the_journal_is_said(rehearse):
    assert rehearse(end=SHORT).wait(240)
    path = find_home().rehearsal.journal(KEY)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3] + lines[5:]))
    found = one(watch(runs=nobody).poll())
    assert found.replica.missing == "events 4 to 5 are missing from the journal"
    assert found.replica.last_seq == len(lines)


@pytest.mark.realtime
def test_events_that_are_appended_later_are_folded_in(rehearse, tmp_path):
    assert rehearse(end=SHORT).wait(240)
    seen = watch(runs=nobody)
    before = one(seen.poll()).replica
    newest = before.last_seq
    event = before.events[-1]._replace(seq=newest + 1, kind="skipped")
    Journal(DiskFilesystem(), find_home().rehearsal.journal(KEY)).append([event_to_row(event)])
    after = one(seen.poll()).replica
    assert after.last_seq == newest + 1
    assert after.missing == ""


@pytest.mark.realtime
def test_a_document_that_cannot_be_read_is_a_row_that_says_so(rehearse):
    assert rehearse(end=SHORT).wait(240)
    document = find_home().rehearsal.document(KEY)
    document.write_text("not json")
    document.with_name(f"{document.name}.bak").write_text("not json either")
    model = DashboardModel(watch(runs=nobody))
    model.poll()
    assert str(document) in one(model.watch.poll()).status.error


@pytest.mark.no_cover
@pytest.mark.realtime
def test_an_error_of_the_loop_is_shown_with_its_traceback(rehearse):
    run = rehearse(end=SHORT)
    assert run.wait(240)  # no good tick clears the error
    try:
        raise ValueError("a planted fault")
    except ValueError as error:
        record_of(run).error = error
    status = one(watch(runs=lambda: [record_of(run)]).poll()).status
    assert status.error == "a planted fault"
    assert "raise ValueError" in status.trace


def test_an_empty_home_shows_nothing():
    model = DashboardModel(watch(runs=nobody))
    assert model.poll() == []
    assert (model.rows, model.pictures, model.health["level"]) == ([], {}, "empty")


def kept(symbol, n):
    """Put a document of a run that no process holds under the home; `n` says what it holds."""
    found = json.loads(json.dumps(body(n)).replace("BTCUSDT", symbol))
    document = find_home().document(Key("dip", symbol))
    document.parent.mkdir(parents=True, exist_ok=True)
    document.write_bytes(encode(1, found))


def test_of_more_runs_than_are_shown_those_come_first_that_nobody_watches():
    for number in range(MOST_RUNS + 20):
        kept(f"A{number:03}", 5)
    kept("ZZZ", 3)
    model = DashboardModel(watch(runs=nobody))
    model.poll()
    assert (model.rows[0]["symbol_name"], len(model.rows)) == ("ZZZ", MOST_RUNS)
    assert model.more == 21
    assert model.health["level"] == "bad"


@pytest.mark.realtime
def test_looking_writes_nothing(rehearse):
    assert rehearse(end=SHORT).wait(240)
    root = find_home().root

    def files():
        return {
            path: path.stat().st_mtime_ns
            for folder, _, names in os.walk(root)
            for path in (Path(folder) / name for name in names)
        }

    before = files()
    watch(runs=nobody).poll()
    assert files() == before
