"""The key of an account is replaced while something is held there: it goes on under its name."""

from __future__ import annotations

import errno
import os
from dataclasses import replace

import pytest

import tradenb as tn
from tests.brokers.test_force_kill import sending
from tests.brokers.test_guard import KEY, opened
from tradenb.brokers.broker_file import add_key, record_broker, recorded_broker, with_known_key
from tradenb.brokers.unattended import new_key
from tradenb.brokers.unattended.force_close import HeldRun
from tradenb.brokers.unattended.new_key import take_new_key
from tradenb.brokers.unattended.reconcile_now import seen_at
from tradenb.cli import main
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_alarms import CURES, alarms
from tradenb.errors import StateError
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.lock import FileLock
from tradenb.store.paths import Home, Key
from tradenb.testing.server.server_account import loopback_keys
from tradenb.testing.server.signed_requests import Credentials
from tradenb.testing.venue.venue_faults import VenueFault

DISK = DiskFilesystem(durable=False)


def broker():
    account = tn.Account(cash=500, percent=20)
    return tn.broker("binance", mode="sandbox", account=account, **loopback_keys())


def test_a_later_key_has_the_name_of_the_first_one(tmp_path, monkeypatch):
    home, first = Home(tmp_path), broker()
    assert with_known_key(DISK, home, first) is first  # nothing is recorded yet
    record_broker(DISK, home, first)
    keys = {"apiKey": "env:NEW_KEY", "secret": "env:NEW_SECRET"}
    monkeypatch.setenv("NEW_KEY", "the new key")
    monkeypatch.setenv("NEW_SECRET", "its secret")
    later = tn.broker("binance", mode="sandbox", account=first.account, **keys)
    assert with_known_key(DISK, home, later) is later
    add_key(DISK, home, first.id, later.id.rpartition(":")[2])
    named = with_known_key(DISK, home, later)
    assert named == replace(later, id=first.id)
    assert named.live_account.name == first.live_account.name
    assert with_known_key(DISK, home, first) is first
    record_broker(DISK, home, named)  # as its next start does
    assert recorded_broker(DISK, home, first.id) == replace(
        later, id=first.id, account=tn.Account(cash=500, percent=1)
    )
    monkeypatch.setenv("NEW_KEY", "a third key")
    with pytest.raises(StateError, match="tradenb reconcile NAME --new-key"):
        recorded_broker(DISK, home, first.id)
    third = recorded_broker(DISK, home, first.id, any_key=True)
    assert third.id == first.id


def test_a_key_that_is_of_no_account_is_not_noted(tmp_path):
    with pytest.raises(StateError, match="could not be written"):
        add_key(DISK, Home(tmp_path), "sandbox:loopback:1a2b3c4d", "00000000")


def take(made, **keys):
    given = replace(made.broker, options=loopback_keys() | keys)
    record_broker(made.disk, made.home, replace(given, connect=None))
    return made.clock.run(
        take_new_key(made.disk, made.home, made.clock, KEY, broker_of=lambda *_: given)
    )


def test_a_new_key_that_shows_the_orders_of_the_run_is_taken():
    made = opened()
    assert "the new key shows 2 of 2 orders of BTCUSDT:orders-once" in take(made)
    named = with_known_key(
        made.disk, made.home,
        replace(made.broker, connect=None, id=f"{made.broker.id.rpartition(':')[0]}:{_digits()}"),
    )  # fmt: skip
    assert named.id == made.broker.id


def _digits():
    return broker().id.rpartition(":")[2]


def test_a_process_that_still_has_a_run_of_the_account_is_to_be_ended_first():
    made = opened()
    lock = made.home.lock(KEY)
    with FileLock(made.disk, lock, started=made.clock.now()):
        with pytest.raises(
            StateError, match=rf"process {os.getpid()} on .* has BTC.* end it first"
        ):
            take(made)
        assert b'"keys"' not in made.disk.read(made.home.broker(made.broker.id), limit=1 << 16)
    with FileLock(made.disk, lock, yields=True):  # `tradenb guard` looks after it just now
        assert "the new key shows 2 of 2" in take(made)


