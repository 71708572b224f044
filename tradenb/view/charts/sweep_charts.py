"""Charts of a sweep by plotly: a heatmap of two parameters, and parallel coordinates of all.

The ground is transparent and the colours are of medium lightness, for light and dark pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from tradenb.errors import UsageError, unknown
from tradenb.view.charts.chart_theme import MARGIN, TEMPLATE

if TYPE_CHECKING:
    import pandas
    import plotly.graph_objects

# Low to high; the middle is neither good nor bad.
_SCALE: Final = [[0.0, "#d9632e"], [0.5, "#8f959e"], [1.0, "#139a74"]]
_MOST_LABELS: Final = 400


def sweep_heatmap(
    table: pandas.DataFrame, x: str, y: str, *, value: str = "sharpe"
) -> plotly.graph_objects.Figure:
    """Draw one statistic over two parameters.

    Parameters
    ----------
    table : DataFrame
        Of `tn.sweep`.
    x, y : str
        Parameters. Where the sweep had more, the median over those is drawn.
    value : str, default "sharpe"
        The statistic. A cell is empty where it is N/A.

    Raises
    ------
    UnknownName
        When the table has no such column.
    """
    import plotly.graph_objects as go

    for name in (x, y, value):
        _check(table, name)
    if x == y:
        raise UsageError(f"x and y must be two different parameters, both were {x!r}")
    texts = [name for name in (x, y) if table[name].dtype.kind not in "iuf"]
    table = table.assign(**{name: table[name].map(str) for name in texts})
    grid = table.pivot_table(index=y, columns=x, values=value, aggfunc="median", dropna=False)
    few = grid.size <= _MOST_LABELS
    trace = {
        "z": grid.to_numpy(),
        "x": [str(item) for item in grid.columns],
        "y": [str(item) for item in grid.index],
        "colorscale": _SCALE,
        "zmid": 0 if grid.min().min() < 0 < grid.max().max() else None,
        "xgap": 1,
        "ygap": 1,
        "texttemplate": "%{z:.3~g}" if few else None,
        "textfont": {"color": "#ffffff", "size": 11},
        "hovertemplate": f"{x} %{{x}}<br>{y} %{{y}}<br>{value} %{{z:.4~g}}<extra></extra>",
        "colorbar": {"title": {"text": value}, "outlinewidth": 0, "thickness": 12},
    }
    axis = {"type": "category", "showgrid": False, "zeroline": False}
    layout = {
        "height": 120 + 30 * min(max(len(grid), 6), 20),
        "margin": MARGIN,
        "xaxis": {**axis, "title": {"text": x}},
        "yaxis": {**axis, "title": {"text": y}},
    }
    layout |= _nothing_known(table, value)
    return go.Figure(data=[go.Heatmap(trace)], layout={**layout, "template": TEMPLATE})


def sweep_parallel(
    table: pandas.DataFrame, names: Sequence[str], *, value: str = "sharpe"
) -> plotly.graph_objects.Figure:
    """Draw each combination as a line through its parameters and some figures.

    Parameters
    ----------
    table : DataFrame
        Of `tn.sweep`.
    names : sequence of str
        Columns, from left to right.
    value : str, default "sharpe"
        The statistic that colours the lines; the last axis.
    """
    import plotly.graph_objects as go

    for name in (*names, value):
        _check(table, name)
    known = table[table[value].notna()]
    dimensions = [_dimension(known, name) for name in (*names, value)]
    line = {
        "color": known[value],
        "colorscale": _SCALE,
        "cmid": 0 if known[value].min() < 0 < known[value].max() else None,
        "showscale": True,
        "colorbar": {"title": {"text": value}, "outlinewidth": 0, "thickness": 12},
    }
    text = {**TEMPLATE["layout"]["font"], "shadow": "none"}  # else a white one, whatever the page
    trace = {
        "dimensions": dimensions,
        "line": line,
        "labelfont": text,
        "tickfont": text,
        "rangefont": {**text, "color": "rgba(0,0,0,0)"},
        "unselected": {"line": {"opacity": 0.05}},
    }
    layout = {"height": 420, "margin": {"l": 60, "r": 40, "t": 60, "b": 30}, "template": TEMPLATE}
    layout |= _nothing_known(table, value)
    return go.Figure(data=[go.Parcoords(trace)], layout=layout)


def _dimension(table: pandas.DataFrame, name: str) -> dict[str, Any]:
    """Return one axis; texts and booleans get a place each."""
    column = table[name]
    if column.dtype.kind in "iuf":
        values = sorted(set(column.tolist()))
        ticks = {"tickvals": values} if len(values) <= 12 else {}
        return {"label": name, "values": column, **ticks}
    texts = sorted({str(item) for item in column})
    places = [texts.index(str(item)) for item in column]
    return {"label": name, "values": places, "tickvals": list(range(len(texts))), "ticktext": texts}


def _nothing_known(table: pandas.DataFrame, value: str) -> dict[str, Any]:
    """Return a title for an empty chart."""
    if table[value].notna().any():
        return {}
    return {"title": {"text": f"{value} is N/A in all combinations: too few trades or days"}}


def _check(table: pandas.DataFrame, name: str) -> None:
    if name not in table.columns:
        raise unknown("column of the sweep", name, [str(column) for column in table.columns])
