"""The scripts of a chart: plotly.js as the plotly package has it, and our own on top of it."""

from __future__ import annotations

import functools
import zlib

from tradenb.view.asset_files import asset

_OWN = (
    "chart_levels.js",
    "chart_symbol.js",
    "chart_traces.js",
    "chart_layout.js",
    "chart.js",
)


@functools.cache
def plotly_script() -> str:
    """Return plotly.js as it comes with the plotly package, fit for an inline script element."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs()).replace("\r", "").replace("</script", "<\\/script")


def chart_script() -> str:
    """Return the script that defines `tradenbChart(box, data, plotly)`, and nothing else."""
    own = "\n".join(asset(name) for name in _OWN)
    draw = "return (box, data, plotly) => new Chart(box, data, plotly);"
    return f'const tradenbChart = (() => {{\n"use strict";\n{own}\n{draw}\n}})();'


def asking_script() -> str:
    """Return the same with `chartLibrary(model)`, which has the library from the kernel."""
    return f"{chart_script()}\n{asset('chart_library.js')}"


@functools.cache
def packed_library() -> bytes:
    """Return plotly.js, deflated."""
    return zlib.compress(plotly_script().encode("utf-8"), 6)
