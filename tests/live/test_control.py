"""Requests from outside, through control files, while the loop runs; and the memo of runs."""

from __future__ import annotations

import json

import pytest

import tradenb as tn
from tests.live.fast import RULES, market, until
from tradenb.cli import main
from tradenb.live.state.disk_storage import DiskStorage
from tradenb.store.control import send
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Key, find_home

pytestmark = pytest.mark.realtime


@pytest.fixture
def opens():
    @tn.strategy("opens", every="1m")
    def opens(ctx):
        return tn.long(take_profit=150.0, stop_loss=85.0, minutes=1_000)

    return opens


@pytest.fixture
def waits():
    @tn.strategy("waits", every="1m")
    def waits(ctx):
        return tn.long(entry=90.0, take_profit=150.0, stop_loss=80.0, minutes=1_000)

    return waits


def has(run, column, value):
    """Whether an event is in the journal."""
    return value in set(run.events()[column])


def attached():
    found = tn.live.attach()
    assert len(found) == 1
    return found[0]


def test_stop_follows_the_position_and_flatten_closes_it(quick, opens):
    run = quick.start(opens)
    until(lambda: run.position, "a position")
    handle = until(tn.live.attach, "the run on disk")[0]
    handle.stop()
    until(lambda: run.stopping, "the stop")
    until(lambda: handle.position, "the position on disk")
    assert run.status == "running"
    handle.flatten()
    assert handle.wait(240)
    until(lambda: run.status == "done", "the end")
    closed = run.events().iloc[-1]
    assert (closed.kind, closed.exit_reason) == ("closed", "flattened")
    assert handle.status == "done"


def test_cancel_ends_what_waits_for_its_entry(quick, waits):
    run = quick.start(waits)
    until(lambda: run.scheduled, "a scheduled signal")
    until(lambda: attached().scheduled, "it on disk")
    attached().cancel(cancel_id="by hand")
    until(lambda: has(run, "kind", "cancelled"), "the cancellation")
    cancelled = run.events().query("kind == 'cancelled'").iloc[0]
    assert (cancelled.exit_reason, "by hand" in cancelled.note) == ("user", True)


def test_release_keeps_the_position_and_the_next_start_resumes_it(quick, opens):
    run = quick.start(opens)
    until(lambda: run.position, "a position")
    held = run.position
    until(tn.live.attach, "the run on disk")
    attached().release()
    until(lambda: run.status == "idle", "the release")
    # it was meant for this holder: nothing is left for the next one to obey
    assert list(find_home().control(Key("opens", "BTCUSDT")).iterdir()) == []
    again = quick.start(opens)
    until(lambda: again.position, "the position")
    assert again.position == held
    assert (again.events().kind == "opened").sum() == 1


def test_a_request_is_not_lost_when_the_state_that_obeys_it_was_not_saved(quick, opens):
    home, key = find_home(), Key("opens", "BTCUSDT")
    storage = DiskStorage(home, "BTCUSDT", opens, "x", now=quick.clock.now)
    storage.open()
    send(DiskFilesystem(), home, key, "stop", wall=1)
    found = storage.poll().requests
    storage.accept(found)
    assert storage.poll().requests == []
    assert len(list(home.control(key).iterdir())) == 1  # nothing was committed
    storage.close()


def test_fault_27_a_cell_that_is_run_twice_gets_the_run_it_started(quick, opens):
    run = quick.start(opens)
    assert quick.start(opens) is run
    with pytest.raises(tn.AlreadyRunning, match="rules \\(fee_percent\\)"):
        quick.start(opens, rules=RULES.model_copy(update={"fee_percent": 0.05}))
    with pytest.raises(tn.AlreadyRunning, match="exchange \\(runs on 'quick'\\)"):
        quick.start(opens, exchange=market(quick.clock, "another"))
    with pytest.raises(tn.AlreadyRunning, match="home"):
        quick.start(opens, home="/elsewhere")


