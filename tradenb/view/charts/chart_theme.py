"""How the charts of plotly's Python figures look: one template for light and dark pages.

Plain dicts; the backgrounds are transparent and the texts of medium lightness.
"""

from __future__ import annotations

from typing import Any, Final

_TEXT: Final = "#777f8a"  # about 4:1 against white as against #111111
_ACCENT: Final = "#3b82c4"
_GRID: Final = "rgba(127,136,150,0.2)"
_CLEAR: Final = "rgba(0,0,0,0)"
_FONT: Final = 'system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif'
MARGIN: Final = {"l": 16, "r": 16, "t": 36, "b": 24}
_AXIS: Final = {
    "gridcolor": _GRID,
    "zerolinecolor": "rgba(127,136,150,0.5)",
    "automargin": True,
    "title": {"standoff": 8},
}
TEMPLATE: Final[dict[str, Any]] = {
    "layout": {
        "paper_bgcolor": _CLEAR,
        "plot_bgcolor": _CLEAR,
        "font": {"family": _FONT, "size": 12, "color": _TEXT},
        "xaxis": {**_AXIS, "showgrid": False, "tickangle": 0},
        "yaxis": _AXIS,
        "hoverlabel": {
            "bgcolor": "#2a3038",
            "bordercolor": "#2a3038",
            "font": {"color": "#f3f5f7"},
            "align": "left",
        },
        # Not the button that sends the data of the chart to a server.
        "modebar": {
            "remove": ["sendChartToCloud", "select2d", "lasso2d", "autoScale2d"],
            "bgcolor": _CLEAR,
            "color": _TEXT,
            "activecolor": _ACCENT,
        },
        "margin": MARGIN,
    }
}
