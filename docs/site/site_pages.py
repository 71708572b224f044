"""What Sphinx does not do by itself for this site: the front door, and a reference that is whole.

An extension of `docs/conf.py`. `tests/test_site.py` compares the names that the reference lists
with the public names of the package.
"""  # noqa: INP001 - an extension of a tool, no package

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOMS = ("backtest", "live", "research", "risks", "testing")
DOOR = """<!doctype html><html lang="en"><meta charset="utf-8"><title>tradenb</title>
<meta http-equiv="refresh" content="0; url=docs/index.html">
<p><a href="docs/index.html">tradenb</a></p></html>
"""


def public_names() -> set[str]:
    """Return every public name as a user types it, without modules."""
    import tradenb as tn

    found = {name for name in dir(tn) if not inspect.ismodule(getattr(tn, name))}
    for room in ROOMS:
        found |= {f"{room}.{name}" for name in dir(getattr(tn, room))}
    return found - {
        "__version__",
        "backtest.Result",
        "live.LiveRun",
    }  # the last two: tn.Result, tn.LiveRun


def listed_names() -> set[str]:
    """Return every name that the reference lists."""
    pages = (Path(__file__).parents[1] / "reference").glob("*.md")
    texts = "\n".join(page.read_text("utf-8") for page in pages)
    return set(re.findall(r"^   tradenb\.([\w.]+)$", texts, re.MULTILINE))


def write_door(app: Sphinx, error: Exception | None) -> None:
    """Write the page that a browser opens first."""
    if error is None:
        Path(app.outdir, "index.html").write_text(DOOR, encoding="utf-8")


def leave_out_of_search(app: Sphinx, doctree: object) -> None:
    """Find decisions by their titles alone: search is for those who use the package."""
    del doctree
    if app.env.docname.startswith("docs/adr/"):
        app.env.metadata[app.env.docname]["nosearch"] = True


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to the build."""
    app.connect("build-finished", write_door)
    app.connect("doctree-read", leave_out_of_search)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
