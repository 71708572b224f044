"""The stops of positions as steps in the small chart of prices, and the marks of their parts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from tradenb.core.timeframe import iso
from tradenb.view.formatting import escaped, number, percent, price, tone
from tradenb.view.step_runs import Run, step_runs
from tradenb.view.svg.plot_area import PlotArea, short
from tradenb.view.svg.trade_markers import COLORS, add_mark, part_mark

if TYPE_CHECKING:
    from tradenb.core.lifecycle.position_lines import Mark, PositionLines


def stop_path(area: PlotArea, each: PositionLines) -> str:
    """Draw the stop that was in force at each time, faintly once the position is closed."""
    path = step_path(area, step_runs(each.stop, each.closed_at or area.last))
    if not path:
        return ""
    is_open = each.closed_at is None
    style = "tnb-stop" if is_open else "tnb-stop tnb-past"
    weight = 'stroke-width="1.4"' if is_open else 'stroke-width="1" stroke-opacity="0.6"'
    return f'<path class="{style}" fill="none" stroke="{COLORS["down"]}" {weight} d="{path}"/>'


def step_path(area: PlotArea, runs: Sequence[Run]) -> str:
    """Write runs of steps; what is outside of the area is left out."""
    parts = []
    for run in runs:
        pen = ""
        for (at, level), (until, _) in pairwise(run):
            left, right = max(at, area.first), min(until, area.last)
            if right <= left or not area.low <= level <= area.high:
                pen = ""
                continue
            y = short(area.y(level))
            if y != pen:
                parts.append(f"V{y}" if pen else f"M{short(area.x(left))} {y}")
            pen = y
            parts.append(f"H{short(area.x(right))}")
    return "".join(parts)


def part_marks(area: PlotArea, each: PositionLines, size: float) -> str:
    """Mark where a position was added to and where parts of it were closed."""
    return "".join(
        _part(area, each, mark, size)
        for mark in each.marks
        if area.first <= mark.at <= area.last and area.low <= mark.price <= area.high
    )


def _part(area: PlotArea, each: PositionLines, mark: Mark, size: float) -> str:
    x, y = area.x(mark.at), area.y(mark.price)
    if mark.kind == "added":
        words = f"added {number(mark.fraction, 2)} of the first entry at {price(mark.price)}"
        drawn = add_mark(x, y, each.position, size=size)
    else:
        reason = (mark.exit_reason or "").replace("_", " ")
        words = (
            f"part closed at {price(mark.price)}, {reason} {percent(mark.pnl_percent, plus=True)}"
        )
        drawn = part_mark(x, y, tone(mark.pnl_percent), size=size)
    return f"<g><title>{escaped(f'{words}, {iso(mark.at)} UTC')}</title>{drawn}</g>"