def test_a_key_of_another_account_is_refused(monkeypatch):
    made = opened()

    async def strange(*args):
        seen = await seen_at(*args)
        return seen._replace(overview=seen.overview._replace(orders=()))

    monkeypatch.setattr(new_key, "seen_at", strange)
    with pytest.raises(StateError, match=r"does not show order 746e62.* take a key of that"):
        take(made)
    nothing = OrderLedger("r")
    monkeypatch.setattr(new_key, "ledger_of", lambda *_: (made.broker.id, nothing))
    with pytest.raises(StateError, match="has no order of it to show"):
        take(made)


def test_of_a_position_older_than_what_is_read_the_newer_orders_are_to_be_shown(monkeypatch):
    made = opened()

    async def a_month_later(disk, *args):
        seen, (entry, stop) = await seen_at(disk, *args), args[-1].orders
        assert (entry.role, stop.role) == ("entry", "protection")
        orders = tuple(each for each in seen.overview.orders if each.id != entry.id)
        since = stop.sent_at
        assert entry.sent_at < since
        return seen._replace(overview=seen.overview._replace(orders=orders, since=since))

    monkeypatch.setattr(new_key, "seen_at", a_month_later)
    assert "the new key shows 1 of 1 orders" in take(made)


def test_a_file_that_cannot_be_read_for_a_moment_keeps_its_later_keys(tmp_path, monkeypatch):
    home, first = Home(tmp_path), broker()
    record_broker(DISK, home, first)
    add_key(DISK, home, first.id, "00000000")
    known = home.broker(first.id).read_bytes()

    def fails(*_, **__):
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(DiskFilesystem, "read", fails)
        record_broker(DISK, home, replace(first, account=tn.Account(cash=600, percent=20)))
    assert home.broker(first.id).read_bytes() == known
    record_broker(DISK, home, replace(first, account=tn.Account(cash=600, percent=20)))
    assert b"00000000" in home.broker(first.id).read_bytes()
    assert home.broker(first.id).read_bytes() != known


def test_the_old_key_and_one_of_a_run_of_its_own_are_refused(monkeypatch):
    made = opened()
    name = f"{made.broker.id.rpartition(':')[0]}:{_digits()}"
    held = [HeldRun(Key("other", "ETHUSDT"), name, None)]
    monkeypatch.setattr(new_key, "runs_on", lambda *_: held)
    with pytest.raises(StateError, match="ETHUSDT:other runs or holds something on sandbox:"):
        take(made)
    monkeypatch.setattr(new_key, "ledger_of", lambda *_: (name, OrderLedger("r")))
    with pytest.raises(StateError, match="hold the key that it had; set the new one"):
        take(made)


def test_a_refused_key_is_an_alarm_of_its_own_words():
    made = opened()
    made.wire.faults.append(VenueFault("drop", "revoked", times=None))
    assert made.live(made.clock.true_now() + 60_000)
    ledger = made.checkpoint(made.wanted[0]).ledger
    names = {each.name: each for each in alarms(ledger, ledger.market, made.clock.true_now())}
    assert "stopped" not in names
    assert "--new-key" in names["key_refused"].text
    assert "who else" not in CURES["key_refused"]


@pytest.mark.realtime
def test_a_key_that_was_replaced_is_taken_and_the_position_goes_on(capsys, monkeypatch, unlimited):
    with sending() as (server, process):
        monkeypatch.setattr("tradenb.clock.SystemClock", lambda: server.clock)
        process.process.kill()
        process.ended()
        server._account.credentials = Credentials("new-key", "new-secret")
        assert main(["reconcile", "buys-once"]) == 1
        assert "the exchange refuses the key of sandbox:loopback:" in capsys.readouterr().out
        assert main(["guard", "--once"]) == 1
        assert "key_refused: the exchange refuses the key" in capsys.readouterr().out
        monkeypatch.setenv("TRADENB_LOOPBACK_KEY", "new-key")
        monkeypatch.setenv("TRADENB_LOOPBACK_SECRET", "new-secret")
        assert main(["guard", "--once"]) == 1
        assert "tradenb reconcile NAME --new-key" in capsys.readouterr().out
        assert main(["reconcile", "buys-once", "--new-key"]) == 0
        assert "the new key shows 2 of 2 orders" in capsys.readouterr().out
        assert main(["guard", "--once"]) == 0, capsys.readouterr().out
        assert "protected by a stop at 90" in capsys.readouterr().out
        assert os.environ["TRADENB_LOOPBACK_KEY"] == "new-key"
