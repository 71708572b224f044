"""`tradenb kill`: the switch is on whatever the disk takes, and what is left is said."""

from __future__ import annotations

import errno
import io
import json
import sys
from argparse import Namespace
from contextlib import contextmanager

import pytest

from tests.brokers.accounts import ACCOUNT, ARM, HOUR, NOW, TREND, D
from tests.brokers.loopback import on, order
from tests.sources import MINUTE, T0, frame
from tests.store.samples import KEY, body
from tests.testing.server.conftest import FLAT, HELD
from tradenb.brokers.arming.account_share import RunShare, write_share
from tradenb.brokers.arming.arm_file import trip, write_arm
from tradenb.brokers.unattended.force_close import ClosedRun
from tradenb.cli import main
from tradenb.cli.order_verbs.kill_everything import WAIT_S, _Look, _with_closed, _words, run
from tradenb.clock import wall_ms
from tradenb.core.orders.client_ids import client_id
from tradenb.errors import StateWriteError
from tradenb.store.control import kill_switch, turn_on_kill
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Home
from tradenb.testing import ExchangeServer
from tradenb.testing.server.server_account import loopback_keys

DISK = DiskFilesystem(durable=False)


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture
def document(home):
    store = DocumentStore(DISK, home.document(KEY))
    store.load()
    store.commit(body(3))  # a position is open
    return store


