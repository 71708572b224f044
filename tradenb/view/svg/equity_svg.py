"""The equity line of the notebook cell: one inline SVG, no script, no ids, a few kilobytes.

`plot_area.py` has the scales and axes, `price_svg.py` the other chart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from tradenb.statistics.equity_curve import equity_curve, thinned
from tradenb.view.formatting import escaped, number, percent, period, plural
from tradenb.view.svg.axis_ticks import digits_of
from tradenb.view.svg.plot_area import (
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
    from tradenb.core.signal import Trade

HEIGHT: Final = 210
POINTS: Final = 700
_END: Final = 68
_TOP: Final = 10
_BOTTOM: Final = HEIGHT - 26
_LARGEST: Final = 1e12  # compounding may leave the range of doubles; a chart need not


def equity_svg(trades: Sequence[Trade], *, start: int, end: int, width: int = WIDTH) -> str:
    """Draw the compounded return over time, with the distance to its peak shaded.

    Long curves get at most `POINTS` points that keep the extremes.
    """
    times, equity, drawdown = equity_curve(trades)
    peaks = list(accumulate(equity, max, initial=1.0))[1:]
    # The deepest drawdown is drawn whatever is thinned out: the caption quotes it.
    chosen = sorted({*thinned(equity, POINTS - 2), *_deepest(equity, drawdown)})
    at = [start, *(times[i] for i in chosen)]
    line = [0.0, *(_gain(equity[i]) for i in chosen)]
    peak = [0.0, *(_gain(peaks[i]) for i in chosen)]
    area = _area(min(start, at[0]), max(end, at[-1], start + 1), min(line), max(peak), width)
    stepped = _staircase(area, at, line)
    shade = _staircase(area, at, peak) + stepped[::-1]
    head = head_of("tnb-equity", width, HEIGHT, _description(equity, drawdown, start, end))
    fall = f'<path class="tnb-fall" fill="#d9632e" fill-opacity="0.18" d="{path_of(shade)}Z"/>'
    rise = (
        '<path class="tnb-line" fill="none" stroke="#3b82c4" stroke-width="1.6" '
        f'stroke-linejoin="round" d="{path_of(stepped)}"/>'
    )
    mark = _end_mark(area, line[-1]) if trades else _nothing(width)
    return "".join([head, *axes(area, _labels), fall, rise, mark, "</svg>"])


def _gain(equity: float) -> float:
    gain = (equity - 1) * 100
    return -100.0 if math.isnan(gain) else min(max(gain, -_LARGEST), _LARGEST)  # inf x 0


def _deepest(equity: Sequence[float], drawdown: Sequence[float]) -> set[int]:
    """Return the bottom of the largest fall, and the peak that it fell from."""
    if not equity:
        return set()
    bottom = max(range(len(equity)), key=drawdown.__getitem__)
    return {max(range(bottom + 1), key=equity.__getitem__), bottom}


def _area(first: int, last: int, low: float, high: float, width: int) -> PlotArea:
    if high - low < 1e-6:
        low, high = low - 1.0, high + 1.0
    room = (high - low) * 0.06
    low, high = low - room, high + room
    left = left_of(low, high, _labels)
    return PlotArea(first, last, low, high, left, width - _END, _TOP, _BOTTOM, HEIGHT)


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
    digits = 1 if abs(value) < 1000 else 0
    return (
        f'<circle class="tnb-dot" fill="#3b82c4" cx="{short(area.right)}" cy="{y}" r="3"/>'
        f'<text class="tnb-end" font-weight="600" dy="0.35em" x="{short(area.right + 8)}" y="{y}">'
        f"{percent(value, digits, plus=True)}</text>"
    )


def _nothing(width: int) -> str:
    return (
        f'<text class="tnb-tick" fill-opacity="0.7" text-anchor="middle" '
        f'x="{width / 2:.0f}" y="{_TOP + 40}">no trade closed</text>'
    )


def _description(equity: Sequence[float], drawdown: Sequence[float], start: int, end: int) -> str:
    gained = (equity[-1] - 1) * 100 if equity else 0.0
    return escaped(
        f"Equity over {plural(len(equity), 'closed trade')}, {period(start, end)}: "
        f"{number(gained, plus=True)} % compounded, "
        f"largest drawdown {number(max(drawdown, default=0.0))} %"
    )
