"""Two users: root looks at the run of nobody, stops it, and nobody's run ticks on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import tradenb as tn
from tests.live.fast import until
from tradenb.cli import main

NOBODY = 65_534
# Imports are done as root: the user may not be able to read where tradenb is.
RUN = """
import os, sys, tempfile
import tradenb as tn

@tn.strategy("held", every="1m")
def held(ctx):
    return tn.long(take_profit=10 * ctx.price, stop_loss=0.82 * ctx.price, minutes=1_000)

def rehearse(home, **keys):
    exchange = tn.testing.random_walk(seed=3, days=30)
    return tn.live.rehearse("BTCUSDT", strategy=held, exchange=exchange, home=home, **keys)

with tempfile.TemporaryDirectory() as first:
    run = rehearse(first, speed=60_000)
    while len(run.ticks()) < 3:
        pass
    run.stop()
    run.flatten()
    run.wait()
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
os.umask(0o077)
run = rehearse(sys.argv[1], speed=3_000)
run.wait()
run.raise_if_failed()
print(run.status)
"""


@pytest.fixture
def theirs():
    """A home that nobody can reach: the folder of the tests is root's."""
    folder = Path(tempfile.mkdtemp(prefix="tradenb-"))
    os.chown(folder, NOBODY, NOBODY)
    yield folder / "dump"
    shutil.rmtree(folder)


@pytest.mark.realtime
@pytest.mark.skipif(os.geteuid() != 0, reason="only root is two users")
def test_fault_88_a_dashboard_and_a_stop_of_root_leave_the_run_of_another_user_ticking(
    theirs, request
):
    given = [sys.executable, "-c", RUN, str(theirs), str(NOBODY)]
    with subprocess.Popen(given, stdout=subprocess.PIPE, text=True) as process:
        try:
            (run,) = until(lambda: tn.live.attach(theirs), "the run")
            until(lambda: run.position, "a position")
            before = {path for path in theirs.rglob("*") if path.is_dir()}
            shown = tn.dashboard(home=theirs)
            request.addfinalizer(shown.close)
            shown.refresh()
            assert "1 of 1 run running" in repr(shown)
            assert len(tn.live.list(theirs)) == 1
            main(["status", "--home", str(theirs)])
            main(["doctor", "--home", str(theirs)])
            assert {path for path in theirs.rglob("*") if path.is_dir()} == before
            ticks_on(run)
            run.flatten()
            assert run.pending_commands
            until(lambda: "flattened" in set(run.events().exit_reason), "the flattening")
            ticks_on(run)
            assert main(["stop", "held", "--flatten", "--wait", "60", "--home", str(theirs)]) == 0
            assert process.communicate(timeout=60)[0] == "done\n"
        finally:
            process.kill()
    assert {path.stat().st_uid for path in theirs.rglob("*")} == {NOBODY}


def ticks_on(run):
    """Wait until it has seen ten more candles, without an error."""
    first = run.body["state"]["cursor"]
    until(lambda: run.body["state"]["cursor"] >= first + 600_000, "ten candles")
