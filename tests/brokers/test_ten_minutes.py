"""The steps of "Ten minutes to real orders" (docs/real_orders.md), as a stranger takes them."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.live.fast import until
from tradenb.brokers.arming.arm_file import read_arm
from tradenb.core.timeframe import MINUTE
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import find_home

BEFORE_NS = 9_000_000_000
PAGE = (Path(__file__).parents[2] / "docs" / "real_orders.md").read_text("utf-8")
STEPS = PAGE[PAGE.index("## Ten minutes") : PAGE.index("## The testnet")]
BOT, SERVER, BROKER = (
    textwrap.dedent(block) for block in re.findall(r"```python\n(.*?)```", STEPS, re.DOTALL)
)
COMMANDS = [
    shlex.split(line)
    for block in re.findall(r"```console\n(.*?)```", STEPS, re.DOTALL)
    for line in block.replace("\\\n", " ").strip().splitlines()
]


def command(verb):
    """Return the command of a step, for the Python of this process."""
    (found,) = (each for each in COMMANDS if each[1] == verb)
    programs = {".venv/bin/tradenb": ["-m", "tradenb"], ".venv/bin/python": []}
    return [sys.executable, *programs[found[0]], *found[1:]]


def armed_at_a_terminal(folder, environment):
    """Type the code that the step of arming shows; return what was said."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execve(sys.executable, command("arm"), environment)
    said, typed = "", False
    while True:
        try:
            said += os.read(terminal, 4_096).decode()
        except OSError:  # it has ended
            break
        asked = re.search(r"Type ([A-Z]{6}) to allow this.*:", said)
        if asked and not typed:
            os.write(terminal, f"{asked[1]}\n".encode())
            typed = True
    os.waitpid(child, 0)
    os.close(terminal)
    return said


@pytest.mark.realtime
def test_the_steps_lead_to_an_armed_account_and_an_end(tmp_path):
    (tmp_path / "bot.py").write_text(BOT, encoding="utf-8")
    # A stranger has no variables: no home, and no keys that other tests have set.
    environment = {name: text for name, text in os.environ.items() if name[:8] != "TRADENB_"}
    with subprocess.Popen(
        command("run"), cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as bot:
        try:
            assert "running BTCUSDT:buyer" in bot.stdout.readline()
            home = find_home(tmp_path / "dump")
            until(lambda: list((tmp_path / "dump").glob("data/state/*/*.json")), "a state")
            said = armed_at_a_terminal(tmp_path, environment)
            assert "buyer may buy BTCUSDT until" in said
            assert "were not looked at" in said
            assert "would be refused" not in said
            assert "Armed at" in said
            (file,) = (tmp_path / "dump" / "data" / "arm").glob("*.json")
            assert read_arm(DiskFilesystem(), home, file.stem.replace("%3A", ":")).arm
            for verb, words in (
                ("orders", ""),
                ("account", "sandbox:loopback"),
                ("status", "buyer"),
                ("-c", "fee_in"),
            ):
                ran = run(verb, tmp_path, environment)
                assert (ran.returncode, words in ran.stdout) == (0, True), ran
            ended = run("kill", tmp_path, environment)
            assert ended.returncode == 0, ended
            assert "nothing is open: 1 run, 1 account looked at" in ended.stdout
        finally:
            bot.terminate()
        bot.stdout.read()
    assert bot.returncode == 0


def run(verb, folder, environment):
    return subprocess.run(
        command(verb), cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


AHEAD = """
import time

real = time.time_ns
time.time_ns = lambda: real() + {ahead}
time.time = lambda: time.time_ns() / 1e9
"""


def near_a_close(folder, environment):
    """The environment of processes by whose clock a minute ends in some seconds."""
    ahead = (-BEFORE_NS - time.time_ns()) % (MINUTE * 1_000_000)
    (folder / "sitecustomize.py").write_text(AHEAD.format(ahead=ahead), encoding="utf-8")
    known = environment.get("PYTHONPATH", "")
    return environment | {"PYTHONPATH": os.pathsep.join([str(folder), known]).rstrip(os.pathsep)}


def looked(state):
    """Tell whether a run has looked at its account."""
    return '"reports"' in state.read_text("utf-8")


@pytest.mark.realtime
def test_a_server_of_its_own_is_reached_by_bot_and_commands(tmp_path):
    (tmp_path / "server.py").write_text(SERVER, encoding="utf-8")
    strategy = BOT[BOT.index("@tn.strategy") :]
    strategy = re.sub(r"exchange=.*\n", "exchange=exchange,\n", strategy)
    strategy = re.sub(r"broker=.*\n", "broker=broker,\n", strategy)
    head = "import json\nfrom pathlib import Path\n\nimport tradenb as tn\n\n"
    (tmp_path / "bot.py").write_text(f"{head}{BROKER}\n\n{strategy}", encoding="utf-8")
    environment = {name: text for name, text in os.environ.items() if name[:8] != "TRADENB_"}
    environment = near_a_close(tmp_path, environment)
    programs = {"cwd": tmp_path, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "server.py"], env=environment, **programs) as server:
        try:
            export, *keys = server.stdout.readline().split()
            assert export == "export"
            environment |= dict(each.split("=") for each in keys)
            with subprocess.Popen(command("run"), env=environment, **programs) as bot:
                try:
                    assert "running BTCUSDT:buyer" in bot.stdout.readline()
                    states = (tmp_path / "dump").glob
                    until(lambda: any(map(looked, states("data/state/*/*.json"))), "a look")
                finally:
                    bot.kill()
            ran = subprocess.run(
                [sys.executable, "-m", "tradenb", "reconcile"],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert (ran.returncode, "nothing differs" in ran.stdout) == (0, True), ran
        finally:
            server.kill()
