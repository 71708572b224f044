"""Indicators over the price in the small chart, and what the legend says of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from tradenb.view.formatting import escaped
from tradenb.view.svg.plot_area import PlotArea, path_of, short
from tradenb.view.svg.trade_markers import Sample

if TYPE_CHECKING:
    from tradenb.core.candles.arrays import Floats, Times

# As `look.lines` of the charts of plotly, of medium lightness: seen on light and on dark pages.
_COLORS: Final = ("#c18c26", "#c2428a", "#7f8f2c", "#a5795c")
_LONGEST: Final = 24  # letters of a name in the legend


class Overlay(NamedTuple):
    """The values of an indicator, each at the close of a candle; NaN where it has none."""

    name: str
    at: Times
    values: Floats


def overlay_path(area: PlotArea, each: Overlay, place: int) -> str:
    """Draw the line of an indicator, the one at a place among them; it has gaps where it is NaN."""
    parts: list[list[tuple[float, float]]] = [[]]
    for at, value in zip(each.at.tolist(), each.values.tolist(), strict=True):
        if math.isfinite(value):
            parts[-1].append((area.x(at), area.y(value)))
        elif parts[-1]:
            parts.append([])
    d = "".join(path_of(corners) for corners in parts if corners)
    return _line(d, place) if d else ""


def overlay_samples(overlays: Sequence[Overlay]) -> list[Sample]:
    """Return what the legend says of indicators."""
    return [
        (escaped(each.name, _LONGEST), partial(_sample, place=place))
        for place, each in enumerate(overlays)
    ]


def _sample(x: float, y: float, *, place: int) -> str:
    return _line(f"M{short(x - 5)} {short(y)}h10", place)


def _line(d: str, place: int) -> str:
    color = _COLORS[place % len(_COLORS)]
    return f'<path class="tnb-overlay" fill="none" stroke="{color}" stroke-width="1.2" d="{d}"/>'
