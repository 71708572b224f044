"""How the charts look: one plotly template for light and dark pages, and the axes.

Plain dicts; the backgrounds are transparent and the texts of medium lightness.
"""

from __future__ import annotations

from typing import Any, Final

from tradenb.core.timeframe import MINUTE
from tradenb.view.charts.chart_traces import LONG, moments, plot_text

_TEXT: Final = "#777f8a"  # about 4:1 against white as against #111111
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
            "activecolor": LONG,
        },
        "legend": {
            "orientation": "h",
            "traceorder": "normal",
            "x": 0,
            "xanchor": "left",
            "y": 1,
            "yanchor": "bottom",
            "bgcolor": _CLEAR,
        },
        "margin": MARGIN,
    }
}


def time_axis(anchor: str, first: int, last: int) -> dict[str, Any]:
    """Return the common axis of time, with room for marks at its ends."""
    margin = max(last - first, MINUTE) // 100  # room for the marks at the edges
    return {
        "type": "date",
        "anchor": anchor,
        "range": moments([first - margin, last + margin]),
        "rangeslider": {"visible": False},
        "showspikes": False,  # plotly frames them in black and white, whatever the page
    }


def price_axis(symbol: str, domain: tuple[float, float]) -> dict[str, Any]:
    """Return an axis of prices, named after the symbol."""
    return {"domain": domain, "title": {"text": plot_text(symbol, 40)}, "tickformat": ",~r"}


def percent_axis(title: str, domain: tuple[float, float]) -> dict[str, Any]:
    """Return an axis of percentages."""
    return {
        "domain": domain,
        "title": {"text": title},
        "ticksuffix": " %",
        "separatethousands": True,
    }


def fall_axis(domain: tuple[float, float]) -> dict[str, Any]:
    """Return the axis of drawdowns: it ends at 0."""
    return {**percent_axis("drawdown", domain), "autorangeoptions": {"clipmax": 0}}
