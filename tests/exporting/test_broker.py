"""Scripts whose runs send orders: the broker by references, the proof on paper, what is refused."""

from __future__ import annotations

import time

import pytest

import tradenb as tn
from tests.exporting.notebook import Notebook
from tests.exporting.test_script import run
from tradenb.errors import ExportError, UsageError
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Key, find_home

ACCOUNT = "tn.Account(cash=1_000, quote=200)"
CELL = f"""
import tradenb as tn

account = {ACCOUNT}


@tn.strategy("dip", every="15m")
def dip(ctx):
    return tn.long(take_profit=tn.percent(0.5), stop_loss=tn.percent(0.5), minutes=60)


rehearsed = tn.testing.broker(account=account)
"""
SECRET = "a-secret-that-no-file-may-hold"


@pytest.fixture
def broker(monkeypatch):
    monkeypatch.setenv("EXPORTED_KEY", f"{SECRET}-key")
    monkeypatch.setenv("EXPORTED_SECRET", SECRET)
    return tn.broker(
        "binance", mode="sandbox", account=tn.Account(cash=1_000, quote=200),
        apiKey="env:EXPORTED_KEY", secret="env:EXPORTED_SECRET",
    )  # fmt: skip


def test_a_script_makes_its_broker_of_references_and_its_paper_trades_are_compared(
    broker, tmp_path
):
    path = tmp_path / "bot.py"
    done = Notebook(CELL).export(path, broker=broker)
    text = path.read_text()
    assert SECRET not in text
    made = text[text.index("broker = ") : text.index("def main")]
    assert made.strip().splitlines()[:7] == [
        "broker = tn.broker(",
        '    "binance",',
        '    mode="sandbox",',
        "    account=tn.Account(cash=1000.0, quote=200.0),",
        '    apiKey="env:EXPORTED_KEY",',
        '    secret="env:EXPORTED_SECRET",',
        ")",
    ]
    assert "        broker=broker,\n" in text
    assert "account=tn" not in text[text.index("def main") :]
    assert "trade as `broker` says" in text
    assert "--dry-run" not in text
    assert "EXPORTED_KEY, EXPORTED_SECRET from the environment" in text
    assert done.trades > 3
    assert f"orders go to {broker.id} once it is armed" in repr(done)


def test_a_paper_broker_goes_with_its_account(tmp_path):
    path = tmp_path / "bot.py"
    paper = tn.broker("binance", account=tn.Account(cash=1_000, quote=200))
    done = Notebook(CELL).export(path, broker=paper)
    assert 'mode="paper"' in path.read_text()
    assert "once it is armed" not in repr(done)


def test_what_cannot_send_orders_is_refused_with_a_cure(broker, tmp_path):
    book = Notebook(CELL, CELL.replace("dip", "rise"))
    path = tmp_path / "bot.py"
    with pytest.raises(UsageError, match="rise and dip would send orders for the same symbols"):
        book.export(path, "dip", "rise", broker=broker)
    with pytest.raises(UsageError, match="account= is part of broker="):
        book.export(path, broker=broker, account=broker.account)
    with pytest.raises(UsageError, match=r"is for tn\.live\.rehearse; a live run takes tn\.broker"):
        book.export(path, broker=book.names["rehearsed"])
    rehearsal = tn.live.rehearse(
        "BTCUSDT", strategy=book.names["dip"], exchange=tn.testing.random_walk(seed=3, days=2),
        broker=book.names["rehearsed"], home=tmp_path, speed=60,
    )  # fmt: skip
    with pytest.raises(UsageError, match="is a rehearsal, and its exchange is gone with it; pass"):
        tn.export(path, rehearsal)
    rehearsal.release()
    assert rehearsal.wait(240)
    object.__setattr__(broker, "options", {**broker.options, "session": object()})
    with pytest.raises(ExportError, match="options that are not plain values"):
        book.export(path, broker=broker)
    assert not path.exists()


@pytest.mark.no_cover
def test_a_script_with_orders_makes_no_single_tick_and_no_dry_run(broker, tmp_path):
    path = tmp_path / "bot.py"
    Notebook(CELL).export(path, broker=broker)
    for option, words in (
        ("--once", "leaves before an order is filled and protected; run this script as a service"),
        ("--dry-run", "its orders would be real"),
    ):
        ran = run(path, option)
        assert ran.returncode == 2
        assert words in ran.stderr
        assert SECRET not in ran.stderr + ran.stdout


def test_a_script_without_its_keys_says_which(broker, tmp_path, monkeypatch):
    path = tmp_path / "bot.py"
    Notebook(CELL).export(path, broker=broker)
    monkeypatch.delenv("EXPORTED_KEY")
    ran = run(path)
    assert ran.returncode != 0
    assert "environment variable 'EXPORTED_KEY' is not set" in ran.stderr


def test_a_script_of_mode_dry_stays_dry_and_promises_no_orders(broker, tmp_path):
    path, keys = tmp_path / "bot.py", ("apiKey", "secret")
    dry = tn.broker(
        "binance", mode="dry", account=broker.account,
        **{name: broker.options[name] for name in keys},
    )  # fmt: skip
    exported = Notebook(CELL).export(path, broker=dry)
    assert "mode='dry'" in path.read_text().replace('"', "'")
    assert not [words for words in exported.warnings if "orders go to" in words]


@pytest.mark.realtime
def test_a_process_has_the_account_of_its_broker_and_resume_starts_it_again(fresh, tmp_path):
    walk = tn.testing.random_walk(seed=3, days=3)
    book = Notebook(CELL)
    home = find_home(tmp_path / "home")
    server = tn.testing.ExchangeServer(walk, now="2024-01-02T12:00", balances={"USDT": 1_000})
    with server:
        source, there = server.exchange(), server.broker(tn.Account(cash=1_000, quote=200))
        run = tn.live.background(
            "BTCUSDT", strategy=book.names["dip"], exchange=source, broker=there, home=home.root,
            process=True,
        )  # fmt: skip
        account = _account_on_disk(home)
        run.release()
        assert run.wait(240)
        again = tn.live.resume("BTCUSDT", "dip", home=home.root)
        assert again.status == "running"
        assert account == _account_on_disk(home) == there.id
        again.release()
        assert again.wait(240)


def _account_on_disk(home):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        found = read_document(DiskFilesystem(), home.document(Key("dip", "BTCUSDT")))
        if found is not None:
            return found.body["account"]
        time.sleep(0.2)
    return None
