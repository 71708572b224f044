"""What a position looked like over time, as traces: stop, targets, average entry, and its parts.

The lines come from `core.lifecycle.position_lines`. Of many positions the stops and targets are
hidden until the legend is clicked, else they would cover the price.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tradenb.core.timeframe import iso
from tradenb.view.charts.chart_traces import (
    LONG,
    LOSS,
    SHORT,
    WIN,
    Trace,
    markers,
    moments,
    plot_text,
)
from tradenb.view.formatting import number, percent, price
from tradenb.view.step_runs import Run, step_runs

if TYPE_CHECKING:
    from tradenb.core.lifecycle.position_lines import Mark, PositionLines

SHOWN: Final = 60
_MOST_STEPS: Final = 20_000


def line_traces(
    positions: Sequence[PositionLines], last: int, *, step: int = 0, shown: int = SHOWN
) -> list[Trace]:
    """Draw the stops, targets and average entries of positions, and where parts came and went.

    Parameters
    ----------
    last : int
        Until when lines of what is still open are drawn, ms UTC.
    step : int
        Of several levels within so many ms the last is drawn.
    shown : int
        Of more positions the lines are hidden at first.
    """
    drawn = _newest(positions)
    stops = [run for each in drawn for run in step_runs(each.stop, _end(each, last), step)]
    targets = [
        [(target.since, target.level), (target.until or last, target.level)]
        for each in drawn
        for target in each.targets
    ]
    entries = [
        run
        for each in drawn
        if len(each.entry) > 1
        for run in step_runs(each.entry, _end(each, last))
    ]
    hidden = {"visible": "legendonly"} if len(drawn) > shown else {}
    found = [
        _lines("stop in force", stops, LOSS, "solid") | hidden,
        _lines("target", targets, WIN, "dash") | hidden,
        _lines("average entry", entries, LONG, "dot") | hidden,
    ]
    marks = [(each, mark) for each in positions for mark in each.marks]
    found += [
        _marks("added", [pair for pair in marks if pair[1].kind == "added"], "cross"),
        _marks("part closed", [pair for pair in marks if pair[1].kind == "partial"], "diamond"),
        _still_open([each for each in positions if each.closed_at is None]),
    ]
    return [trace for trace in found if len(trace["x"])]


def _newest(positions: Sequence[PositionLines]) -> Sequence[PositionLines]:
    """Return the newest positions that have at most so many steps together."""
    left = _MOST_STEPS
    for place in range(len(positions) - 1, -1, -1):
        left -= len(positions[place].stop) + len(positions[place].targets)
        if left < 0:
            return positions[place + 1 :]
    return positions


def _end(each: PositionLines, last: int) -> int:
    return last if each.closed_at is None else each.closed_at


def _lines(name: str, runs: Iterable[Run], color: str, dash: str) -> Trace:
    """Join runs; a missing point after each lifts the pen."""
    x: list[str | None] = []
    y: list[float] = []
    for run in runs:
        x += [*moments(at for at, _ in run), None]
        y += [*(level for _, level in run), np.nan]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": np.array(y),
        "line": {"shape": "hv", "width": 1.1, "color": color, "dash": dash},
        "hovertemplate": f"%{{x|%Y-%m-%d %H:%M}}<br>%{{y}}<extra>{name}</extra>",
    }


def _marks(name: str, marks: Sequence[tuple[PositionLines, Mark]], symbol: str) -> Trace:
    colors = [_color(each, mark) for each, mark in marks]
    return markers(
        name,
        [mark.at for _, mark in marks],
        [mark.price for _, mark in marks],
        [_mark_text(each, mark) for each, mark in marks],
        {"symbol": symbol, "size": 9, "color": colors},
    )


def _color(each: PositionLines, mark: Mark) -> str:
    if mark.pnl_percent is None:
        return LONG if each.position == "long" else SHORT
    return WIN if mark.pnl_percent > 0 else LOSS


def _mark_text(each: PositionLines, mark: Mark) -> str:
    what = f"{plot_text(each.position)} {plot_text(each.strategy, 40)}"
    if mark.kind == "added":
        first = f"<b>added</b> {number(mark.fraction, 2)} of the first entry"
    else:
        gain = percent(mark.pnl_percent, plus=True)
        first = (
            f"<b>{gain}</b> part closed, {plot_text((mark.exit_reason or '').replace('_', ' '))}"
        )
    return "<br>".join([first, f"{iso(mark.at)} at {price(mark.price)}", what])


def _still_open(positions: Sequence[PositionLines]) -> Trace:
    symbols = [f"triangle-{'up' if each.position == 'long' else 'down'}-open" for each in positions]
    colors = [LONG if each.position == "long" else SHORT for each in positions]
    marker: dict[str, Any] = {"symbol": symbols, "size": 10, "color": colors}
    return markers(
        "still open",
        [each.opened_at for each in positions],
        [each.entry[0].level or 0.0 for each in positions],
        [_open_text(each) for each in positions],
        marker,
    )


def _open_text(each: PositionLines) -> str:
    level = each.stop[-1].level
    lines = [
        f"<b>{plot_text(each.position)}</b> {plot_text(each.strategy, 40)}, still open",
        f"opened {iso(each.opened_at)} at {price(each.entry[0].level)}",
        "stop not known" if level is None else f"stop now {price(level)}",
    ]
    return "<br>".join(lines)
