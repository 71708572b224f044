"""The statistics written out, for a terminal and for markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tradenb.statistics.figure_names import ALL_UNITS
from tradenb.view.formatting import number, plural

if TYPE_CHECKING:
    import pandas

    from tradenb.core.signal import Trade


def markdown(figures: Mapping[str, float] | pandas.Series[float]) -> str:
    """Write figures as a markdown table with units; N/A is written out.

    Examples
    --------
    >>> print(markdown({"win_rate": 44.382, "avg_minutes": 192.4}))
    | figure | value |
    |:--|--:|
    | win_rate | 44.38 % |
    | avg_minutes | 3 h 12 min |
    """
    lines = [
        f"| {name} | {' '.join(_cell(name, value)).rstrip()} |" for name, value in figures.items()
    ]
    return "\n".join(["| figure | value |", "|:--|--:|", *lines])


def text(figures: Mapping[str, float] | pandas.Series[float]) -> str:
    """Write figures as aligned plain text for a terminal; N/A is written out.

    Examples
    --------
    >>> print(text({"win_rate": 44.382, "count": 356.0}))
    win_rate  44.38 %
    count       356
    """
    cells = [(str(name), *_cell(name, value)) for name, value in figures.items()]
    names = max((len(name) for name, _, _ in cells), default=0)
    numbers = max((len(number) for _, number, _ in cells), default=0)
    return "\n".join(
        f"{name:<{names}}  {number:>{numbers}} {unit}".rstrip() for name, number, unit in cells
    )


def parts_words(trades: Sequence[Trade]) -> str:
    """Say how many positions had more than one entry and one exit; nothing where none had."""
    added = sum(trade.entries > 1 for trade in trades)
    parts = sum(trade.exits > 1 for trade in trades)
    if not added and not parts:
        return ""
    of = f"of {plural(len(trades), 'trade')}"
    return f"{added} {of} were added to, {parts} were closed in parts; see `result.fills`."


def costs_words(costs: float, total: float) -> str:
    """Say what slippage and fees took of the sum of all trades, pp; nothing where they took none.

    Examples
    --------
    >>> costs_words(20, 10.5)
    'Slippage and fees took 20.00 pp: the trades add up to +10.50 pp, without them to +30.50 pp.'
    """
    if math.isnan(total) or abs(costs) < 0.005:
        return ""
    net, gross = number(total, plus=True), number(total + costs, plus=True)
    sums = f"the trades add up to {net} pp, without them to {gross} pp"
    return f"Slippage and fees took {number(costs)} pp: {sums}."


def _cell(name: object, value: float) -> tuple[str, str]:
    """Return the number and the unit as people read them."""
    unit = ALL_UNITS.get(str(name), "ratio")
    match unit:
        case _ if math.isnan(value):
            return "N/A", ""
        case "count":
            return f"{value:,.0f}", ""
        case "minutes":
            hours, minutes = divmod(round(value), 60)
            return (f"{hours} h {minutes} min" if hours else f"{minutes} min"), ""
        case "ratio" | "fraction":
            return _fixed(value, 3), ""
        case "money":
            return _fixed(value, 2), ""
        case _:
            return _fixed(value, 2), unit


def _fixed(value: float, digits: int) -> str:
    if abs(value) >= 1e9:
        return f"{value:.3g}"
    return f"{round(value, digits) + 0.0:,.{digits}f}"  # + 0.0 makes -0.0 a 0
