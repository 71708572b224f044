"""The dashboard as a person uses it: notebook 3 in JupyterLab and in Notebook 7.

`make browser` runs these. The kernel is busy in each of them: the cell below the dashboard waits.
"""

from __future__ import annotations

import itertools
import json
import re

import pytest

from tests.live.fast import until

PATIENCE_S = 150
LOADED_S = 90.0  # a page and a kernel on a busy machine
ROW = ".tnbd-runs tbody tr"
EVENTS = ".tnbd-log tbody tr"
NOTE = ".tnbd-notes li"
FALLBACK = "[data-tnb-fallback]"
DOCUMENT = "rehearsal/data/state/swing/BTCUSDT.json"
STEADY = """
@tn.strategy("swing", every="15m")
def swing(ctx):
    return tn.long(take_profit=1.2 * ctx.price, stop_loss=0.8 * ctx.price, minutes=1440)
"""
NAMES = "all => all.map(one => one.ariaLabel || one.textContent || one.labels?.length)"
BUSY = """
import time
until = time.monotonic() + 240
while not Path({go!r}).exists() and time.monotonic() < until:
    time.sleep(0.05)
Path({go!r} + ".over").touch()
"""

_TRIES = itertools.count(1)

pytestmark = [pytest.mark.realtime, pytest.mark.timeout(300)]


def prepared(server, name, *, last=None, steady=False):
    """Copy notebook 3 under a name that no try before had, perhaps only its first cells.

    Its cell that waits for a person waits longer, and its run is slower; a steady one holds
    its position for a day, two candles a second.
    """
    name = f"{name}-{next(_TRIES)}"
    notebook = json.loads((server.root / "03_live_rehearsal.ipynb").read_text())
    cells = {cell["id"]: cell for cell in notebook["cells"]}
    cells["wait"]["source"] = f"run.wait({PATIENCE_S})\nrun"
    start = "".join(cells["start"]["source"])
    cells["start"]["source"] = start.replace("speed=3_000", f"speed={120 if steady else 2_000}")
    if steady:
        cells["strategy"]["source"] = STEADY
    market = "".join(cells["market"]["source"])
    cells["market"]["source"] = re.sub("home = .*", f"home = Path({name!r})", market)
    ids = [cell["id"] for cell in notebook["cells"]]
    notebook["cells"] = notebook["cells"][: len(ids) if last is None else ids.index(last) + 1]
    (server.root / f"{name}.ipynb").write_text(json.dumps(notebook))
    return name


def kernel_is(page, status):
    page.wait_for_function(
        """status => window.jupyterapp?.shell?.currentWidget?.sessionContext?.session
                     ?.kernel?.status === status""",
        arg=status,
    )


def run_all(page):
    """Not awaited: it lasts as long as the cells do."""
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")


def save(page):
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")


def busy(page, go):
    """Keep the kernel busy until a file is there."""
    code = BUSY.format(go=str(go))
    page.evaluate(
        """code => {
            const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            kernel.requestExecute({ code });
        }""",
        code,
    )
    kernel_is(page, "busy")


def let_go(go):
    """End what keeps the kernel busy, which has been all the time."""
    assert not go.with_name(f"{go.name}.over").exists()
    go.touch()


def position(page):
    """Return what makes the position of the one run itself, and no other."""
    return page.eval_on_selector(
        f"{ROW}:visible",
        """row => ({
            signal: row.dataset.signal,
            position: row.cells[2].textContent,
            since: row.cells[2].title,
            levels: [...row.querySelectorAll('.tnbd-levels span')].map(one => one.textContent),
        })""",
    )


def press(page, what, *, times=1):
    """Press a button of the one run by the keyboard, as often as it wants to be pressed."""
    page.focus(f"button[aria-label^='{what} swing on BTCUSDT']:visible")
    for _ in range(times):
        page.keyboard.press("Enter")


def note_is(page, state):
    page.wait_for_selector(f"{NOTE}[data-state={state}]")


def opened(page, server, name):
    page.goto(server.url("lab/tree", f"{name}.ipynb"))
    kernel_is(page, "idle")
    run_all(page)
    row_is(page, "running")


def row_is(page, status):
    row = f"{ROW} .tnbd-status[data-status={status}]"
    page.wait_for_selector(row, state="attached", timeout=90_000)


