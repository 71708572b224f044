"""The page of `tradenb dashboard` as a person uses it: it stops a run of another process."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(300)]

BOT = """
import sys
import tradenb as tn

@tn.strategy("swing", every="15m")
def swing(ctx):
    return tn.long(take_profit=1.2 * ctx.price, stop_loss=0.8 * ctx.price, minutes=1440)

run = tn.live.rehearse(
    "BTCUSDT", strategy=swing, exchange=tn.testing.random_walk(seed=7, days=3),
    start="2024-01-02", end="2024-01-03", speed=600, home=sys.argv[1],
)
print("started", flush=True)
run.wait(200)
"""


@contextlib.contextmanager
def process(*arguments):
    """Another process of this Python, which is ended at the end."""
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True) as found:
        try:
            yield found
        finally:
            found.terminate()


@pytest.fixture
def home(tmp_path):
    """The home of a rehearsal that goes on in another process."""
    with process("-c", BOT, str(tmp_path)) as bot:
        assert bot.stdout.readline().strip() == "started"
        yield tmp_path / "rehearsal"


@contextlib.contextmanager
def served(page, home, *more):
    """Serve a home, and open its page."""
    command = ["-m", "tradenb", "dashboard", "--home", str(home), "--port=0", "--json", *more]
    with process(*command) as server:
        page.goto(json.loads(server.stdout.readline())["url"])
        page.locator(".tnbd-runs tbody tr").wait_for()
        yield


def test_stop_is_pressed_in_the_page_and_the_run_hears_it(page, home):
    wrong = []
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    with served(page, home, "--control"):
        assert "token" not in page.url
        # Without a position it would be done at once, and never stopping.
        page.locator(".tnbd-position").get_by_text("long").wait_for()
        page.get_by_role("button", name="Stop swing on BTCUSDT").click()
        page.locator(".tnbd-pending, .tnbd-status").get_by_text("stopping").first.wait_for()
        page.locator(".tnbd-picture svg").first.wait_for()
        assert wrong == []
    page.get_by_text("no data for").wait_for()
    page.get_by_text("`tradenb dashboard` has ended").wait_for()


def test_a_page_that_only_reads_has_no_buttons(page, home):
    with served(page, home):
        assert page.get_by_role("button", name="Stop").count() == 0
        page.get_by_text("read only").wait_for()


def test_the_chart_of_a_run_is_drawn_and_follows_it(page, home):
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
    with served(page, home):
        page.get_by_role("button", name="Chart").click()
        page.locator(".tnbc .nsewdrag").first.wait_for()
        assert not page.locator(".tnbd-picture").first.is_visible()
        chart = "document.querySelector('.tnbd-chart').tnbChart"
        before = page.evaluate(f"{chart}.data.end")
        page.wait_for_function(f"before => {chart}.data.end > before + 600_000", arg=before)
        price = page.evaluate(f"{chart}.plot.data[0]")
        assert (price["type"], price["name"]) == ("candlestick", "price")
        assert len(price["x"]) > 10
        page.get_by_role("button", name="Pictures").click()
        page.locator(".tnbd-picture svg").first.wait_for()
        assert wrong == []
