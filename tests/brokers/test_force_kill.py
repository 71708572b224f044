"""`tradenb kill --force`: a process that hangs is ended, and its run is closed in its place."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest

from tests.brokers.sending_process import KEY, near_the_close
from tests.live.fast import until
from tests.live.processes import child
from tests.sources import frame
from tests.testing.server.conftest import FLAT
from tradenb.cli import main
from tradenb.core.timeframe import MINUTE, floor_to
from tradenb.exchanges.ccxt.ccxt_client import ccxt_class
from tradenb.live.attached_run import AttachedRun
from tradenb.store.paths import find_home
from tradenb.testing import ExchangeServer
from tradenb.testing.server.server_account import loopback_keys

STEP = 0.1
"""Of the pieces at this exchange; what is less cannot be sold."""


@contextlib.contextmanager
def sending():
    """An exchange on loopback, and a process whose run holds a protected position there.

    The run has both orders in its document, so that it may be killed at once.
    """
    with begun() as (server, process):
        until(lambda: process._line("protected"), f"protection: {process.words}", 100)
        known = AttachedRun(find_home(), KEY).orders
        until(lambda: [*known().state] == ["done", "working"], "both on disk")
        yield server, process


@contextlib.contextmanager
def begun(*words):
    """An exchange on loopback, and a process that is going to buy there."""
    ccxt_class("binance")  # imported now, and not within the five seconds
    shutil.rmtree(find_home().data, ignore_errors=True)  # of a first try
    with contextlib.ExitStack() as stack:
        pipe = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "given"
        os.mkfifo(pipe)
        process = stack.enter_context(
            child("-m", "tests.brokers.sending_process", str(pipe), *words, **_keys())
        )
        with pipe.open("w") as given:  # it has imported what it needs, and reads
            clock = near_the_close()
            candles = frame([FLAT] * 200, floor_to(clock.now()) - 100 * MINUTE)
            made = ExchangeServer(candles, clock=clock, balances={"USDT": 10_000, "BTC": 3})
            server = stack.enter_context(made)
            json.dump([server.options, clock.ahead_ms], given)
        yield server, process


def _keys():
    loopback_keys()
    return {name: os.environ[name] for name in os.environ if name.startswith("TRADENB_LOOPBACK")}


def held(venue):
    """Coins beyond those of the owner."""
    return venue.total("BTC") - 3


@pytest.mark.realtime
def test_a_stopped_process_is_ended_and_its_position_sold_within_five_seconds(capsys):
    with sending() as (server, process):
        venue = server.venue.venue
        assert held(venue) > 1
        process.process.send_signal(signal.SIGSTOP)
        wait = 6.0  # longer than a request lives; 10 if nothing is said
        began = time.monotonic()
        assert main(["kill", "--force", "--wait", str(wait)]) == 0, capsys.readouterr().out
        took = time.monotonic() - began - wait
        assert took < 5, f"{took:.1f} s"
        assert process.ended() == -signal.SIGKILL
        assert 0 <= held(venue) < STEP
        assert venue.live_orders("BTCUSDT") == ()
        assert "nothing is open" in capsys.readouterr().out


@pytest.mark.no_cover
@pytest.mark.realtime
def test_a_process_that_works_closes_by_itself_and_is_not_ended(capsys):
    with sending() as (server, process):
        venue = server.venue.venue
        assert main(["kill", "--force"]) == 0, capsys.readouterr().out
        assert held(venue) < STEP
        assert process.process.poll() is None


@pytest.mark.realtime
def test_guard_protects_again_what_a_dead_process_had(capsys, monkeypatch, unlimited):
    with sending() as (server, process):
        monkeypatch.setattr("tradenb.clock.SystemClock", lambda: server.clock)  # that machine's
        venue = server.venue.venue
        process.process.kill()
        process.ended()
        venue.cancel_by_hand(venue.live_orders("BTCUSDT")[0].order_id, at=server.now())
        assert venue.live_orders("BTCUSDT") == ()
        assert main(["guard", "--once"]) == 0, capsys.readouterr().out
        assert len(venue.live_orders("BTCUSDT")) == 2
        assert "protected by a stop at 90" in capsys.readouterr().out
        assert main(["reconcile", "buys-once"]) == 0
        told = capsys.readouterr().out
        assert "the rest is the owner's, and is never sold" in told
        assert "protection order" not in told


@pytest.mark.no_cover
@pytest.mark.realtime
def test_a_process_that_ends_once_it_has_bought_leaves_its_stop_at_the_exchange():
    """The first request of the stop is lost, and has to be asked for before another is sent."""
    with begun("leaves") as (server, process):
        server.fault("drop", answer="503", role="protection", times=1)
        assert process.ended() == 0, process.words
        venue = server.venue.venue
        assert held(venue) > 1
        assert len(venue.live_orders("BTCUSDT")) == 2
