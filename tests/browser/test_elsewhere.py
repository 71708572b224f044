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
    "run.wait(240)\npanel.freeze()",
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
    held = r"swing on BTCUSDT \w+ long it lasts until .*? UTC"
    prices = r"[\d,.]+ [\d,.]+ [\d,.]+ [\d,.]+ 2024-01-02 03:00 UTC"
    assert re.search(f"{held} .*? {prices}", words), words
    assert "opened" in words


VIEW = """<!doctype html><div id="here"></div><script type="module">
SCRIPT
const none = () => {};
const state = STATE;
const model = { get: (name) => state[name], set: none, save_changes: none, send: none, on: none,
  off: none };
new View(model, document.getElementById("here"));
</script>"""


def row_of(**more):
    """A run as the kernel sends it."""
    return {
        "key": "live:BTCUSDT:swing", "symbol": "BTCUSDT", "strategy": "swing", "mode": "live",
        "status": "running", "running": True, "saved": True, "position": "long", "signal": "s-1",
        "scheduled": False, "since": "", "entry": "100.00", "target": "102.00", "stop": "98.00",
        "progress": 10, "price": "100.20", "as_of": "", "cursor": "", "pnl": "", "tone": "even",
        "tick_ms": None, "trouble": "", "doubt": "", "held_by": "", "trace": "", "stale": False,
        "control": {"home": "/srv/dump", "folder": "swing/BTCUSDT"},
        "symbol_name": "BTCUSDT", "strategy_name": "swing", "home": "/srv/dump", "pending": [],
        "unwatched": False, "resume": False, "warnings": [], "reads": "", "parts": "",
        "ladder": False,
    } | more  # fmt: skip


def show(page, *rows, homes=None, server=""):
    """Open a page with the view alone: no contents API, and a kernel that does not answer."""
    state = {
        "rows": rows, "more": 0, "health": {"level": "good", "words": ["1 of 1 run running"]},
        "pictures": {}, "homes": homes or {}, "frozen": False, "beat": 0, "fallback": "",
        "events": {"total": 0, "rows": []},
    }  # fmt: skip
    text = VIEW.replace("SCRIPT", script_of_view()).replace("STATE", json.dumps(state))
    page.set_content(f"{server}<style>body {{ margin: 0 }} {style()}</style>{text}")


def test_where_there_is_no_server_a_click_says_what_it_waits_for_and_what_does_not_wait(page):
    """An editor that has widgets, but no contents API, and a kernel that is busy."""
    show(page, row_of())
    page.click("button[aria-label='Stop swing on BTCUSDT']")
    said = page.locator(".tnbd-notes li")
    said.filter(has_text="the kernel is busy and will accept it").wait_for()
    assert "tradenb stop BTCUSDT:swing --home /srv/dump" in said.inner_text()
    assert page.wrong == []


def test_fault_94_before_any_click_it_is_said_which_command_does_not_wait_for_the_kernel(page):
    show(page, row_of())
    said = page.locator(".tnbd-way-round")
    said.filter(has_text="While a cell is busy, these buttons may wait for its end").wait_for()
    assert "tradenb stop BTCUSDT:swing --home /srv/dump" in said.inner_text()
    assert page.locator(".tnbd-notes li").count() == 0
    assert page.wrong == []


def test_fault_94_before_any_click_each_button_that_may_wait_names_its_own_command(page):
    show(page, row_of(), row_of(key="live:A:b", symbol="A", symbol_name="A", running=False))
    page.locator(".tnbd-way-round:visible").wait_for()
    titles = page.eval_on_selector_all(
        ".tnbd-runs tr[data-run$=swing] button", "(all) => all.map((b) => b.title)"
    )
    stop, flatten, release = (
        [t for t in titles if t.startswith(f"{verb} swing")]
        for verb in ("Stop", "Flatten", "Release")
    )
    waits = "While a cell is busy this waits for its end; in a terminal, this does not: "
    place = "--home /srv/dump"
    assert stop[0].endswith(f"{waits}tradenb stop BTCUSDT:swing {place}")
    assert flatten[0].endswith(f"{waits}tradenb stop BTCUSDT:swing --flatten {place}")
    assert release[0].endswith(f"{waits}tradenb stop BTCUSDT:swing --release {place}")
    assert page.wrong == []


SERVER = '<script id="jupyter-config-data" type="application/json">{"baseUrl": "/"}</script>'


def test_fault_94_a_file_that_the_server_does_not_take_is_said_with_the_command(page):
    """The home is below the server's folder, and the server refuses to write there."""

    page.route("http://lab/api/**", lambda route: route.fulfill(json={"content": "h1"}))
    page.route("http://lab/api/**/*.new", lambda route: route.fulfill(status=500))
    page.route("http://lab/", lambda route: route.fulfill(body=SERVER, content_type="text/html"))
    page.goto("http://lab/")
    show(page, row_of(), homes={"/srv/dump": {"id": "h1", "beside": ""}}, server=SERVER)
    page.click("button[aria-label='Stop swing on BTCUSDT']")
    said = page.locator(".tnbd-notes li")
    said.filter(has_text="the server answered 500").wait_for()
    assert "tradenb stop BTCUSDT:swing --home /srv/dump" in said.inner_text()
    assert not page.locator(".tnbd-way-round:visible").count()