def killed(home, *, then=lambda: None, as_json=False):
    """Run the command; `then` happens while it waits. Returns the exit code and seconds waited."""
    waited = []

    def wait(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            then()

    options = {"home": str(home.root), "json": as_json, "by_tag": None, "force": False}
    code = run(Namespace(**options, wait=WAIT_S), wait=wait)
    return code, sum(waited)


def test_where_nothing_is_open_it_ends_at_once_and_says_what_was_looked_at(home, document, capsys):
    document.commit(body(5))
    write_share(DISK, home, ACCOUNT, TREND, RunShare(NOW), durable=False)
    assert killed(home) == (0, 0)
    assert kill_switch(DISK, home.kill) == "flatten"
    out = capsys.readouterr().out
    assert out.endswith("\nnothing is open: 1 run, 1 account looked at\n")


def test_a_home_without_a_run_or_an_account_may_be_the_wrong_one(home, capsys):
    assert killed(home) == (1, 0)
    assert kill_switch(DISK, home.kill) == "flatten"
    out = capsys.readouterr().out
    assert f"no live run is known under {home.root}; is this the right home? (--home, TRAD" in out
    assert "nothing is open" not in out


def test_it_waits_until_nothing_is_left(home, document, capsys):
    assert killed(home, then=lambda: document.commit(body(5))) == (0, 1.5)
    assert "nothing is open" in capsys.readouterr().out


def test_after_ten_seconds_it_says_what_is_left_and_what_to_do(home, document, capsys):
    assert killed(home) == (1, WAIT_S)
    out = capsys.readouterr().out
    assert "paper    BTCUSDT:dip  long" in out
    assert "A paper run that no process holds closes at its first candle once it is started" in out
    assert "--force" not in out
    assert "by hand" not in out


def test_paper_and_orders_that_are_left_have_a_cure_each(home, document, capsys):
    write_share(DISK, home, ACCOUNT, TREND, RunShare(NOW, D("50.1"), 1), durable=False)
    assert killed(home) == (1, WAIT_S)
    out = capsys.readouterr().out
    assert "--force sells" in out
    assert "A paper run closes at its next candle" in out
    document.commit(body(5))
    assert killed(home) == (1, WAIT_S)
    out = capsys.readouterr().out
    assert "--force sells what it has, in its place; or sell at the exchange by hand" in out
    assert "A paper run" not in out


def test_what_an_account_has_at_an_exchange_is_left_too(home, capsys):
    write_share(DISK, home, ACCOUNT, TREND, RunShare(NOW, D("50.1"), 1, in_doubt=1), durable=False)
    assert killed(home, as_json=True) == (1, WAIT_S)
    (row,) = json.loads(capsys.readouterr().out)["left"]
    assert row == {
        "account": ACCOUNT, "run": "ETHUSDT:trend", "holds": "positions: 1, cost 50.1",
        "status": "orders in doubt: 1",
    }  # fmt: skip
    write_share(DISK, home, ACCOUNT, TREND, RunShare(NOW), durable=False)
    assert killed(home) == (0, 0)


def test_an_account_that_is_still_armed_is_said_with_its_cure(home, capsys):
    write_share(DISK, home, ACCOUNT, TREND, RunShare(NOW), durable=False)
    killed(home)
    assert "still armed" not in capsys.readouterr().out
    now = wall_ms()
    write_arm(DISK, home, ARM._replace(since=now - 1, until=now + HOUR))
    assert killed(home) == (0, 0)
    out = capsys.readouterr().out
    assert f"account {ACCOUNT} is still armed until " in out
    assert (
        f"once the switch is removed it enters again. End that with `tradenb disarm {ACCOUNT}`"
        in out
    )
    assert main(["account", "--home", str(home.root)]) == 0
    assert "kill switch on (flatten): no entries; still armed until " in capsys.readouterr().out
    trip(DISK, home, ACCOUNT, "ada disarmed it", wall_ms(), by_hand=True)
    assert killed(home) == (0, 0)
    assert "still armed" not in capsys.readouterr().out
    main(["account", "--home", str(home.root)])
    assert "kill switch on (flatten): no entries; not armed" in capsys.readouterr().out


def test_forced_and_not_sold_it_says_that_nobody_looks_after_it(home, document, capsys):
    found = _Look([{"account": "a", "run": KEY.id, "holds": "long", "status": "it failed"}], 1, 1)
    closed = [ClosedRun("a", KEY.id, False, "2 pieces; NOT protected", ended=True)]
    (row,) = _with_closed(found.left, closed)
    assert row["status"] == "no process has it now; 2 pieces; NOT protected"
    words = _words(home, "flatten", found, closed)
    assert "`tradenb guard --every 30s` does" in words
    assert "--force" not in words
    held = [closed[0]._replace(ended=False, words="another host")]
    assert _with_closed(found.left, held)[0]["status"] == "another host"
    assert "--force sells" in _words(home, "flatten", found, held)


def test_what_cannot_be_read_is_left(home, document, capsys):
    write_share(DISK, home, ACCOUNT, TREND, RunShare(NOW), durable=False)
    home.account_share(ACCOUNT, TREND).write_bytes(b"{}")
    document.commit(body(5))
    for path in home.document(KEY).parent.glob("*.json*"):
        path.write_bytes(b"{}")
    assert killed(home)[0] == 1
    out = capsys.readouterr().out
    assert "its share cannot be read" in out
    assert "BTCUSDT:dip" in out


def test_a_rehearsal_is_not_money(home, capsys):
    store = DocumentStore(DISK, home.rehearsal.document(KEY))
    store.load()
    store.commit(body(3))
    assert killed(home, as_json=True) == (1, 0)
    assert json.loads(capsys.readouterr().out)["left"] == []


class Full(DiskFilesystem):
    """A disk that takes names and no bytes."""

    takes_names = True

    def create(self, path):
        if not self.takes_names:
            raise OSError(errno.EROFS, "Read-only file system")
        return super().create(path)

    def write(self, handle, data):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_halts_entries_at_least(home):
    home.data.mkdir()
    assert turn_on_kill(Full(durable=False), home) == "halt"


def test_a_disk_that_takes_nothing_is_told(home):
    disk = Full(durable=False)
    disk.takes_names = False
    with pytest.raises(StateWriteError, match="nothing was stopped"):
        turn_on_kill(disk, home)


def test_a_folder_of_that_name_halts_and_it_is_said(home, document, capsys):
    document.commit(body(5))
    home.kill.mkdir(parents=True)
    assert killed(home) == (0, 0)
    assert "unreadable, which stops entries and closes nothing" in capsys.readouterr().out


def test_a_switch_that_only_halts_promises_no_sale(home, document, capsys):
    home.kill.mkdir(parents=True)
    assert killed(home)[0] == 1
    said = capsys.readouterr().out
    assert "within seconds" not in said
    assert "No run sells: the disk took no more than an empty file" in said


def test_a_switch_that_halts_is_made_to_close(home):
    home.data.mkdir()
    home.kill.write_text("halt")
    assert turn_on_kill(DISK, home) == "flatten"


KEYS = ["--key", "env:TRADENB_LOOPBACK_KEY", "--secret", "env:TRADENB_LOOPBACK_SECRET"]


def by_tag(*more):
    return main(["kill", "--by-tag", "binance", "--symbol", "BTCUSDT", "--days", "1", *KEYS, *more])


@contextmanager
def entered_server():
    """A server on which an order of ours has bought."""
    loopback_keys()
    with ExchangeServer(frame([FLAT] * 30), now=T0 + 3 * MINUTE, balances=HELD) as server:

        async def enter(port):
            return await port.submit(order(client_id("run", "s1", "entry", 1), now=server.now()))

        on(server, server.clock, enter)
        yield server


def test_by_tag_an_account_is_closed_without_a_home(capsys, unlimited):
    with entered_server() as server:
        assert by_tag("--url", server.url) == 2
        shown, refused = capsys.readouterr()
        assert "sell 1.99 BTC at market, about 19" in shown
        assert "bought 1.998 and sold 0 within 1 d; 0 that were sold by hand" in shown
        assert "nothing was cancelled or sold" in refused
        assert "add --yes" in refused
        assert by_tag("--url", server.url, "--json") == 2
        assert by_tag("--url", server.url, "--yes") == 0
        words = "1.99 sold, 0.008 left of BTCUSDT, by orders of 1 d\n"
        assert capsys.readouterr().out.endswith(words)
        assert by_tag("--url", server.url) == 0  # nothing is left to ask for
        assert by_tag("--url", server.url, "--symbol", "NOSUCH") == 1
        assert "gave no account for NOSUCH" in capsys.readouterr().err


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("typed", "code", "words"),
    [
        ("BTCUSDT\n", 0, "1.99 sold, 0.008 left"),
        ("yes\n", 1, "nothing was cancelled or sold on BTCUSDT"),
    ],
)
def test_by_tag_a_person_types_the_symbol_before_anything_is_sold(
    monkeypatch, unlimited, typed, code, words
):
    with entered_server() as server:
        shown = Terminal()
        monkeypatch.setattr(sys, "stdin", Terminal(typed))
        monkeypatch.setattr(sys, "stdout", shown)
        assert by_tag("--url", server.url) == code
        said = shown.getvalue()
        monkeypatch.setattr(sys, "stdin", Terminal(typed))
        if code:  # with JSON nobody is asked about what he does not see
            assert by_tag("--url", server.url, "--json") == 2
            assert shown.getvalue() == said
        assert (
            said.index("sell 1.99 BTC") < said.index("Type BTCUSDT to do this") < said.index(words)
        )


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--url", "https://api.binance.com"], "must be an address of this machine"),
        (["--key", "plain"], "apiKey"),
        (["--by-tag", "kraken"], "exchange for orders"),
        (["--days", "31"], "--days must be from 1 to 30"),
    ],
)
def test_by_tag_a_wrong_call_reaches_no_exchange(capsys, more, words):
    loopback_keys()
    assert by_tag("--url", "http://127.0.0.1:1", *more) == 2
    assert words in capsys.readouterr().err
    assert main(["kill", "--by-tag", "binance"]) == 2
    assert "--symbol, --key, --secret must be given" in capsys.readouterr().err


def test_by_tag_an_exchange_that_does_not_answer_is_said(capsys):
    loopback_keys()
    assert by_tag("--url", "http://127.0.0.1:1") == 1
    assert "does not say its time" in capsys.readouterr().err
