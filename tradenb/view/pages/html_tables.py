"""The tables of the report as HTML: every cell is escaped here, once."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from tradenb.core.timeframe import iso
from tradenb.statistics.breakdown import Group
from tradenb.statistics.figure_names import DEFINITIONS
from tradenb.view.formatting import (
    MONTHS,
    NOT_AVAILABLE,
    duration,
    escaped,
    figure,
    number,
    percent,
    price,
    tone,
)

if TYPE_CHECKING:
    import pandas

    from tradenb.core.signal import Trade
    from tradenb.statistics.equity.drawdowns import Drawdown
    from tradenb.view.event_frames import Coverages, OpenRow

_STRONGEST: Final = 42  # percent of colour in the cell with the largest value
_COLOURED: Final = ("total_pnl", "expectancy", "sharpe")
_LEFT_OUT: Final = ("avg_pnl", "longest_wins", "longest_losses")  # too wide for paper otherwise


class Cell(NamedTuple):
    """What a cell shows: escaped text, its class, how much colour, and what it sorts by."""

    text: str
    kind: str = ""
    heat: float = 0.0
    sort: float | None = None


def table(
    heads: Sequence[tuple[str, str]],
    rows: Iterable[Sequence[Cell]],
    *,
    name: str,
    kind: str = "",
    sortable: bool = False,
) -> str:
    """Make a table that scrolls sideways by itself; the first cell of a row names it.

    Each head is a title and its class. A "narrow" table is no wider than it has to be, an "even"
    one has columns of one width. `report.js` sorts by the titles of a sortable one.
    """
    title_of = '<button type="button">{}</button>' if sortable else "{}"
    titles = "".join(
        f'<th scope="col"{_class(kind)}>{title_of.format(title)}</th>' for title, kind in heads
    )
    body = "".join(f"<tr>{_head(row[0])}{''.join(map(_cell, row[1:]))}</tr>" for row in rows)
    mark = " data-sortable" if sortable else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escaped(name)}">'
        f"<table{mark}{_class(kind)}><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def statistics_table(figures: Mapping[str, float]) -> str:
    """List every figure with its name in `result.stats` and what it means."""
    rows = []
    for name, value in figures.items():
        label, meaning = DEFINITIONS.get(name, (name, ""))
        rows.append(
            [
                Cell(escaped(label)),
                Cell(figure(name, value), "right strong"),
                Cell(escaped(meaning), "muted wrap"),
                Cell(f"<code>{escaped(name)}</code>", "muted"),
            ]
        )
    heads = [("Figure", ""), ("Value", "right"), ("Meaning", ""), ("In result.stats", "")]
    return table(heads, rows, name="All statistics")


def monthly_table(months: Sequence[tuple[int, float]]) -> str:
    """Show the returns of months: when each begins (ms UTC), and percent; and of their years."""
    years: dict[int, list[float]] = {}
    for begin, change in months:
        moment = dt.datetime.fromtimestamp(begin / 1000, dt.UTC)
        row = years.setdefault(moment.year, [math.nan] * 12 + [1.0])
        row[moment.month - 1] = change
        row[12] *= 1 + change / 100
    largest = _largest(value for values in years.values() for value in values[:12])
    rows = []
    for year, values in years.items():
        whole = (values[12] - 1) * 100
        rows.append(
            [
                Cell(str(year)),
                *(_warm(value, largest, digits=1) for value in values[:12]),
                Cell(percent(whole, 1, plus=True), f"right strong {tone(whole)}"),
            ]
        )
    heads = [("", ""), *((month, "right") for month in MONTHS), ("Year", "right")]
    return table(heads, rows, name="Monthly returns")


def drawdown_table(falls: Sequence[Drawdown]) -> str:
    """List falls of the equity, as they come."""
    rows = [
        [
            Cell(percent(0.0 - fall.depth), "strong down"),
            Cell(iso(fall.start)),
            Cell(iso(fall.trough)),
            Cell("not yet" if fall.end is None else iso(fall.end)),
            Cell(duration(fall.days * 1440), "right"),
        ]
        for fall in falls
    ]
    heads = [("Depth", ""), ("From", ""), ("Lowest", ""), ("Back at the peak", "")]
    return table([*heads, ("Lasted", "right")], rows, name="Drawdowns")


def benchmark_table(
    run: tuple[float, float, float], holds: Mapping[str, tuple[float, float]]
) -> str:
    """Compare a run (return, drawdown, exposure) with holding each symbol, and all of them."""
    lines = [("This run", *run)]
    lines += [
        (f"Hold {escaped(name, 60)}", *hold, 1.0)
        for name, hold in holds.items()
        if name != "basket"
    ]
    if len(holds) > 2:
        lines.append(("Hold all of them", *holds["basket"], 1.0))
    rows = [
        [
            Cell(name, "strong" if row == 0 else ""),
            Cell(percent(gained, plus=True), f"right {tone(gained)}"),
            Cell(percent(fall), "right"),
            Cell(percent(exposure * 100, 1), "right"),
        ]
        for row, (name, gained, fall, exposure) in enumerate(lines)
    ]
    heads = [("", ""), ("Return", "right"), ("Max drawdown", "right"), ("Exposure", "right")]
    return table(heads, rows, name="Benchmark")


def group_table(groups: Sequence[Group], title: str) -> str:
    """Show the results of groups of trades."""
    largest = _largest(group.total_percent for group in groups)
    rows = [
        [
            Cell(escaped(group.name.replace("_", " "), 60)),
            Cell(number(group.trades, 0), "right"),
            Cell(percent(group.share_percent, 1), "right"),
            Cell(percent(group.win_rate_percent, 1), "right"),
            Cell(percent(group.mean_percent, plus=True), "right"),
            _warm(group.total_percent, largest, unit="\xa0pp"),
            Cell(duration(group.mean_minutes), "right"),
        ]
        for group in groups
    ]
    titles = ("Trades", "Share", "Win rate", "Average", "Total", "Held")
    return table(
        [(title, ""), *((word, "right") for word in titles)], rows, name=title, kind="even"
    )


def heatmap_table(heatmap: pandas.DataFrame, title: str) -> str:
    """Show the frame of `statistics.stats_tables.heatmap`; its last row is everything together."""
    names = [str(name) for name in heatmap.columns if name not in _LEFT_OUT]
    labels = [str(label) for label in heatmap.index]
    columns = {name: [float(value) for value in heatmap[name]] for name in names}
    largest = {name: _largest(values[:-1]) for name, values in columns.items()}
    last = len(labels) - 1
    rows = [
        [
            Cell(escaped(label, 60), "strong" if row == last else ""),
            *(
                _figure_cell(name, columns[name][row], largest[name] if row < last else 0.0)
                for name in names
            ),
        ]
        for row, label in enumerate(labels)
    ]
    heads = [(DEFINITIONS.get(name, (name, ""))[0], "right wrap") for name in names]
    return table([(title, ""), *heads], rows, name=f"Results by {title.lower()}")


def trade_table(trades: Sequence[Trade]) -> str:
    """List trades, the newest first; the columns do not depend on the trades."""
    heads = [
        ("Closed", ""), ("Opened", ""), ("Symbol", ""), ("Strategy", ""), ("Position", ""),
        ("Entry", "right"), ("Exit", "right"), ("Pnl", "right"), ("Exit reason", ""),
        ("Fills", ""), ("Held", "right"), ("Note", ""),
    ]  # fmt: skip
    rows = (_trade_row(trade) for trade in reversed(trades))
    return table(heads, rows, name="Trades", sortable=True)


def open_table(rows: Sequence[OpenRow]) -> str:
    """List what was still open or scheduled."""
    heads = [
        ("Symbol", ""), ("Strategy", ""), ("Signal", ""), ("State", ""),
        ("Market price", "right"), ("Unrealised", "right"),
    ]  # fmt: skip
    cells = [
        [
            Cell(escaped(symbol, 60)),
            Cell(escaped(strategy, 60)),
            Cell(escaped(signal_id, 80)),
            Cell(escaped(state, 20)),
            Cell(price(market), "right"),
            Cell("" if pnl is None else percent(pnl, plus=True), f"right {tone(pnl)}"),
        ]
        for symbol, strategy, signal_id, state, market, pnl in rows
    ]
    return table(heads, cells, name="Open at the end")


def settings_table(settings: Mapping[str, object], name: str) -> str:
    """List names and values."""
    rows = [[Cell(escaped(key, 80)), Cell(escaped(settings[key], 300), "wrap")] for key in settings]
    return table([(name, ""), ("", "")], rows, name=name, kind="narrow")


def coverage_table(coverage: Coverages) -> str:
    """List the indicators of a run: when they first had a value, and how often."""
    rows = [
        [
            Cell(escaped(item.name, 60)),
            Cell(item.timeframe),
            Cell(escaped(strategy, 60)),
            Cell(escaped(symbol, 60)),
            Cell(NOT_AVAILABLE if item.first is None else iso(item.first)),
            Cell(f"{item.values:,} of {item.candles:,}", "right"),
        ]
        for (strategy, symbol), found in coverage.items()
        for item in found
    ]
    heads = [("Indicator", ""), ("Timeframe", ""), ("Strategy", ""), ("Symbol", "")]
    heads += [("First value", ""), ("Candles with a value", "right")]
    return table(heads, rows, name="Indicators")


def _trade_row(trade: Trade) -> list[Cell]:
    reason = escaped(trade.exit_reason.replace("_", " "), 40) + (", late" if trade.late else "")
    pnl = percent(trade.pnl_percent, plus=True)
    return [
        Cell(iso(trade.closed_at), sort=trade.closed_at),
        Cell(iso(trade.opened_at), sort=trade.opened_at),
        Cell(escaped(trade.symbol, 60)),
        Cell(escaped(trade.strategy, 60)),
        Cell(escaped(trade.position)),
        Cell(price(trade.entry), "right", sort=trade.entry),
        Cell(price(trade.exit), "right", sort=trade.exit),
        Cell(pnl, f"right strong {tone(trade.pnl_percent)}", sort=trade.pnl_percent),
        Cell(reason),
        Cell(f"{trade.entries} in, {trade.exits} out", sort=trade.entries + trade.exits),
        Cell(duration(trade.minutes_held), "right", sort=trade.minutes_held),
        Cell(escaped(trade.note or "", 160), "muted wrap"),
    ]


def _figure_cell(name: str, value: float, largest: float) -> Cell:
    if name in _COLOURED:
        return Cell(figure(name, value), f"right {tone(value)}", _heat(value, largest))
    return Cell(figure(name, value), "right")


def _warm(value: float, largest: float, *, digits: int = 2, unit: str = "") -> Cell:
    if math.isnan(value):
        return Cell("\N{MIDDLE DOT}", "right muted")
    text = number(value, digits, plus=True) + unit
    return Cell(text, f"right {tone(value)}", _heat(value, largest))


def _heat(value: float, largest: float) -> float:
    return 0.0 if math.isnan(value) or not largest else _STRONGEST * abs(value) / largest


def _largest(values: Iterable[float]) -> float:
    return max((abs(value) for value in values if math.isfinite(value)), default=0.0)


def _class(kind: str) -> str:
    return f' class="{kind.strip()}"' if kind.strip() else ""


def _head(cell: Cell) -> str:
    sort = "" if cell.sort is None else f' data-sort="{cell.sort!r}"'
    return f'<th scope="row"{_class(cell.kind)}{sort}>{cell.text}</th>'


def _cell(cell: Cell) -> str:
    sort = "" if cell.sort is None else f' data-sort="{cell.sort!r}"'
    warm = f' style="--heat:{min(cell.heat, 100.0):.0f}%"' if cell.heat >= 0.5 else ""
    kind = f"{cell.kind} heat" if warm else cell.kind
    return f"<td{_class(kind)}{sort}{warm}>{cell.text}</td>"
