"""What the Python blocks of pages do that have one or two of them."""

from __future__ import annotations

import subprocess
import sys

import tradenb as tn
from benchmarks.peers import page as peers
from tests.live.fast import Quick
from tests.pages.kit import Kit
from tests.pages.python_page import PythonPage
from tradenb.exporting import Exported
from tradenb.live.notifications import api


def notifications(page: PythonPage, kit: Kit) -> None:
    """docs/notifications.md: what a run does is told where opened is wanted, and nowhere else."""
    page.names["tn"] = tn
    page.run()
    phone, mail = api.active_settings()
    assert phone["kinds"] == ["alarm", "closed", "error", "opened"]
    assert mail == {
        "url": "env:MAIL_URL",
        "kinds": ["alarm"],
        "summary": "22:00",
        "heartbeat": "env:HEALTHCHECK_URL",
    }

    @tn.strategy("buyer", every="1m")
    def buyer(ctx):
        return tn.long(take_profit=1.3 * ctx.price, stop_loss=0.9 * ctx.price)

    quick = Quick()
    try:
        quick.start(buyer)
        kit.sink.wait_for("BTCUSDT:buyer opened long at")
    finally:
        quick.close()
    assert {path.split("/")[1] for path in kit.sink.paths} == {"TELEGRAM_URL"}


def operations(page: PythonPage, kit: Kit) -> None:
    """docs/operations/index.md: a rehearsal becomes a script, which cannot go live as it is."""
    readme = PythonPage("README.md")
    readme.run()
    market = tn.testing.random_walk(seed=7, days=3)
    end = "2024-01-01T02:00"
    run = tn.live.rehearse(
        "BTCUSDT", strategy=readme.names["dip"], exchange=market, end=end, speed=None
    )
    assert run.wait(240)
    page.names |= {"tn": tn, "run": run}
    exported = page.run()
    assert isinstance(exported, Exported)
    script = kit.folder / "dip_bot.py"
    assert "def dip(ctx):" in script.read_text("utf-8")
    ran = subprocess.run(
        [sys.executable, script, "--dry-run"], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, "--exchange" in ran.stderr) == (2, True), ran


def coming_from(page: PythonPage, kit: Kit) -> None:
    """docs/coming_from/index.md: the strategy of our side of each page below it, and its trades."""
    ours = page.left[0].text
    page.run()
    walk = tn.testing.random_walk(seed=7, days=90)
    result = tn.backtest.run(
        "BTCUSDT", strategy=page.names["cross"], exchange=walk, start="2024-01-04"
    )
    assert len(result.trades) == 1 + 46  # the first one begins with a side, not with a crossing
    for path in peers.PAGES.glob("*.md"):
        if path.stem != "index":
            assert peers.OUR_CODE.search(path.read_text("utf-8"))[1].startswith(ours), path.name


def theirs(page: PythonPage, kit: Kit) -> None:
    """The code of another tool: `make peers` runs it, where the tool is installed."""
    del kit
    block = page.take()
    compile(block.text, block.place, "exec")
