"""Real kernels: live runs tick while a cell is busy, end from outside, and resume after a restart.

TRADENB_BUSY_SECONDS says how long the busy cells take; `make test-kernels` lets them take longer.
"""

from __future__ import annotations

import os
import sys
import time

import pytest

import tradenb as tn
from tests.live.fast import until
from tests.live.processes import REPOSITORY
from tradenb.cli import main
from tradenb.core.lifecycle.state import State
from tradenb.core.signal import Signal
from tradenb.live.state.checkpoint import Checkpoint
from tradenb.live.state.disk_storage import DiskStorage
from tradenb.store.paths import find_home

pytestmark = pytest.mark.realtime

jupyter_client = pytest.importorskip("jupyter_client")

BUSY_S = float(os.environ.get("TRADENB_BUSY_SECONDS", "5"))
TICK_MS = 100
MINUTE = 60_000

SET_UP = f"""
import os, sys, time
sys.path.insert(0, {str(REPOSITORY)!r})
import tradenb as tn
from tests.live.fast import rows

@tn.exchange("wall")
def wall(symbol, since, limit):
    return rows(since, limit, time.time_ns() // 1_000_000)

@tn.strategy("calm", every="1h", history="1h")
def calm(ctx):
    return None

ticks = []
heard = tn.subscribe(lambda made: ticks.append((made.symbol, time.monotonic())),
                     channel="performance", mode="live")
rules = tn.Rules(tick_ms={TICK_MS}, settle_seconds=0)
runs = [tn.live.background(symbol, strategy=calm, exchange=wall, rules=rules)
        for symbol in ("BTCUSDT", "ETHUSDT")]
"""
COUNT = f"""
import threading

def beat():
    while True:
        time.sleep({TICK_MS / 1_000})
        beats.append(time.monotonic())

beats = []
threading.Thread(target=beat, daemon=True).start()

def ticks_of(symbol, seconds, cell):
    begin = time.monotonic()
    cell(begin + seconds)
    end = time.monotonic()
    made = [at for name, at in ticks if name == symbol and begin <= at <= end]
    return len(made), len([at for at in beats if begin <= at <= end])

def sleeps(until):
    time.sleep(max(0, until - time.monotonic()))

def burns(until):
    while time.monotonic() < until:
        sum(range(1_000))
"""


class Kernel:
    """A kernel process and what its cells give."""

    def __init__(self) -> None:
        self.manager = jupyter_client.KernelManager(kernel_name="python3")
        self.manager.kernel_spec.argv[0] = sys.executable
        self.manager.start_kernel(env=os.environ | {"PYTHONWARNINGS": "ignore"})
        self._connect()

    def _connect(self) -> None:
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def send(self, code: str) -> str:
        """Execute a cell and do not wait for it."""
        return self.client.execute(code)

    def result(self, asked: str, seconds: float = 60) -> str:
        """Wait for a cell; return what it printed, or raise what it raised."""
        printed = []
        deadline = time.monotonic() + seconds
        while True:
            message = self.client.get_iopub_msg(timeout=max(0.1, deadline - time.monotonic()))
            if message["parent_header"].get("msg_id") != asked:
                continue
            content = message["content"]
            match message["msg_type"]:
                case "stream":
                    printed.append(content["text"])
                case "error":
                    raise RuntimeError(f"{content['ename']}: {content['evalue']}")
                case "status" if content["execution_state"] == "idle":
                    return "".join(printed)

    def run(self, code: str) -> str:
        return self.result(self.send(code))

    def restart(self) -> None:
        self.client.stop_channels()
        self.manager.restart_kernel(now=True)
        self._connect()

    def close(self) -> None:
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()


@pytest.fixture
def make_kernel():
    made = []

    def make() -> Kernel:
        made.append(Kernel())
        return made[-1]

    yield make
    for kernel in made:
        kernel.close()


@pytest.fixture
def position():
    """A state on disk with a position that no candle of the cell's exchange closes."""
    now = time.time_ns() // 1_000_000 // MINUTE * MINUTE
    calm = tn.strategy("calm", every="1h", history="1h")(lambda ctx: None)
    signal = Signal(
        "by-hand", "BTCUSDT", "calm", "long", 100.0, 150.0, 85.0, 1_440, None, None, now
    )
    state = State(
        "BTCUSDT", "calm", 60 * MINUTE, now, signal=signal, opened_at=now, ids=("by-hand",)
    )
    storage = DiskStorage(find_home(), "BTCUSDT", calm, "wall", now=lambda: now)
    storage.open()
    storage.commit(Checkpoint(state, "{}", 0, now, now, (), 0))
    storage.close()
    return signal


def held(kernel: Kernel) -> str:
    code = "while not runs[0].position: time.sleep(0.01)\nprint(runs[0].position)"
    return kernel.run(code)


@pytest.mark.no_cover
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_fault_65_67_ticks_go_on_in_a_busy_kernel_and_the_position_survives_its_restart(
    make_kernel, position
):
    kernel = make_kernel()
    kernel.run(SET_UP + COUNT)
    first = held(kernel)
    assert "by-hand" in first

    # while cells are busy, at least 95 % of the ticks happen that a thread has time for
    for cell in ("sleeps", "burns"):
        said = kernel.run(f"print(*ticks_of('BTCUSDT', {BUSY_S}, {cell}))")
        count, beats = map(int, said.split())
        assert beats, cell
        assert count >= 0.95 * beats - 1, f"{cell}: {count} ticks, {beats} beats"

    # a second kernel is told who holds the run
    second = make_kernel()
    with pytest.raises(RuntimeError, match=r"StateLocked: BTCUSDT:calm is held by process \d+ on"):
        second.run(SET_UP)

    # `tradenb stop` ends a run while the cell is busy, at its next tick
    asked = kernel.send("burns(time.monotonic() + 600)\nprint('over')")
    assert main(["stop", "ETHUSDT"]) == 0
    requested = time.monotonic()
    until(lambda: "ETHUSDT:calm" not in [run.id for run in tn.live.attach()], "the end")
    kernel.manager.interrupt_kernel()
    with pytest.raises(RuntimeError, match="KeyboardInterrupt"):
        kernel.result(asked)
    kernel.run("assert runs[1].status == 'done', runs")
    kernel.run(f"late = [at for name, at in ticks if name == 'ETHUSDT' and at > {requested}]")
    # one that was under way when the request came, and the one that obeyed
    kernel.run("assert len(late) <= 2, late")

    # after a restart and Run All the position is the same
    kernel.restart()
    kernel.run(SET_UP)
    assert held(kernel) == first
    until(lambda: len(tn.live.attach()) == 2, "both runs")
    kernel.run("for run in runs: run.raise_if_failed()")
