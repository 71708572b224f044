"""When a rehearsal is done, and when it only waits for somebody who goes on with it."""

from __future__ import annotations

import pytest

import tradenb as tn
from tests.live.fast import until
from tests.sources import exchange, flat, minute
from tradenb.cli import main
from tradenb.live.live_run import record_of
from tradenb.live.status.run_files import RunFiles
from tradenb.live.status.run_status import status_of_document
from tradenb.panel.watch_runs import Watch
from tradenb.store.paths import Home, Key

LONG, SHORT = minute(600), minute(30)


@tn.strategy("calm", every="1m")
def calm(ctx):
    return None


@pytest.fixture
def rehearse(tmp_path):
    source = exchange(flat(600))

    def start(**more):
        return tn.live.rehearse("BTCUSDT", strategy=calm, exchange=source, home=tmp_path, **more)

    return start


@pytest.fixture
def statuses(tmp_path, capsys):
    """Tell what everybody says who looks at the files."""

    def look():
        (handle,) = tn.live.attach(tmp_path, ended=True)
        (row,) = tn.live.list(tmp_path).to_dict("records")
        found = RunFiles(Home(tmp_path).rehearsal, Key("calm", "BTCUSDT")).required()
        watch = Watch(tmp_path, runs=list)
        (seen,) = watch.poll()
        watch.close()
        assert main(["status", "--home", str(tmp_path)]) == 0
        listed = capsys.readouterr().out.splitlines()[1].split()[2]
        return {handle.status, row["status"], found.status, seen.status.status, listed}

    return look


@pytest.mark.no_cover
@pytest.mark.realtime
def test_a_rehearsal_that_a_start_goes_on_with_is_idle_until_it_comes_to_its_end(
    rehearse, statuses
):
    run = rehearse(speed=60)
    until(lambda: record_of(run).committed, "a commit")
    assert statuses() == {"running"}
    run.release()
    assert run.wait(240)
    left = record_of(run).committed.cursor
    assert run.status == "idle"
    assert statuses() == {"idle"}
    (handle,) = tn.live.attach(record_of(run).storage.home.parent, ended=True)
    with pytest.raises(tn.StateError, match="BTCUSDT:calm is idle; only a running run takes stop"):
        handle.stop()

    again = rehearse(speed=None)
    assert again.wait(240)
    assert record_of(again).last_ticks[0].at > left
    assert again.status == "done"
    assert statuses() == {"done"}
    handle.stop()  # twice is once


@pytest.mark.realtime
def test_a_rehearsal_that_was_stopped_is_done_before_its_end(rehearse, statuses):
    run = rehearse(speed=60)
    until(lambda: record_of(run).committed, "a commit")
    run.stop()
    assert run.wait(240)
    assert record_of(run).committed.cursor < LONG
    assert run.status == "done"
    assert statuses() == {"done"}


@pytest.mark.realtime
def test_the_end_is_that_of_the_last_start(rehearse, statuses):
    assert rehearse(speed=None, end=SHORT).wait(240)
    assert statuses() == {"done"}
    longer = rehearse(speed=60)
    until(
        lambda: record_of(longer).committed and record_of(longer).committed.cursor > SHORT,
        "a commit",
    )
    longer.release()
    assert longer.wait(240)
    assert statuses() == {"idle"}


@pytest.mark.parametrize("body", [None, {"state": {"done": False, "cursor": LONG}}])
def test_what_names_no_end_has_ended_only_if_it_was_stopped(body):
    assert status_of_document(body, locked=False) == "idle"
    ended = {"state": {"done": True, "cursor": SHORT}}
    assert status_of_document(ended, locked=False) == "done"
    assert status_of_document(ended, locked=True) == "running"
