"""The area that the small inline charts are drawn on: scales, axes and short paths.

Colours are written twice: as attributes, which hold wherever style sheets are stripped, and as
classes, which the style sheets adapt to light and dark.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

from tradenb.view.formatting import escaped
from tradenb.view.svg.axis_ticks import time_ticks, value_ticks

Vertices = list[tuple[float, float]]
Label = Callable[[list[float]], list[str]]
LETTER = 6.8
WIDTH = 760


class PlotArea(NamedTuple):
    """What a chart covers, ms UTC and values, and where its edges are, pixels."""

    first: int
    last: int
    low: float
    high: float
    left: float
    right: float
    top: float
    bottom: float
    height: int

    def x(self, at: int) -> float:
        """Return where a moment is."""
        return self.left + (self.right - self.left) * (at - self.first) / (self.last - self.first)

    def y(self, value: float) -> float:
        """Return where a value is."""
        share = (value - self.low) / (self.high - self.low)
        return self.bottom - (self.bottom - self.top) * share


def left_of(low: float, high: float, label: Label) -> float:
    """Return how much room the labels of an axis need, pixels."""
    return 14 + LETTER * max(map(len, label(value_ticks(low, high))))


def head_of(kind: str, width: int, height: int, label: str) -> str:
    """Begin the element of a chart; the label is escaped already."""
    return (
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'aria-label="{label}" xmlns="http://www.w3.org/2000/svg" font-size="11" '
        f'fill="currentColor"><title>{label}</title>'
    )


def axes(area: PlotArea, label: Label) -> list[str]:
    """Draw the lines of the values, and the marks of the times, as many as there is room for."""
    most = min(12, max(2, round((area.right - area.left) / 100)))
    times = time_ticks(area.first, area.last, most)
    return [*value_axis(area, label), *(_mark(area, at, text) for at, text in times)]


def value_axis(area: PlotArea, label: Label) -> list[str]:
    """Draw the lines of the values."""
    ticks = value_ticks(area.low, area.high)
    left = short(area.left)
    marks = []
    for value, text in zip(ticks, label(ticks), strict=True):
        y = short(area.y(value))
        solid = ' class="tnb-zero"' if value == 0 else ' class="tnb-grid"'
        opacity = 0.45 if value == 0 else 0.13
        marks.append(
            f'<path{solid} stroke="currentColor" stroke-opacity="{opacity}" '
            f'd="M{left} {y}H{short(area.right)}"/>'
            f'<text class="tnb-tick" fill-opacity="0.7" text-anchor="end" dy="0.35em" '
            f'x="{short(area.left - 8)}" y="{y}">{text}</text>'
        )
    return marks


def count_axis(area: PlotArea, what: str) -> list[str]:
    """Draw the marks of whole numbers, the last with the name of what is counted."""
    most = min(10, max(2, round((area.right - area.left) / 90)))
    numbers = [round(at) for at in value_ticks(area.first, area.last, most) if at == round(at)]
    return [_mark(area, at, f"{at:,} {what}" if at == numbers[-1] else f"{at:,}") for at in numbers]


def _mark(area: PlotArea, at: int, text: str) -> str:
    x = short(area.x(at))
    return (
        f'<path class="tnb-grid" stroke="currentColor" stroke-opacity="0.45" '
        f'd="M{x} {short(area.bottom)}v4"/>'
        f'<text class="tnb-tick" fill-opacity="0.7" text-anchor="middle" '
        f'x="{x}" y="{area.height - 8}">{escaped(text)}</text>'
    )


def path_of(corners: Sequence[tuple[float, float]]) -> str:
    """Write corners with the shortest commands; straight runs along an axis become one."""
    points = [(short(x), short(y)) for x, y in corners]
    commands = [f"M{points[0][0]} {points[0][1]}"]
    for (x, y), (next_x, next_y) in pairwise(points):
        if (x, y) == (next_x, next_y):
            continue
        command = f"V{next_y}" if x == next_x else f"H{next_x}" if y == next_y else ""
        if command and commands[-1][0] == command[0]:
            commands.pop()
        commands.append(command or f"L{next_x} {next_y}")
    return "".join(commands)


def short(value: float) -> str:
    """Write a coordinate."""
    return f"{value:.1f}".removesuffix(".0")
