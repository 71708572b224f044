"""Runs without a process: who holds a lock for certain, how an account is reached."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

import tradenb as tn
from tests.live.processes import child
from tradenb.brokers.broker_file import record_broker, recorded_broker
from tradenb.brokers.unattended.lock_holder import activity_of, end_process, refuse_other
from tradenb.errors import StateError, StateLocked
from tradenb.live.status.run_files import is_locked
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.lock import FileLock, Holder, holder_of
from tradenb.store.paths import Home, Key
from tradenb.testing.server.redirected_urls import redirected_urls
from tradenb.testing.server.server_account import loopback_keys

DISK = DiskFilesystem(durable=False)
KEY = Key("dip", "BTCUSDT")
HOLDS = """
import sys, time
from pathlib import Path
from tradenb.live.status.run_files import is_locked
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.lock import FileLock
lock = FileLock(DiskFilesystem(), Path(sys.argv[1]), started=time.time_ns() // 1_000_000)
lock.acquire()
print('{"held": 1}', flush=True)
time.sleep(60)
"""


@pytest.fixture
def lock(tmp_path):
    return Home(tmp_path).lock(KEY)


def broker(**more):
    options = loopback_keys() | {"urls": redirected_urls("http://127.0.0.1:1")} | more
    account = tn.Account(cash=1_000, quote=200)
    return tn.broker("binance", mode="sandbox", account=account, **options)


def test_the_holder_of_a_lock_is_known_for_certain(lock):
    with child("-c", HOLDS, str(lock)) as process:
        process.said("held")
        holder = holder_of(DISK, lock)
        assert holder.pid == process.pid
        refuse_other(holder, lock)
        end_process(holder.pid, lambda: not is_locked(DISK, lock))
        FileLock(DISK, lock).acquire()


def test_a_process_whose_threads_outlive_it_is_waited_for():
    answers, waited = [False, False, True], []
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    end_process(gone.pid, lambda: answers.pop(0), wait=waited.append)
    assert len(waited) == 2
    with pytest.raises(StateError, match="does not end"):
        end_process(gone.pid, lambda: False, wait=waited.append)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pid": 0}, "does not say who holds it"),
        ({"host": "elsewhere"}, "run it there"),
        ({"pid": os.getppid()}, "does not have it open"),
        ({"pid": 2**22 + 5}, "does not have it open"),
        ({"started": 5}, "began later"),
    ],
)
def test_who_only_may_hold_a_lock_is_refused_with_words(lock, change, words):
    with FileLock(DISK, lock, started=time.time_ns() // 1_000_000):
        holder = holder_of(DISK, lock)
        refuse_other(holder, lock)
        with pytest.raises(StateError, match=words):
            refuse_other(holder._replace(**change), lock)


def test_a_stopped_process_does_nothing_and_a_working_one_does():
    words = "import time\nwhile True: time.sleep(0.001)"
    process = subprocess.Popen([sys.executable, "-c", words])
    try:
        before = activity_of(process.pid)
        _until(lambda: activity_of(process.pid) != before)
        process.send_signal(19)
        _until(lambda: _settled(process.pid))
    finally:
        process.kill()
        process.wait()
    assert activity_of(process.pid) == ()


def _settled(pid):
    first = activity_of(pid)
    time.sleep(0.02)
    return first and activity_of(pid) == first


def _until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline


def test_a_lock_that_yields_is_given_to_who_waits_and_others_are_refused(lock):
    guard = FileLock(DISK, lock, yields=True)
    guard.acquire()
    assert holder_of(DISK, lock) == Holder(os.getpid(), os.uname().nodename, 0, yields=True)
    assert not guard.is_wanted
    assert not is_locked(DISK, lock)
    run = FileLock(DISK, lock)
    waiting = threading.Thread(target=run.acquire_patiently)
    waiting.start()
    _until(lambda: guard.is_wanted)
    guard.release()
    waiting.join(60)
    assert run.held
    assert is_locked(DISK, lock)
    assert not holder_of(DISK, lock).yields
    assert not run.is_wanted
    with pytest.raises(StateLocked):
        FileLock(DISK, lock).acquire_patiently()


def test_how_an_account_is_reached_is_left_without_secrets(tmp_path):
    home, given = Home(tmp_path), broker(headers={"X-Client": "desk"}, fetch=lambda *_: None)
    record_broker(DISK, home, given)
    text = home.broker(given.id).read_text()
    assert os.environ["TRADENB_LOOPBACK_SECRET"] not in text
    assert os.environ["TRADENB_LOOPBACK_KEY"] not in text
    found = recorded_broker(DISK, home, given.id)
    assert (found.id, found.mode, found.exchange) == (given.id, "sandbox", "binance")
    assert found.options["urls"] == given.options["urls"]
    assert "fetch" not in found.options
    before = home.broker(given.id).stat()
    record_broker(DISK, home, given)
    assert home.broker(given.id).stat().st_ino == before.st_ino


def test_a_testnet_is_reached_again(tmp_path):
    home = Home(tmp_path)
    given = tn.broker(
        "binance", mode="sandbox", account=tn.Account(cash=5, percent=5), **loopback_keys()
    )
    record_broker(DISK, home, given)
    assert recorded_broker(DISK, home, given.id).options == given.options


def test_an_account_that_cannot_be_reached_is_told_with_its_cure(tmp_path, monkeypatch):
    home, given = Home(tmp_path), broker()
    with pytest.raises(StateError, match="start a run with its broker once"):
        recorded_broker(DISK, home, given.id)
    record_broker(DISK, home, given)
    monkeypatch.setenv("TRADENB_LOOPBACK_KEY", "another key")
    with pytest.raises(StateError, match="not of sandbox:loopback:"):
        recorded_broker(DISK, home, given.id)
    monkeypatch.delenv("TRADENB_LOOPBACK_KEY")
    with pytest.raises(tn.UsageError, match="TRADENB_LOOPBACK_KEY"):
        recorded_broker(DISK, home, given.id)
    home.broker(given.id).write_bytes(b"[]")
    with pytest.raises(StateError, match="which writes it anew"):
        recorded_broker(DISK, home, given.id)


def test_paper_leaves_nothing(tmp_path):
    home = Home(tmp_path)
    record_broker(DISK, home, tn.broker("binance", account=tn.Account(cash=5, percent=5)))
    assert not home.data.exists()
