"""The dashboard where it is no widget of a Jupyter server: in exports, editors, elsewhere."""

from __future__ import annotations

import json
import re

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from tradenb.panel.static_fallback import script_of_view, style

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(300)]

NAME = "swing on BTCUSDT"
CELLS = (
    """
import tradenb as tn
market = tn.testing.random_walk(seed=7, days=3)

@tn.strategy("swing", every="15m")
def swing(ctx):
    return tn.long(take_profit=1.2 * ctx.price, stop_loss=0.8 * ctx.price, minutes=1440)

run = tn.live.rehearse(
    "BTCUSDT", strategy=swing, exchange=market, start="2024-01-02", end="2024-01-02T03:00",
    speed=None, home="dump",
)
panel = tn.dashboard("dump")
""",
    "panel",
    "run.wait(60)\npanel.freeze()",
)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """A notebook with a dashboard, as it is saved after its last cell."""
    folder = tmp_path_factory.mktemp("executed")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    options = {"extra_arguments": ["--IPKernelApp.log_level=ERROR"], "timeout": 90}
    resources = {"metadata": {"path": str(folder)}}
    return NotebookClient(notebook, kernel_name="python3", resources=resources, **options).execute()


@pytest.fixture(params=["with the state of widgets", "without"])
def exported(request, executed, tmp_path):
    """That notebook by a plain nbconvert, as it saves the state of widgets or does not."""
    notebook = nbformat.reads(nbformat.writes(executed), as_version=4)
    if request.param == "without":
        notebook.metadata.pop("widgets", None)
    page, _ = HTMLExporter().from_notebook_node(notebook)
    path = tmp_path / "page.html"
    path.write_text(page, encoding="utf-8")
    return path


def test_a_plain_export_shows_the_last_picture_once_and_without_a_network(exported, page):
    page.context.set_offline(True)
    page.goto(exported.as_uri(), wait_until="domcontentloaded")
    page.wait_for_selector(".tnb-summary >> text=Live runs")
    assert page.locator(".tnb-summary").count() == 1
    row = page.inner_text(".tnb-summary table >> nth=0")
    assert NAME in row
    assert "long" in row  # it was not there yet when the cell ran: the picture was replaced
    assert page.locator(".tnb-summary svg:visible").count() == 2
    assert "<dashboard of" not in page.inner_text("body")


def test_a_page_that_takes_no_styles_pictures_or_scripts_still_says_all(executed):
    (picture,) = [
        output["data"]["text/html"]
        for output in executed.cells[1].outputs
        if "widget-view" not in str(output["data"].keys())
    ]
    plain = re.sub(r"<(style|script|svg)\b.*?</\1>", "", picture, flags=re.DOTALL)
    words = " ".join(re.sub(r"<[^>]*>", " ", plain).split())
    position = r"swing on BTCUSDT \w+ long [\d,.]+ [\d,.]+ [\d,.]+ [\d,.]+ 2024-01-02 03:00 UTC"
    assert re.search(position, words), words
    assert "opened" in words


VIEW = """<!doctype html><div id="here"></div><script type="module">
SCRIPT
const none = () => {};
const state = STATE;
const model = { get: (name) => state[name], set: none, save_changes: none, send: none, on: none,
  off: none };
new View(model, document.getElementById("here"));
</script>"""


def shown_on(page):
    """Show a running run of a busy kernel on a page; nothing is at the server's end."""
    row = {
        "key": "live:BTCUSDT:swing", "symbol": "BTCUSDT", "strategy": "swing", "mode": "live",
        "status": "running", "running": True, "saved": True, "position": "long", "signal": "s-1",
        "scheduled": False, "since": "", "entry": "100.00", "target": "102.00", "stop": "98.00",
        "progress": 10, "price": "100.20", "as_of": "", "cursor": "", "pnl": "", "tone": "even",
        "tick_ms": None, "trouble": "", "doubt": "", "held_by": "", "trace": "", "stale": False,
        "control": {"home": "/srv/dump", "folder": "swing/BTCUSDT"},
        "symbol_name": "BTCUSDT", "strategy_name": "swing",
    }  # fmt: skip
    state = {
        "rows": [row], "more": 0, "health": {"level": "good", "words": ["1 of 1 run running"]},
        "pictures": {}, "homes": {}, "frozen": False, "beat": 0, "fallback": "",
        "events": {"total": 0, "rows": []},
    }  # fmt: skip
    text = VIEW.replace("SCRIPT", script_of_view()).replace("STATE", json.dumps(state))
    page.set_content(f"<style>{style()}</style>{text}")


def test_where_there_is_no_server_a_click_says_what_it_waits_for_and_what_does_not_wait(page):
    """An editor that has widgets, but no contents API, and a kernel that is busy."""
    shown_on(page)
    page.click("button[aria-label='Stop swing on BTCUSDT']")
    said = page.locator(".tnbd-notes li")
    said.filter(has_text="the kernel is busy and will accept it").wait_for()
    assert "tradenb stop BTCUSDT:swing --home /srv/dump" in said.inner_text()
    assert page.wrong == []


def test_fault_94_before_any_click_it_is_said_which_command_does_not_wait_for_the_kernel(page):
    shown_on(page)
    said = page.locator(".tnbd-way-round")
    said.filter(has_text="While a cell is busy, these buttons may wait for its end").wait_for()
    assert "tradenb stop BTCUSDT:swing --home /srv/dump" in said.inner_text()
    assert page.locator(".tnbd-notes li").count() == 0
    assert page.wrong == []
