"""Make the pictures of docs/charts.md: the chart of a managed strategy in chromium, light and dark.

`python docs/pictures/charts.py` runs it; set CHROMIUM if it has another name. The fonts are those
of the machine.
"""  # noqa: INP001 - a script beside the pictures, no package

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import tradenb as tn

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "charts.md"
_ZOOM = """async () => {
  const chart = document.getElementById("chart").tnbChart;
  await chart.zoom(chart.data.start + 4 * 864e5, chart.data.start + 8 * 864e5);
}"""


def result() -> tn.Result:
    """Run the first cells of the page."""
    cells = re.findall(r"```\{code-cell\} ipython3\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    known: dict[str, object] = {}
    exec(cells[0], known)  # noqa: S102 - code of our own page
    return known["result"]


def main() -> None:
    """Write a picture for each theme beside this file."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = result().plot().save(Path(folder) / "chart.html")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for theme in ("light", "dark"):
            page = browser.new_page(
                viewport={"width": 1_000, "height": 900},
                color_scheme=theme,
                device_scale_factor=1.5,
            )
            page.goto(path.as_uri())
            page.wait_for_selector(".tnbc .nsewdrag", state="attached")
            page.evaluate(_ZOOM)
            page.screenshot(path=HERE / f"chart-{theme}.png", full_page=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
