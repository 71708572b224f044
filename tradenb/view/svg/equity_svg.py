"""The equity line of the notebook cell: one inline SVG, no script, no ids, a few kilobytes.

`plot_area.py` has the scales and axes, `price_svg.py` the other chart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from tradenb.view.formatting import escaped, number, percent, period, plural
from tradenb.view.svg.axis_ticks import digits_of
from tradenb.view.svg.plot_area import (
    LETTER,
    WIDTH,
    PlotArea,
    Vertices,
    axes,
    head_of,
    left_of,
    path_of,
    short,
)

if TYPE_CHECKING:
    from tradenb.statistics.equity.curve_points import CurvePoints

HEIGHT: Final = 210
POINTS: Final = 700
_TOP: Final = 10
_BOTTOM: Final = HEIGHT - 26
_LARGEST: Final = 1e12  # compounding may leave the range of doubles; a chart need not
_REACH: Final = 3  # how many times the height of the equity the benchmark may take
_APART: Final = 18  # between two lines of words, also where they are larger on a narrow page


def equity_svg(
    points: CurvePoints, *, start: int, end: int, trades: int, width: int = WIDTH
) -> str:
    """Draw the return over time, with the distance to its peak shaded and the benchmark dashed.

    Parameters
    ----------
    points : CurvePoints
        At most `POINTS` of them keep it small.
    trades : int
        How many positions were closed.
    """
    line = [_drawn(gain) for gain in points.gains]
    peak = list(accumulate(line, max))
    held = _within_reach([_drawn(gain) for gain in points.holds], min(line), max(peak))
    shown = [*line, *peak, *held]
    at = points.at
    words = [_words(line[-1]), *(f"hold {_words(last)}" for last in points.holds[-1:])]
    right = width - 14 - LETTER * 0.92 * max(map(len, words))
    area = _area(min(start, at[0]), max(end, at[-1], start + 1), min(shown), max(shown), right)
    trace = _staircase if points.stepped else _line
    drawn = trace(area, at, line)
    shade = trace(area, at, peak) + drawn[::-1]
    head = head_of("tnb-equity", width, HEIGHT, _description(points, trades, start, end))
    fall = f'<path class="tnb-fall" fill="#d9632e" fill-opacity="0.18" d="{path_of(shade)}Z"/>'
    rise = (
        '<path class="tnb-line" fill="none" stroke="#3b82c4" stroke-width="1.6" '
        f'stroke-linejoin="round" d="{path_of(drawn)}"/>'
    )
    moved = trades or any(points.gains)
    mark = _end_mark(area, line[-1]) if moved else _nothing(width)
    hold = _hold(area, at, held, beside=area.y(line[-1]), last=points.holds[-1]) if held else ""
    return "".join([head, *axes(area, _labels), fall, hold, rise, mark, "</svg>"])


def _drawn(gain: float) -> float:
    return -100.0 if math.isnan(gain) else min(max(gain, -_LARGEST), _LARGEST)  # inf x 0


def _within_reach(held: list[float], low: float, high: float) -> list[float]:
    """Cut a benchmark off where it would press the equity flat."""
    reach = _REACH * max(high - low, 1.0)
    return [min(max(value, low - reach), high + reach) for value in held]


def _hold(
    area: PlotArea, at: Sequence[int], held: list[float], *, beside: float, last: float
) -> str:
    """Draw what holding would have been, and say so at its end, away from the other words."""
    y = area.y(held[-1])
    if abs(y - beside) < _APART:
        y = beside + _APART if y >= beside else beside - _APART
    if y > area.bottom:
        y = beside - _APART
    return (
        '<path class="tnb-hold" fill="none" stroke="#7f8896" stroke-width="1.1" '
        f'stroke-dasharray="4 3" d="{path_of(_line(area, at, held))}"/>'
        '<text class="tnb-tick" fill-opacity="0.7" dy="0.35em" '
        f'x="{short(area.right + 8)}" y="{short(y)}">hold {_words(last)}</text>'
    )


def _line(area: PlotArea, at: Sequence[int], values: Sequence[float]) -> Vertices:
    """Return the corners of a line from point to point."""
    return [(area.x(moment), area.y(value)) for moment, value in zip(at, values, strict=True)]


def _area(first: int, last: int, low: float, high: float, right: float) -> PlotArea:
    if high - low < 1e-6:
        low, high = low - 1.0, high + 1.0
    room = (high - low) * 0.06
    low, high = low - room, high + room
    left = left_of(low, high, _labels)
    return PlotArea(first, last, low, high, left, right, _TOP, _BOTTOM, HEIGHT)


def _staircase(area: PlotArea, at: Sequence[int], values: Sequence[float]) -> Vertices:
    """Return the corners of a line that is flat between the points, to the end of the area."""
    corners = [(area.x(at[0]), area.y(values[0]))]
    for moment, value in zip(at[1:], values[1:], strict=True):
        x, y = area.x(moment), area.y(value)
        corners += [(x, corners[-1][1]), (x, y)]
    corners.append((area.x(area.last), corners[-1][1]))
    return corners


def _labels(ticks: list[float]) -> list[str]:
    return [percent(value, digits_of(ticks), plus=True) for value in ticks]


def _end_mark(area: PlotArea, value: float) -> str:
    y = short(area.y(value))
    return (
        f'<circle class="tnb-dot" fill="#3b82c4" cx="{short(area.right)}" cy="{y}" r="3"/>'
        f'<text class="tnb-end" font-weight="600" dy="0.35em" x="{short(area.right + 8)}" y="{y}">'
        f"{_words(value)}</text>"
    )


def _words(value: float) -> str:
    return percent(value, 1 if abs(value) < 1000 else 0, plus=True)


def _nothing(width: int) -> str:
    return (
        f'<text class="tnb-tick" fill-opacity="0.7" text-anchor="middle" '
        f'x="{width / 2:.0f}" y="{_TOP + 40}">no trade closed</text>'
    )


def _description(points: CurvePoints, trades: int, start: int, end: int) -> str:
    held = f", holding {number(points.holds[-1], plus=True)} %" if points.holds else ""
    return escaped(
        f"Equity over {plural(trades, 'closed trade')}, {period(start, end)}: "
        f"{number(points.gains[-1], plus=True)} % compounded{held}, "
        f"largest drawdown {number(max(points.falls))} %"
    )
