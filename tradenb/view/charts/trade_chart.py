"""`TradeChart`: the chart of a run, as a widget of a notebook, a page, and a still picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradenb.statistics.equity.curve_points import points_of
from tradenb.view.asset_files import asset
from tradenb.view.charts.chart_data import POINTS, chart_data, chart_json
from tradenb.view.charts.chart_script import chart_script, plotly_script
from tradenb.view.charts.still_chart import still_html
from tradenb.view.formatting import escaped
from tradenb.view.page_file import page_path, write_page

if TYPE_CHECKING:
    from tradenb.statistics.equity.marks import Marks
    from tradenb.view.charts.chart_data import Drawn

_PAGE: Final = """
body { margin: 0; padding: 16px; font-family: system-ui, sans-serif; }
body { background: #fff; color: #1b2026; }
#chart > svg { max-width: 100%; height: auto; }
@media (prefers-color-scheme: dark) { body { background: #14171b; color: #e5e8eb; } }
"""
_DRAW: Final = """
const data = JSON.parse(document.getElementById("data").textContent);
tradenbChart(document.getElementById("chart"), data, window.Plotly);
"""


class TradeChart:
    """Price with trades, stops and targets, volume, indicators, equity and drawdown.

    In a notebook it is a widget: drag to zoom, use the slider below to move, double-click to see
    all. Where no kernel runs it is a still picture.

    Attributes
    ----------
    data : dict
        What is drawn, as `chart_data` makes it.
    title : str
    """

    def __init__(self, data: dict[str, Any], still: str, title: str) -> None:
        self.data = data
        self.title = title
        self._still = still

    def __repr__(self) -> str:
        return f"<chart of {self.title}; .save('chart.html') keeps it as a page>"

    def _repr_html_(self) -> str:
        style = asset("summary.css")
        return f'<div class="tnb-summary"><style>{style}</style>{self._still}</div>'

    def _ipython_display_(self) -> None:
        """Show the widget, and the still picture for where it is not."""
        from tradenb.view.charts.chart_widget import show

        show(chart_json(self.data), self._repr_html_(), repr(self))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the chart as a page of its own that loads nothing; a file of that name is replaced.

        Parameters
        ----------
        path : str or path
            Such as "chart.html".

        Raises
        ------
        UsageError
            When the path is not that of an HTML page.
        """
        return write_page(page_path(path), self._page())

    def _page(self) -> str:
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="color-scheme" content="light dark">'
            f"<title>{escaped(self.title, 120)}</title>"
            f"<style>{_PAGE}{asset('chart.css')}</style></head><body>"
            f'<div id="chart">{self._still}</div>'
            f'<script type="application/json" id="data">{chart_json(self.data)}</script>\n'
            f"<script>{plotly_script()}</script>\n"
            f"<script>{chart_script()}\n{_DRAW}</script></body></html>\n"
        )


def trade_chart(
    drawn: Sequence[Drawn], marks: Marks, *, start: int, end: int, chosen: int, title: str
) -> TradeChart:
    """Make the chart of a run; `chosen` is the place of the symbol that is shown at first."""
    points = points_of(marks, POINTS)
    count = sum(len(each.trades) for each in drawn)
    still = still_html(drawn[chosen], points, start=start, end=end, trades=count)
    data = chart_data(drawn, points, start=start, end=end, chosen=chosen)
    return TradeChart(data, still, title)
