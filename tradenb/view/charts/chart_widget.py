"""The widget of a chart in a notebook.

The library is not in its state: a page that has none yet asks for it once, so that ten charts in a
notebook do not carry ten copies of plotly.js.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final
from uuid import uuid4

import anywidget
import traitlets

from tradenb.view.asset_files import asset
from tradenb.view.charts.chart_script import asking_script, packed_library
from tradenb.view.charts.notebook_output import publish

_BELOW: Final = "<!-- the picture is below -->"


def widget_script() -> str:
    """Return the module that draws the chart of a model."""
    return f"{asking_script()}\n{asset('chart_widget.js')}"


class ChartWidget(anywidget.AnyWidget):
    """A chart whose page asks for the library when it has none."""

    _esm: ClassVar[str] = widget_script()
    _css: ClassVar[str] = asset("chart.css")

    data = traitlets.Unicode("").tag(sync=True)
    fallback = traitlets.Unicode("").tag(sync=True)

    def __init__(self, data: str) -> None:
        super().__init__(data=data, fallback=uuid4().hex)
        self.on_msg(self._on_message)

    def _on_message(self, _: object, message: Any, __: object) -> None:
        if isinstance(message, dict) and message.get("type") == "library":
            self.send({"type": "library"}, buffers=[packed_library()])


def show(data: str, still: str, words: str) -> None:
    """Display a chart: the widget, and the still picture that it hides."""
    widget = ChartWidget(data)
    made = widget._repr_mimebundle_()
    if made is not None:
        shown, metadata = made
        publish({**shown, "text/plain": words, "text/html": _BELOW}, metadata)
    page = f'<div data-tnb-fallback="{widget.fallback}">{still}</div>'
    publish({"text/html": page, "text/plain": words})
