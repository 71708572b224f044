"""The command line starts quickly: what only shows something loads no numpy, pydantic or pandas."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import tradenb as tn
from tests.brokers.accounts import ARM, NOW, D
from tradenb.brokers.arming.account_share import RunShare, write_share
from tradenb.brokers.arming.arm_file import write_arm
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.launch import Launch, note_launch
from tradenb.store.paths import Home, Key

MONEY = tn.Account(cash=1_000.0, quote=100.0)
HEAVY = {"asyncio", "ccxt", "numpy", "pandas", "pyarrow", "pydantic"}
PROGRAM = """
import sys
from tradenb.cli import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    assert ended.code == 0, ended.code
print(*sorted(sys.modules))
"""


@tn.strategy("always-in", every="1h", risk=[tn.risks.max_open(1)])
def always_in(ctx):
    return tn.long(take_profit=1.01 * ctx.price, stop_loss=0.99 * ctx.price, minutes=120)


@pytest.fixture
def home(tmp_path):
    """A home with a rehearsal that has traded, holds something, has a band and was launched."""
    walk = tn.testing.random_walk(seed=3, days=3, start="2024-01-01")
    run = tn.live.rehearse(
        "BTCUSDT", strategy=always_in, exchange=walk, start="2024-01-02", end="2024-01-03",
        speed=None, home=tmp_path, account=tn.Account(cash=1_000.0, quote=100.0),
    )  # fmt: skip
    run.wait()
    run.raise_if_failed()
    launch = Launch(file=__file__, command=("-m", "tradenb", "run", "bot.py"), folder="/", at=0)
    place, key = Home(tmp_path / "rehearsal"), Key(always_in.name, "BTCUSDT")
    assert note_launch(DiskFilesystem(durable=False), place, key, launch)
    return tmp_path


def started(*arguments: str) -> tuple[str, set[str]]:
    """Return what a command printed in a process of its own, and the modules that it loaded."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    *words, modules = done.stdout.splitlines()
    return "\n".join(words), set(modules.split())


def test_help_loads_nothing_heavy():
    words, modules = started("--help")
    assert "exit codes" in words
    assert modules & HEAVY == set()


def test_status_of_runs_loads_nothing_heavy(home):
    words, modules = started("status", "--home", str(home))
    assert "BTCUSDT:always-in  rehearsal  done    long since 2024-01-02 23:00 at" in words
    assert "account paper of BTCUSDT:always-in: equity " in words
    assert modules & HEAVY == set()
    words, modules = started("status", "--home", str(home), "--json")
    (run,) = json.loads(words)["runs"]
    assert (run["status"], run["account"]) == ("done", "paper")
    assert modules & HEAVY == set()


def test_status_of_runs_that_send_orders_loads_nothing_heavy(tmp_path):
    walk, wire = tn.testing.random_walk(seed=3, days=1), tn.testing.broker(account=MONEY)
    run = tn.live.rehearse(
        "BTCUSDT", strategy=always_in, exchange=walk, broker=wire, end="2024-01-01T02:00",
        speed=None, home=tmp_path,
    )  # fmt: skip
    run.wait()
    run.raise_if_failed()
    disk, key = DiskFilesystem(durable=False), Key(always_in.name, "BTCUSDT")
    write_arm(disk, Home(tmp_path), ARM._replace(account=wire.id))
    share = RunShare(NOW, invested=D(250), positions=3)
    write_share(disk, Home(tmp_path), wire.id, key, share, durable=False)
    words, modules = started("status", "--home", str(tmp_path))
    assert f"{wire.id}: " in words
    assert "orders this hour 0 of 60" in words
    assert modules & HEAVY == set()


def test_status_of_a_damaged_document_says_what_the_full_check_says(home):
    path = Home(home / "rehearsal").document(Key(always_in.name, "BTCUSDT"))
    good = path.read_bytes()
    path.with_name(f"{path.name}.bak").unlink()
    path.write_bytes(good.replace(b'"seq":', b'"sex":'))
    words, _ = started("status", "--home", str(home), "--json")
    (run,) = json.loads(words)["runs"]
    assert "not a document of a run" in run["last_error"]
