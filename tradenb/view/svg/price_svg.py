"""The price of a run as one inline SVG: closes, entries, exits, stops over time and levels.

No script, no ids, a few kilobytes; `plot_area.py` says how colours are written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Final, NamedTuple

from tradenb.core.timeframe import iso
from tradenb.view.formatting import escaped, number, percent, price, tone
from tradenb.view.svg.axis_ticks import digits_of
from tradenb.view.svg.overlay_lines import Overlay, overlay_path, overlay_samples
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
from tradenb.view.svg.position_paths import part_marks, stop_path
from tradenb.view.svg.trade_markers import (
    COLORS,
    ENTRY,
    LEGEND_ROW,
    Sample,
    add_mark,
    entry_mark,
    exit_mark,
    legend,
    legend_of,
    legend_rows,
    part_mark,
    stop_sample,
)

if TYPE_CHECKING:
    from tradenb.core.candles.arrays import Candles
    from tradenb.core.lifecycle.position_lines import PositionLines
    from tradenb.core.signal import Signal, Trade

HEIGHT: Final = 250
MARKED: Final = 60
_TOP: Final = 14
_LEGEND_LEFT: Final = 60
_BOTTOM: Final = HEIGHT - 26
_MOST_TARGETS: Final = 6
_FAR: Final = 4.0  # a level this many price ranges away is not drawn: it would flatten the line


class _Level(NamedTuple):
    """A price at which something happens."""

    name: str
    at: float
    style: str
    color: str


def price_svg(
    candles: Candles,
    trades: Sequence[Trade],
    signal: Signal | None,
    opened_at: int | None,
    *,
    lines: Sequence[PositionLines] = (),
    overlays: Sequence[Overlay] = (),
    targets: Sequence[float] | None = None,
    marked: int = MARKED,
    width: int = WIDTH,
) -> str:
    """Draw the newest prices of a run, each at its close time, and the levels of what is open.

    Only the newest `marked` trades are marked; the chart says so when there are more.

    Parameters
    ----------
    lines : sequence of PositionLines
        Their stops are drawn over time, and their parts marked.
    overlays : sequence of Overlay
        Indicators that are drawn over the price.
    targets : sequence of float, optional
        The targets of what is open that are left; default the one of the signal.
    """
    low, high = _range(candles, overlays)
    levels = _levels(signal, opened_at, targets, low, high)
    low = min([low, *(level.at for level in levels)])
    high = max([high, *(level.at for level in levels)])
    shown = _shown(candles, trades, signal, opened_at, lines, marked)
    rows = legend_rows(_samples(shown, candles.start, overlays), width - _LEGEND_LEFT)
    top = _TOP + LEGEND_ROW * len(rows)
    area = _area(candles.start, candles.end, low, high, levels, top=top, width=width)
    firsts = {each.signal_id: each.entry[0].level or 0.0 for each in shown.lines}
    over_time = signal is not None and signal.id in firsts
    size = 1.0 if len(shown.trades) <= MARKED else 0.7
    return "".join(
        [
            head_of("tnb-price", width, HEIGHT, _description(candles, signal)),
            *axes(area, _labels),
            *(
                _level(area, level, y, across=not (over_time and level.name == "stop"))
                for level, y in _spread(area, levels)
            ),
            *(stop_path(area, each) for each in shown.lines),
            *(overlay_path(area, each, place) for place, each in enumerate(overlays)),
            _closes(area, candles),
            *(_trade(area, trade, size, firsts) for trade in shown.trades),
            *(_entered(area, *each) for each in shown.opened),
            *(part_marks(area, each, size) for each in shown.lines),
            legend(area.left, _TOP - 4, rows),
            "</svg>",
        ]
    )


class _Shown(NamedTuple):
    """What of a run is drawn: the marked ones of its trades, the positions, what is open."""

    trades: list[Trade]
    all_trades: int
    lines: list[PositionLines]
    opened: list[tuple[str, int, float]]


def _shown(
    candles: Candles,
    trades: Sequence[Trade],
    signal: Signal | None,
    opened_at: int | None,
    lines: Sequence[PositionLines],
    marked: int,
) -> _Shown:
    """Choose what lies within the candles."""
    first, last = candles.start, candles.end
    within = [trade for trade in trades if first <= trade.closed_at <= last]
    drawn = within[-marked:]
    seen = _seen(lines, drawn, first, last)
    return _Shown(drawn, len(within), seen, _still_open(seen, signal, opened_at, first))


def _samples(shown: _Shown, first: int, overlays: Sequence[Overlay]) -> list[Sample]:
    """Return what the legend explains, and that trades are left out, if they are."""
    entries: list[str] = [trade.position for trade in shown.trades if trade.opened_at >= first]
    entries += [position for position, _, _ in shown.opened]
    count = len(shown.trades)
    more = f"the newest {count:,} of {shown.all_trades:,} trades"
    others = [*_others(shown.lines, first), *overlay_samples(overlays)]
    return legend_of(entries, shown.trades, more if count < shown.all_trades else "", others)


def _range(candles: Candles, overlays: Sequence[Overlay]) -> tuple[float, float]:
    """Return the lowest and the highest of what is drawn over time."""
    found = [float(candles.low.min()), float(candles.high.max())]
    found += [value for each in overlays for value in each.values.tolist() if isfinite(value)]
    return min(found), max(found)


def _closes(area: PlotArea, candles: Candles) -> str:
    times = candles.time + candles.step
    closes: Vertices = [
        (area.x(int(at)), area.y(float(close)))
        for at, close in zip(times, candles.close, strict=True)
    ]
    return (
        '<path class="tnb-closes" fill="none" stroke="#7f8896" stroke-width="1.3" '
        f'stroke-linejoin="round" d="{path_of(closes)}"/>'
    )


def _seen(
    lines: Sequence[PositionLines], trades: Sequence[Trade], first: int, last: int
) -> list[PositionLines]:
    """Return the positions whose lines are drawn: of those that ended, the ones that are marked."""
    ended = {trade.signal_id for trade in trades}
    return [
        each
        for each in lines
        if (each.closed_at is None or (each.signal_id in ended and each.closed_at > first))
        and each.opened_at < last
    ]


def _others(lines: Sequence[PositionLines], first: int) -> list[Sample]:
    """Return what the legend says of stops, adds and parts, as far as they are drawn."""
    kinds = {mark.kind: each.position for each in lines for mark in each.marks if mark.at >= first}
    found: list[Sample] = []
    if "added" in kinds:
        found.append(("added", partial(add_mark, position=kinds["added"], size=0.8)))
    if "partial" in kinds:
        found.append(("part closed", partial(part_mark, style="up", size=0.9)))
    if lines:
        found.append(("stop", stop_sample))
    return found


def _levels(
    signal: Signal | None,
    opened_at: int | None,
    targets: Sequence[float] | None,
    low: float,
    high: float,
) -> list[_Level]:
    if signal is None:
        return []
    room = _FAR * max(high - low, high * 1e-4)
    entry = "entry" if opened_at is not None else "waits at"
    found = [
        _Level(entry, signal.entry, "tnb-entry", ENTRY),
        _Level("stop", signal.stop_loss, "tnb-stop", COLORS["down"]),
    ]
    if targets is None:
        targets = [] if signal.take_profit is None else [signal.take_profit]
    found += [
        _Level("target", each, "tnb-target", COLORS["up"]) for each in targets[:_MOST_TARGETS]
    ]
    return [level for level in found if low - room <= level.at <= high + room]


def _area(
    first: int,
    last: int,
    low: float,
    high: float,
    levels: Sequence[_Level],
    *,
    top: float,
    width: int,
) -> PlotArea:
    room = max((high - low) * 0.06, high * 1e-5)
    low, high = low - room, high + room
    widest = max((len(_label_of(level)) for level in levels), default=0)
    right = width - (14 + LETTER * 0.92 * widest if widest else 68)
    left = left_of(low, high, _labels)
    return PlotArea(first, last, low, high, left, right, top, _BOTTOM, HEIGHT)


def _labels(ticks: list[float]) -> list[str]:
    return [number(value, digits_of(ticks)) for value in ticks]


def _label_of(level: _Level) -> str:
    return f"{level.name} {price(level.at)}"


def _spread(area: PlotArea, levels: Sequence[_Level]) -> list[tuple[_Level, float]]:
    """Return levels with the height of their labels, 13 pixels apart at least."""
    placed: list[tuple[_Level, float]] = []
    for level in sorted(levels, key=lambda level: -level.at):
        y = area.y(level.at)
        placed.append((level, y if not placed else max(y, placed[-1][1] + 13)))
    return placed


def _level(area: PlotArea, level: _Level, label_y: float, *, across: bool) -> str:
    line = (
        f'<path class="{level.style}" stroke="{level.color}" stroke-dasharray="5 4" '
        f'd="M{short(area.left)} {short(area.y(level.at))}H{short(area.right)}"/>'
    )
    return (
        f'{line if across else ""}<text class="{level.style}" fill="{level.color}" dy="0.35em" '
        f'x="{short(area.right + 8)}" y="{short(label_y)}">{_label_of(level)}</text>'
    )


def _trade(area: PlotArea, trade: Trade, size: float, firsts: Mapping[str, float]) -> str:
    """Draw a closed trade: entry, exit and result."""
    style = tone(trade.pnl_percent)
    color = COLORS[style]
    end = area.x(trade.closed_at), area.y(trade.exit)
    entry = firsts.get(trade.signal_id, trade.entry)
    begin = area.x(max(trade.opened_at, area.first)), area.y(entry)
    title = escaped(
        f"{trade.position}, {trade.exit_reason.replace('_', ' ')} "
        f"{percent(trade.pnl_percent, plus=True)} at {iso(trade.closed_at)} UTC"
    )
    within = trade.opened_at >= area.first
    arrow = entry_mark(*begin, trade.position, size=size) if within else ""
    return (
        f'<g class="tnb-trade"><title>{title}</title>'
        f'<path class="tnb-held tnb-{style}" fill="none" stroke="{color}" stroke-width="1.4" '
        f'd="{path_of([begin, end])}"/>{arrow}{exit_mark(*end, style, size=size)}</g>'
    )


def _still_open(
    lines: Sequence[PositionLines], signal: Signal | None, opened_at: int | None, first: int
) -> list[tuple[str, int, float]]:
    """Return side, time and price of the entries of what is open, from a moment on."""
    found = {
        each.signal_id: (each.position, each.opened_at, each.entry[0].level or 0.0)
        for each in lines
        if each.closed_at is None
    }
    if signal is not None and opened_at is not None:
        found.setdefault(signal.id, (signal.position, opened_at, signal.entry))
    return [each for each in found.values() if each[1] >= first]


def _entered(area: PlotArea, position: str, at: int, entry: float) -> str:
    title = escaped(f"{position} since {iso(at)} UTC at {price(entry)}")
    return f"<g><title>{title}</title>{entry_mark(area.x(at), area.y(entry), position)}</g>"


def _description(candles: Candles, signal: Signal | None) -> str:
    newest = price(float(candles.close[-1]))
    held = "nothing open" if signal is None else f"{signal.position} at {price(signal.entry)}"
    text = f"Price from {iso(candles.start)} to {iso(candles.end)} UTC, now {newest}, {held}"
    return escaped(text)
