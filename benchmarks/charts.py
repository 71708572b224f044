"""The chart of a year of minutes with more than 5,000 trades: its size, first paint and zoom.

Chromium is driven by playwright, from a file, without a network. Times are those of the page: from
the start of the navigation to the first frame with the chart, and from a zoom, or from the end of a
drag, to the first frame at the new level of detail. Beside each is what the page's own thread took
of a processor, which hardly depends on what else the machine does. `python -m benchmarks charts`
measures it.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import tradenb as tn
from benchmarks.lines import Heading, Line
from tradenb.view.charts.chart_data import chart_json

Taken = tuple[float, float]

CANDLES: Final = 525_600
TRADES: Final = 5_000
DAYS: Final = (180, 90, 30, 14, 7, 3, 1, 0.5, 0.2, 0.05, 365)
SHARES: Final = (0.5, 0.3, 0.3, 0.3)
_OPEN: Final = """async () => {
  const box = document.getElementById("chart");
  while (!box.tnbChart?.draws) await new Promise(requestAnimationFrame);
  window.chart = box.tnbChart;
  await new Promise(requestAnimationFrame);
  return performance.now();
}"""
_ZOOM: Final = """async (days) => {
  const from = chart.data.start + 0.37 * (chart.data.end - chart.data.start) * (1 - days / 365);
  const began = performance.now();
  await chart.zoom(from, from + days * 864e5);
  await new Promise(requestAnimationFrame);
  return performance.now() - began;
}"""
_WATCH: Final = """() => {
  const draw = chart.redraw.bind(chart);
  chart.redraw = async () => {
    await draw();
    await new Promise(requestAnimationFrame);
    window.drawn = performance.now();
  };
  addEventListener("mouseup", () => { window.released = performance.now(); }, true);
}"""


def measure(tries: int) -> Iterator[Line | Heading]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    yield Heading(f"A chart of {CANDLES:,} candles, more than {TRADES:,} trades")
    result = _result()
    yield Line("its data, beside the library", len(chart_json(result.plot().data)) / 1e6, "MB", 3)
    if path is None:
        yield Heading("chromium is not installed: no times")
        return
    with tempfile.TemporaryDirectory() as folder:
        page = result.plot().save(Path(folder) / "chart.html")
        paints, zooms, drags = _times(path, page, tries)
    yield from _lines("first paint", paints, 2_000)
    yield from _lines("a zoom", zooms, 200)
    yield from _lines("a drag over the price", drags, 200)


def _lines(what: str, taken: list[Taken], aim: float) -> Iterator[Line]:
    yield Line(f"{what}, median", statistics.median(wall for wall, _ in taken), "ms", aim)
    yield Line(f"{what}, median, processor", statistics.median(cpu for _, cpu in taken), "ms", aim)
    yield Line(f"{what}, longest, processor", max(cpu for _, cpu in taken), "ms")


def _result() -> tn.Result:
    @tn.strategy("busy", every="1h")
    def busy(ctx: tn.Context) -> tn.Candidate | None:
        if ctx.when.hour % 7 > 3:
            return None
        stop, target = tn.percent(0.8), tn.percent(1.2)
        return tn.long(take_profit=target, stop_loss=stop, trail=0.5, trail_after=0.3, minutes=55)

    market = tn.testing.random_walk(seed=7, days=365)
    result = tn.backtest.run("BTCUSDT", strategy=busy, exchange=market, progress=False)
    assert (result.candle_count, len(result.trade_list) > TRADES) == (CANDLES, True)
    return result


def _times(chromium: str, path: Path, tries: int) -> tuple[list[Taken], list[Taken], list[Taken]]:
    from playwright.sync_api import sync_playwright

    paints, zooms, drags = [], [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(tries):
            page = browser.new_page(viewport={"width": 1_100, "height": 1_100})
            clock = page.context.new_cdp_session(page)
            clock.send("Performance.enable", {"timeDomain": "threadTicks"})
            paints.append(_taken(clock, partial(_open, page, path)))
            zooms += [_taken(clock, partial(page.evaluate, _ZOOM, days)) for days in DAYS]
            page.evaluate(_WATCH)
            drags += [_taken(clock, partial(_drag, page, share)) for share in SHARES]
            page.close()
        browser.close()
    return paints, zooms, drags


def _taken(clock: Any, act: Callable[[], float]) -> Taken:
    """Return how long something took, by the wall and by the processor, ms."""
    before = _processor(clock)
    wall = act()
    return wall, _processor(clock) - before


def _processor(clock: Any) -> float:
    metrics = clock.send("Performance.getMetrics")["metrics"]
    found: float = next(each["value"] for each in metrics if each["name"] == "TaskDuration")
    return 1000 * found


def _open(page: Any, path: Path) -> float:
    page.goto(path.as_uri(), wait_until="commit")
    page.wait_for_selector("#chart", state="attached")
    found: float = page.evaluate(_OPEN)
    return found


def _drag(page: Any, share: float) -> float:
    """Zoom into a share of what is in view, by the mouse; return the milliseconds."""
    page.evaluate("window.drawn = 0")
    box = page.locator(".tnbc .nsewdrag").first.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.3 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + (0.3 + share) * box["width"], y, steps=3)
    page.mouse.up()
    page.wait_for_function("window.drawn > 0")
    found: float = page.evaluate("window.drawn - window.released")
    return found