def test_a_second_desk_finds_the_run_locked(quick, make_quick, opens):
    quick.start(opens)
    with pytest.raises(tn.StateLocked, match="process"):
        make_quick().start(opens)


def test_the_kill_switch_closes_everything(quick, opens):
    run = quick.start(opens)
    until(lambda: run.position, "a position")
    kill = find_home().kill
    kill.write_text("flatten")
    until(lambda: has(run, "exit_reason", "flattened"), "the flattening")
    until(lambda: has(run, "exit_reason", "halted"), "the halt")
    assert run.position is None


def test_status_says_that_the_kill_switch_is_on(capsys):
    assert main(["status"]) == 0
    assert "kill switch" not in capsys.readouterr().out
    kill = find_home().kill
    kill.parent.mkdir(parents=True)
    kill.write_text("halt")
    assert main(["status"]) == 0
    words = f"kill switch on (halt): no entries; remove {kill} to trade again"
    assert words in capsys.readouterr().out
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kill"] == "halt"


def test_tradenb_stop_asks_the_run_and_says_which(quick, opens, capsys):
    run = quick.start(opens)
    until(tn.live.attach, "the run on disk")
    until(lambda: run.position, "a position")
    assert main(["stop", "btc", "--flatten", "--wait", "20"]) == 0
    said = capsys.readouterr().out
    assert "asked BTCUSDT:opens to flatten and stop (process" in said
    assert "BTCUSDT:opens has ended: done" in said
    assert main(["stop", "btc"]) == 1
    assert "BTCUSDT:opens is done; only a running run takes stop" in capsys.readouterr().out


def test_tradenb_stop_refuses_a_name_that_may_be_two(quick, opens, capsys):
    quick.start(opens)
    quick.start(opens, symbol="ETHUSDT")
    until(lambda: len(tn.live.attach()) == 2, "both on disk")
    assert main(["stop", "usdt"]) == 2
    assert "may be any of BTCUSDT:opens, ETHUSDT:opens" in capsys.readouterr().err


def test_tradenb_status_lists_the_runs(quick, opens, capsys):
    run = quick.start(opens)
    until(lambda: run.position and tn.live.attach() and attached().position, "a position on disk")
    assert main(["status", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["runs"]
    assert [(row["id"], row["status"]) for row in found] == [("BTCUSDT:opens", "running")]
    assert main(["status"]) == 0
    assert "long since" in capsys.readouterr().out


def test_all_files_of_a_home_are_looked_at_when_its_first_run_starts(
    quick, opens, waits, tmp_path, caplog
):
    broken = find_home(tmp_path).document(Key("old", "ETHUSDT"))
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b'{"format":"tradenb-state"')
    caplog.set_level("INFO", logger="tradenb")
    run = quick.start(opens, home=tmp_path)
    lines = [record for record in caplog.records if str(broken) in record.getMessage()]
    assert [record.levelname for record in lines] == ["WARNING"]
    assert "damaged" in lines[0].getMessage()
    assert broken.read_bytes() == b'{"format":"tradenb-state"'
    assert run.status == "running"
    quick.start(waits, home=tmp_path)
    assert sum(str(broken) in record.getMessage() for record in caplog.records) == 1


@pytest.mark.parametrize("given", [{"id": 5}, {"id": ["a"]}, {"cancel_id": 5}])
def test_a_cancel_that_no_document_could_hold_is_refused_and_the_run_goes_on(quick, waits, given):
    run = quick.start(waits)
    until(lambda: run.scheduled, "a waiting entry")
    handle = until(tn.live.attach, "the run on disk")[0]
    until(lambda: handle.status == "running", "the holder")
    for either in (run, handle):
        with pytest.raises(tn.UsageError, match="id must be a string, was"):
            either.cancel(**given)
    run.cancel(cancel_id="button")
    until(lambda: "button" in set(run.events().note), "the cancellation")
    assert run.error is None
