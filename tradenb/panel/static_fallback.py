"""The picture beside a displayed dashboard, for where the widget itself is not.

Saved pages, GitHub and editors without widgets show it as it is. A page of Jupyter that is loaded
anew while a cell keeps the kernel busy gets no widget before that cell is over: there the script in
the picture makes a working dashboard of it, from the offline file (`offline_file.py`). Where the
widget is, it hides the picture.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any, Final

from tradenb.panel.dashboard_model import DashboardModel
from tradenb.panel.static_html import dashboard_html
from tradenb.view.asset_files import asset as chart_asset
from tradenb.view.charts.notebook_output import publish

_ASSETS: Final = Path(__file__).parent / "assets"
EVERY_S: Final = 60.0


class StaticFallback:
    """A picture in the outputs of a notebook, replaced in its place; found by its id."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.displayed = False
        self._shown: tuple[Any, ...] = ()
        self._at = float("-inf")

    def display(self, model: DashboardModel, folder: str, beside: str) -> None:
        """Put the picture below what the cell shows."""
        self.displayed, self._shown = True, _facts_of(model)
        self._publish(fallback_html(model, self.id, follow(self.id, folder, beside)), update=False)

    def replace(self, model: DashboardModel, folder: str, beside: str, now: float) -> None:
        """Replace the picture if what it shows has changed, at most once a minute."""
        shown = _facts_of(model)
        if not self.displayed or shown == self._shown or now - self._at < EVERY_S:
            return
        self._shown, self._at = shown, now
        self._publish(fallback_html(model, self.id, follow(self.id, folder, beside)), update=True)

    def finish(self, model: DashboardModel) -> None:
        """Replace the picture by the last one, which nothing follows any more."""
        if self.displayed:
            self._publish(fallback_html(model, self.id), update=True)

    def _publish(self, page: str, *, update: bool) -> None:
        publish({"text/html": page}, transient={"display_id": self.id}, update=update)


def fallback_html(model: DashboardModel, id: str, script: str = "") -> str:
    """Render the picture, with the script that makes a dashboard of it."""
    return f'<div data-tnb-fallback="{id}">{dashboard_html(model)}</div>{script}'


def follow(id: str, folder: str, beside: str) -> str:
    """Return the script element that looks for the offline file of a dashboard.

    `beside` is the folder of the home as seen from the notebook; empty if it is not below it.
    """
    given = json.dumps({"id": id, "home": folder, "beside": beside, "style": style()})
    source = f"{script_of_view()}\n{asset('follow.js')}\nfollow({given});"
    inert = source.replace("</", "<\\/")
    return f'<script type="module">{inert}</script>'


def script_of_view() -> str:
    """Return the script of the widget: the view, and how it talks to the server."""
    return f"{asset('server.js')}\n{asset('dashboard.js')}"


def style() -> str:
    """Return the style sheet of the view."""
    return f"{asset('dashboard.css')}\n{chart_asset('chart.css')}"


@functools.cache
def asset(name: str) -> str:
    """Return the text of a file of the view."""
    return (_ASSETS / name).read_text("utf-8")


def _facts_of(model: DashboardModel) -> tuple[Any, ...]:
    """Return what a picture must not be wrong about for long."""
    names = ("key", "status", "signal", "scheduled")
    return tuple(tuple(row[name] for name in names) for row in model.rows)