WIDTHS = (320, 360, 520, 760, 789, 979, 980, 1_100, 1_119, 1_120, 1_400, 2_200)
# What is cut off: wider than the page, or outside of it.
SHOWN = ".tnbd button, .tnbd input, .tnbd-status, .tnbd-levels span"
CUT_OFF = (
    f"""() => [...document.querySelectorAll('{SHOWN}')]"""
    """
    .filter(node => node.offsetParent)
    .filter(node => { const box = node.getBoundingClientRect();
        return box.left < 0 || box.right > innerWidth || box.width === 0; })
    .map(node => node.textContent)"""
)


def test_fault_101_no_button_is_cut_off_from_320_to_2200_pixels(page):
    pending = [
        {"id": "s", "kind": "stop", "what": "stopping", "at": None, "words": "stopping"},
        {"id": "f", "kind": "flatten", "what": "flattening", "at": 4e12, "words": ""},
        {"id": "c", "kind": "close", "what": "closing 50 % of it", "at": 4e12, "words": ""},
    ]
    parts = (
        "the stop trails · average of 3 entries · 92 % open · "
        "targets left 46,920.50 (25 %), 47,653.63 (25 %)"
    )
    show(
        page,
        row_of(pending=pending, status="stopping", price="45,086.20", pnl="-0.54 %", parts=parts),
        row_of(key="live:A:b", unwatched=True, running=False, resume=True, status="unwatched long",
               trouble="no process watches its stop and target", control=None),
        row_of(key="live:C:d", scheduled=True, entry="45,574.06", stop="45,699.66",
               target="44,123.81", price="45,086.20", reads="BTCUSDT, ETHUSDT, SOLUSDT",
               symbol="LONGCOINNAMEUSDT:USDT", strategy="a_strategy_with_a_name_of_forty_letters",
               held_by="process 4711 on server", as_of="2024-01-04 07:30 UTC"),
    )  # fmt: skip
    page.click("button[aria-label^='Move the stop or the target of swing']")
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 1_200})
        assert page.evaluate(CUT_OFF) == [], width
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    names = [name for name in page.locator(".tnbd-runs button:visible").all_inner_texts() if name]
    for name in (
        "Stop",
        "Flatten",
        "Release",
        "Resume",
        "Cancel",
        "Keep running",
        "Keep open",
        "Close part",
        "Move",
        "Move it",
    ):
        assert name in names, name
    assert "flattening at the next close (" in page.inner_text(".tnbd-pending >> nth=0")
    assert page.wrong == []


def test_what_is_taken_back_names_the_request_and_resume_says_what_it_waits_for(page):
    flatten = {"id": "f1", "kind": "flatten", "what": "flattening", "at": None, "words": "x"}
    show(page, row_of(pending=[flatten]), row_of(key="live:A:b", running=False, resume=True))
    page.click("button[aria-label='Take back: flattening']")
    said = page.locator(".tnbd-notes li")
    said.filter(has_text="tradenb withdraw BTCUSDT:swing --home /srv/dump").wait_for()
    page.click(".tnbd-go:visible")
    said.filter(has_text="tradenb resume BTCUSDT:swing --home /srv/dump").wait_for()
    assert page.wrong == []


def test_a_part_is_closed_after_it_was_confirmed_and_its_command_is_named(page):
    show(page, row_of())
    page.click("button[aria-label^='Close a part of swing']")
    page.select_option("select[aria-label^='How much']", "0.25")
    act = page.locator(".tnbd-form:visible button")
    act.click()
    assert act.inner_text() == "Close 25 % now?"
    assert page.locator(".tnbd-notes li").count() == 0
    page.select_option("select[aria-label^='How much']", "0.75")
    assert act.inner_text() == "Close it"  # what was asked is not what it says now
    act.click()
    act.click()
    said = page.locator(".tnbd-notes li")
    said.filter(has_text="tradenb close BTCUSDT:swing --fraction 0.75 --home /srv/dump").wait_for()
    assert not page.locator(".tnbd-form:visible").count()
    assert page.wrong == []


def test_a_stop_is_moved_after_it_was_confirmed_and_nonsense_is_not(page):
    show(page, row_of(ladder=True, parts="targets left 101.00 (50 %), 102.00 (50 %)"))
    page.click("button[aria-label^='Move the stop or the target of swing']")
    hint = page.locator(".tnbd-hint:visible")
    assert "one target takes the place of all that are left" in hint.inner_text()
    act = page.locator(".tnbd-form:visible button")
    for text in ("", "-5", "a lot"):
        page.fill("input[aria-label^='New stop']", text)
        act.click()
        assert act.inner_text() == "Move it"
        assert "a number above 0" in hint.inner_text()
    page.fill("input[aria-label^='New stop']", "1,099.5")
    page.fill("input[aria-label^='New target']", "1200")
    act.click()
    assert act.inner_text() == "Move to stop 1099.5, target 1200?"
    act.click()
    said = page.locator(".tnbd-notes li")
    words = "tradenb move BTCUSDT:swing --stop 1099.5 --target 1200 --home /srv/dump"
    said.filter(has_text=words).wait_for()
    assert page.wrong == []


def test_a_position_that_waits_or_is_not_there_has_no_form(page):
    show(page, row_of(scheduled=True), row_of(key="live:A:b", position="", signal=""))
    names = page.locator(".tnbd-runs button:visible").all_inner_texts()
    assert "Stop" in names
    assert not {"Close part", "Move"} & set(names)
    assert page.wrong == []
