"""A position goes from a kernel to the script, through kill -9, and back: nobody notices."""

from __future__ import annotations

import json
import os
import re
import signal
import time

import pytest

import tradenb as tn
from tests.exporting.live import CELL, MINUTE, NEXT_CANDLE, START, begin
from tests.exporting.notebook import Notebook
from tests.live.fast import until
from tests.live.processes import child
from tests.live.test_kernel import Kernel
from tradenb.engine.serialise import row_to_event
from tradenb.exporting import bot_process as process
from tradenb.live import handover
from tradenb.store.control import requests_in
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.lock import FileLock, holder_of
from tradenb.store.paths import Key, find_home

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
KEY = Key("hold", "BTCUSDT")
HOLDS = "while not run.position: time.sleep(0.01)\nprint(run.position)"
IN_A_PROCESS = START.replace("rules=rules", "rules=rules, process=True")


@pytest.fixture
def kernel():
    made = Kernel()
    yield made
    made.close()


@pytest.fixture
def home(fresh):
    begin(find_home().root)
    return find_home()


def journal(home):
    return [row_to_event(row) for row in Journal(DiskFilesystem(), home.journal(KEY)).read()]


def backtest(events):
    """What a backtest over the same minutes gives, with the same wish to close."""
    book = Notebook(CELL)
    opened, closed = (event for event in events if event.kind in ("opened", "closed"))
    return tn.backtest.run(
        "BTCUSDT",
        strategy=book.names["hold"],
        exchange=book.names["wall"],
        rules=book.names["rules"],
        start=opened.at - MINUTE,
        end=closed.at,
        commands=[{"at": closed.at - 1, "kind": "stop"}, {"at": closed.at - 1, "kind": "flatten"}],
        progress=False,
    )


@pytest.mark.no_cover
@pytest.mark.realtime
def test_fault_71_a_position_goes_from_notebook_to_script_and_back(
    kernel, home, tmp_path, monkeypatch
):
    kernel.run(CELL + START)
    first = kernel.run(HOLDS)
    said = kernel.run(f"print(tn.export({str(tmp_path / 'hold_bot.py')!r}, run))")
    assert "hold on BTCUSDT" in said
    script = ("-I", str(tmp_path / "hold_bot.py"), "--json")

    # another process may not simply begin; it may ask
    with child(*script) as refused:
        assert refused.ended() == 3
    with child(*script, "--take-over") as bot:
        bot.said("started")
        kernel.run("assert run.wait(240) and run.status == 'idle', run\nrun.raise_if_failed()")
        assert held(home) == first
        bot.process.send_signal(signal.SIGKILL)
        assert bot.ended() == -signal.SIGKILL

    # nobody runs it, and the next script has it at once
    with child(*script) as bot:
        bot.said("started")
        assert held(home) == first
        taken = START.replace("rules=rules", "rules=rules, take_over=True")
        kernel.run(taken)
        assert bot.ended() == 0
    assert kernel.run(HOLDS) == first

    # the notebook ends it, at the next candle
    end = "run.stop()\nrun.flatten()\nassert run.wait(240), run\nrun.raise_if_failed()"
    kernel.run(NEXT_CANDLE + end)
    monkeypatch.setattr(time, "time_ns", lambda now=time.time_ns: now() + 60_000_000_000)
    events = journal(home)
    assert [event.kind for event in events if event.kind in ("opened", "closed")] == [
        "opened",
        "closed",
    ]
    assert len({event.signal_id for event in events if event.signal_id}) == 1
    assert [event.seq for event in events] == sorted({event.seq for event in events})
    (trade,) = backtest(events).trade_list
    opened, closed = (event for event in events if event.kind in ("opened", "closed"))
    assert (trade.entry, trade.exit, trade.pnl_percent) == (
        opened.price,
        closed.price,
        closed.pnl_percent,
    )
    assert trade.signal_id == opened.signal_id == closed.signal_id
    assert trade.exit_reason == closed.exit_reason == "flattened"


def held(home):
    """What the run holds, as the kernel prints it."""
    found = tn.live.attach(home.root)
    position = found[0].position if found else None
    return f"{position}\n" if position else None


@pytest.mark.realtime
def test_a_run_in_a_process_of_its_own_outlives_the_kernel(kernel, home):
    kernel.run(CELL + IN_A_PROCESS)
    assert re.search("(running|starting), held by process", kernel.run("print(run)"))
    pid = until(lambda: pid_of(home), "the process")
    try:
        position = until(lambda: held(home), "the position")
        # the same cell again finds it
        kernel.run(IN_A_PROCESS)
        assert pid_of(home) == pid

        # what holds the kernel up, or ends it, does not touch the run
        kernel.manager.restart_kernel(now=True)
        assert pid_of(home) == pid
        assert os.getsid(pid) == pid
        assert held(home) == position

        tn.live.attach()[0].release()
        until(lambda: not tn.live.attach(), "the end")
        log = home.root / "scripts" / "hold" / "BTCUSDT.log"
        last = until(lambda: ended_in(log), "the last words")
        assert last[0]["status"] == "idle"
    finally:
        kill(pid)
    assert len([event for event in journal(home) if event.kind == "opened"]) == 1


def pid_of(home):
    running = tn.live.attach(home.root)
    return holder_of(DiskFilesystem(), home.lock(KEY)).pid if running else None


def ended_in(log):
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return next((line["ended"] for line in lines if "ended" in line), None)


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def test_what_cannot_be_exported_starts_no_process(fresh, home):
    book = Notebook(CELL.replace("def hold(ctx):", "def hold(ctx):\n    seen.append(ctx.now)"))
    book.run("seen = []")
    with pytest.raises(tn.ExportError, match="changes `seen`, which is outside it"):
        tn.live.background(
            "BTCUSDT", strategy=book.names["hold"], exchange=book.names["wall"], process=True
        )
    assert not (home.root / "scripts").exists()


@pytest.mark.realtime
def test_a_process_that_ends_at_once_says_why(fresh, home, monkeypatch):
    book = Notebook(CELL)
    monkeypatch.setattr(process, "_RUN", ["-c", "print('last words'); raise SystemExit(4)"])
    with pytest.raises(tn.StateError, match=r"(?s)ended with exit code 4; its log .*last words"):
        tn.live.background(
            "BTCUSDT", strategy=book.names["hold"], exchange=book.names["wall"], process=True
        )


def test_a_state_that_is_damaged_is_said_before_a_process_is_started(fresh, home):
    book = Notebook(CELL)
    for path in (home.document(KEY), home.document(KEY).with_suffix(".json.bak")):
        path.write_text("no state")
    with pytest.raises(tn.StateCorrupt, match="not a document of a run"):
        tn.live.background(
            "BTCUSDT", strategy=book.names["hold"], exchange=book.names["wall"], process=True
        )


@pytest.mark.realtime
def test_a_process_that_gives_nothing_back_is_not_robbed(fresh, home):
    """A holder that stands still keeps the run; who asks is told so."""
    spec = tn.strategy("hold", every="1m")(lambda ctx: None)
    words = r"was not released within 0\.2 s"
    with FileLock(DiskFilesystem(), home.lock(KEY)), pytest.raises(tn.StateLocked, match=words):
        handover.take_over("BTCUSDT", spec, None, seconds=0.2)
    # it does not release later, when nobody waits for it any more
    assert requests_in(DiskFilesystem(), home.control(KEY)) == []
    assert handover.take_over("BTCUSDT", spec, None, seconds=0.2) is False
