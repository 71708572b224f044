"""Real processes: locks, signals, kill -9, and requests from one to another."""

from __future__ import annotations

import os
import signal
import socket
import time

import pytest

import tradenb as tn
from tests.live.fast import until
from tests.live.processes import BOT, REHEARSAL, bot, child, rehearsed
from tradenb.demo.killed_rehearsal import alike
from tradenb.engine.serialise import row_to_event
from tradenb.live.attached_run import AttachedRun
from tradenb.live.own_process import _spawned
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.lock import FileLock
from tradenb.store.paths import Key, find_home

pytestmark = pytest.mark.realtime

KEY = Key("calm", "BTCUSDT")
FORKS = """
import json, os
pid = os.fork()
if not pid:
    time.sleep(60)
    os._exit(0)
print(json.dumps({"forked": pid}), flush=True)
time.sleep(60)
"""


def running(name: str):
    """A bot under `tradenb run`."""
    return child("-m", "tradenb", "run", name, "--json")


def on_disk():
    return read_document(DiskFilesystem(), find_home().document(KEY))


def test_fault_26_a_second_process_gets_state_locked_and_the_first_goes_on(tmp_path):
    name = bot(tmp_path / "bot.py")
    with running(name) as first:
        assert first.said("started") == ["BTCUSDT:calm"]
        with running(name) as second:
            assert second.ended() == 3
            assert f"process {first.pid} on {socket.gethostname()}" in second.words
        assert first.process.poll() is None


def test_a_script_that_ends_with_a_run_says_so_in_a_line(tmp_path):
    with child(bot(tmp_path / "bot.py")) as script:
        assert script.ended() == 0
    (line,) = script.words.splitlines()
    assert line.startswith("BTCUSDT:calm ends with this program, which does not wait for its runs")
    assert "run.wait()" in line


def test_a_script_that_releases_its_run_says_nothing_of_it(tmp_path):
    released = BOT.replace("rules=RULES)", "rules=RULES).release()")
    with child(bot(tmp_path / "bot.py", released)) as script:
        assert script.ended() == 0
    assert script.words == ""


def test_without_a_file_as_in_a_notebook_nothing_is_said(tmp_path):
    with child("-c", BOT) as cell:
        assert cell.ended() == 0
    assert cell.words == ""


@pytest.mark.no_cover
def test_fault_22_after_kill_9_of_the_holder_the_next_start_works_at_once(tmp_path):
    with running(bot(tmp_path / "bot.py")) as holder:
        holder.said("started")
        until(on_disk, "the first commit")
        with pytest.raises(tn.StateLocked) as locked:
            FileLock(DiskFilesystem(), find_home().lock(KEY)).acquire()
        assert locked.value.pid == holder.pid
        holder.process.kill()
        holder.process.wait()
        with FileLock(DiskFilesystem(), find_home().lock(KEY)):
            pass
    with running(bot(tmp_path / "bot.py")) as heir:
        heir.said("started")


@pytest.mark.no_cover
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_fault_24_signals_release_within_two_seconds(tmp_path, number):
    """Or within the time of its start, where the machine has no two seconds for it."""
    began = time.monotonic()
    with running(bot(tmp_path / "bot.py")) as found:
        found.said("started")
        started = time.monotonic()
        before = until(on_disk, "the first commit")
        asked = time.monotonic()
        found.process.send_signal(number)
        assert found.ended() == 0
        assert time.monotonic() - asked < max(2, started - began)
        assert found.said("ended")[0]["status"] == "idle"
    after = on_disk()
    assert after.body["state"]["cursor"] >= before.body["state"]["cursor"]
    with FileLock(DiskFilesystem(), find_home().lock(KEY)):
        pass


@pytest.mark.no_cover
def test_tradenb_stop_ends_a_run_of_another_process_and_its_bot(tmp_path):
    with running(bot(tmp_path / "bot.py")) as found:
        found.said("started")
        until(on_disk, "the first commit")
        with child("-m", "tradenb", "stop", "calm", "--wait", "10", "--json") as stopping:
            assert stopping.said("for") == "stop"
            assert stopping.ended() == 0
            assert stopping.said("ended") is True
        assert found.ended() == 0
        assert found.said("ended")[0]["status"] == "done"
    assert on_disk().body["state"]["done"] is True


def test_fault_25_a_forked_child_does_not_keep_the_lock(tmp_path):
    with child(bot(tmp_path / "bot.py", BOT + FORKS)) as parent:
        pid = parent.said("forked")
        try:
            parent.process.kill()
            parent.process.wait()
            os.kill(pid, 0)  # it lives
            with FileLock(DiskFilesystem(), find_home().lock(KEY)):
                pass
        finally:
            os.kill(pid, signal.SIGKILL)


def test_fault_2_a_rehearsal_killed_again_and_again_has_the_events_of_the_backtest(tmp_path):
    wanted = rehearsed()
    wanted.pop("speed")
    result = tn.backtest.run(wanted.pop("symbol"), **wanted)
    home, key = find_home().rehearsal, Key("busy", "BTCUSDT")
    name = bot(tmp_path / "rehearsal.py", REHEARSAL)

    def cursor() -> int:
        try:
            found = read_document(DiskFilesystem(), home.document(key))
        except tn.StateError:
            return 0
        return 0 if found is None else found.body["state"]["cursor"]

    length = result.end - result.start
    for share in (0.3, 0.7):
        with child(name) as dying:
            goal = result.start + int(length * share)
            until(lambda goal=goal: cursor() >= goal or dying.process.poll(), "progress")
            assert dying.process.poll() is None, dying.words
            dying.process.kill()
            dying.process.wait()
        assert cursor() < result.end
    with child(name) as last:
        assert last.ended() == 0, last.words
    rows = Journal(DiskFilesystem(), home.journal(key)).read()
    lived = [row_to_event(row) for row in rows]
    assert len(result.trade_list) >= 5
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert alike(lived) == alike(result.event_list)


def test_a_run_of_another_process_is_read_and_asked_from_here(tmp_path):
    with running(bot(tmp_path / "bot.py")) as found:
        found.said("started")
        until(on_disk, "the first commit")
        (handle,) = tn.live.attach()
        assert isinstance(handle, AttachedRun)
        assert f"process {found.pid}" in repr(handle)
        assert (handle.id, handle.status, handle.position) == ("BTCUSDT:calm", "running", None)
        handle.release()
        assert handle.wait(240)
        assert found.ended() == 0
        assert handle.status == "idle"


STARTS = """
import sys
from pathlib import Path
from tradenb.live.own_process import _spawned

log = Path(sys.argv[1])
print(_spawned(["-c", "import time; time.sleep(60)"], str(log.parent), log).pid)
"""


def test_a_process_of_its_own_is_reaped_when_it_ends_and_outlives_who_started_it(tmp_path):
    ended = _spawned(["-c", ""], str(tmp_path), tmp_path / "log")
    until(lambda: not is_known(ended.pid), "the end without a zombie")
    with child("-W", "error", "-c", STARTS, str(tmp_path / "log")) as starter:
        assert starter.ended() == 0
    assert starter.errors == []
    (outlives,) = map(int, starter.lines)
    assert is_known(outlives)
    os.kill(outlives, signal.SIGKILL)


def is_known(pid):
    """Tell whether there is such a process, be it a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