def number_of_events(page):
    numbers = page.eval_on_selector_all(EVENTS, "rows => rows.map(row => +row.dataset.number)")
    assert numbers == sorted(set(numbers), reverse=True), numbers
    return len(numbers)


def until_position(page):
    page.wait_for_function(
        f"""() => [...document.querySelectorAll('{ROW} td')]
                   .some(cell => ['long', 'short'].includes(cell.textContent))"""
    )


def stopped(page):
    """Press Stop; return what the view said on the way, until the run is done."""
    press(page, "Stop")
    said = [page.inner_text(NOTE)]
    page.wait_for_function(
        f"""() => ['kernel', 'server'].includes(document.querySelector('{NOTE}').dataset.state)"""
    )
    said.append(page.inner_text(NOTE))
    row_is(page, "done")
    return said


def test_fault_65_in_lab_a_run_is_followed_and_stopped_while_a_cell_is_busy(server, page):
    name = prepared(server, "lab")
    opened(page, server, name)
    until_position(page)
    before = number_of_events(page)
    until(lambda: number_of_events(page) > before, "another event", LOADED_S)
    page.wait_for_selector(".jp-InputPrompt:text-is('[*]:')")  # the cell that waits
    said = stopped(page)
    assert said[0].startswith("Stop swing on BTCUSDT: ")
    assert "accepted by" in said[1]
    names = page.eval_on_selector_all(".tnbd button, .tnbd select", NAMES)
    assert len(names) > 1
    assert all(names)
    page.wait_for_selector(".jp-InputPrompt:text-is('[*]:')", state="detached")
    assert page.inner_text(".tnbd-fresh") == ""  # it is alive when the notebook has ended
    assert page.inner_text(".tnbd-words").startswith("0 of 1 run running")
    document = server.root / name / DOCUMENT
    state = json.loads(document.read_text())["body"]["state"]
    assert (state["done"], state["signal"]) == (True, None)
    control = server.root / name / "rehearsal/data/control/swing/BTCUSDT"
    assert [path for path in control.iterdir() if path.name.endswith((".json", ".new"))] == []
    assert page.wrong == []


def test_fault_65_after_a_reload_the_same_position_is_there_even_while_a_cell_is_busy(server, page):
    name = prepared(server, "again", last="dashboard", steady=True)
    opened(page, server, name)
    until_position(page)
    before = position(page)
    document = json.loads((server.root / name / DOCUMENT).read_text())["body"]["state"]
    assert before["signal"] == document["signal"]["id"]
    assert before["since"].startswith("since 2024-01-0")
    assert before["levels"]
    assert all(before["levels"])
    save(page)
    page.reload()
    row_is(page, "running")
    assert position(page) == before
    number_of_events(page)
    until(lambda: not page.is_visible(FALLBACK), "the widget in the place of the picture", LOADED_S)

    go = server.root / f"{name}.go"
    busy(page, go)
    page.reload()
    page.wait_for_selector(f"{FALLBACK} {ROW}")
    assert position(page) == before
    told = int(page.get_attribute(f"{FALLBACK} {ROW}", "data-tick"))
    until(
        lambda: int(page.get_attribute(f"{FALLBACK} {ROW}", "data-tick")) > told,
        "a newer tick",
        LOADED_S,
    )
    press(page, "Stop")
    note_is(page, "server")
    row_is(page, "stopping")
    assert position(page) == before  # followed to its close
    press(page, "Flatten", times=2)  # it asks once more
    row_is(page, "done")
    assert position(page)["signal"] == ""
    let_go(go)
    until(lambda: not page.is_visible(FALLBACK), "the widget in the place of the picture", LOADED_S)
    row_is(page, "done")
    assert page.wrong == []


def test_fault_65_in_notebook_7_a_run_is_stopped_while_a_cell_is_busy(server, page):
    name = prepared(server, "seven", last="dashboard", steady=True)
    page.goto(server.url("notebooks", f"{name}.ipynb"))
    kernel_is(page, "idle")
    run_all(page)
    row_is(page, "running")
    until_position(page)
    before = position(page)
    save(page)
    go = server.root / f"{name}.go"
    busy(page, go)
    press(page, "Stop")
    page.wait_for_selector(f"{NOTE}:is([data-state=kernel], [data-state=server])")
    row_is(page, "stopping")
    page.reload()
    row_is(page, "stopping")
    assert position(page) == before
    press(page, "Flatten", times=2)
    row_is(page, "done")
    let_go(go)
    assert page.wrong == []
