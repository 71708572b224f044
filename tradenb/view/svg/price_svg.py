"""The price of a live run as one inline SVG: closes, entries, exits and levels.

No script, no ids, a few kilobytes; `plot_area.py` says how colours are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from tradenb.core.timeframe import iso
from tradenb.view.formatting import escaped, number, percent, price, tone
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
from tradenb.view.svg.trade_markers import COLORS, ENTRY, entry_mark, exit_mark, legend

if TYPE_CHECKING:
    from tradenb.core.candles.arrays import Candles
    from tradenb.core.signal import Signal, Trade

HEIGHT: Final = 250
MARKED: Final = 60
_TOP: Final = 14
_LEGEND: Final = 16
_BOTTOM: Final = HEIGHT - 26
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
    marked: int = MARKED,
    width: int = WIDTH,
) -> str:
    """Draw the newest prices of a run, each at its close time, and the levels of what is open.

    Only the newest `marked` trades are marked; the chart says so when there are more.
    """
    first, last = candles.start, candles.end
    low, high = float(candles.low.min()), float(candles.high.max())
    levels = _levels(signal, opened_at, low, high)
    low = min([low, *(level.at for level in levels)])
    high = max([high, *(level.at for level in levels)])
    within = [trade for trade in trades if first <= trade.closed_at <= last]
    drawn_trades = within[-marked:]
    entries = [trade.position for trade in drawn_trades if trade.opened_at >= first]
    if signal is not None and opened_at is not None and opened_at >= first:
        entries.append(signal.position)
    explains = bool(entries or drawn_trades)
    area = _area(first, last, low, high, levels, top=_TOP + _LEGEND * explains, width=width)
    times = candles.time + (last - first) // len(candles)
    closes: Vertices = [
        (area.x(int(at)), area.y(float(close)))
        for at, close in zip(times, candles.close, strict=True)
    ]
    head = head_of("tnb-price", width, HEIGHT, _description(candles, signal))
    line = (
        '<path class="tnb-closes" fill="none" stroke="#7f8896" stroke-width="1.3" '
        f'stroke-linejoin="round" d="{path_of(closes)}"/>'
    )
    size = 1.0 if len(drawn_trades) <= MARKED else 0.7
    marks = [_trade(area, trade, size) for trade in drawn_trades]
    marks.append(_opening(area, signal, opened_at, first))
    drawn = [_level(area, level, y) for level, y in _spread(area, levels)]
    left_out = len(within) > len(drawn_trades)
    more = f"the newest {marked:,} of {len(within):,} trades" if left_out else ""
    explanation = legend(area.left, _TOP - 4, entries, drawn_trades, more)
    return "".join([head, *axes(area, _labels), *drawn, line, *marks, explanation, "</svg>"])


def _levels(signal: Signal | None, opened_at: int | None, low: float, high: float) -> list[_Level]:
    if signal is None:
        return []
    room = _FAR * max(high - low, high * 1e-4)
    entry = "entry" if opened_at is not None else "waits at"
    found = [
        _Level(entry, signal.entry, "tnb-entry", ENTRY),
        _Level("stop", signal.stop_loss, "tnb-stop", COLORS["down"]),
    ]
    if signal.take_profit is not None:
        found.insert(0, _Level("target", signal.take_profit, "tnb-target", COLORS["up"]))
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


def _level(area: PlotArea, level: _Level, label_y: float) -> str:
    return (
        f'<path class="{level.style}" stroke="{level.color}" stroke-dasharray="5 4" '
        f'd="M{short(area.left)} {short(area.y(level.at))}H{short(area.right)}"/>'
        f'<text class="{level.style}" fill="{level.color}" dy="0.35em" '
        f'x="{short(area.right + 8)}" y="{short(label_y)}">{_label_of(level)}</text>'
    )


def _trade(area: PlotArea, trade: Trade, size: float) -> str:
    """Draw a closed trade: entry, exit and result."""
    style = tone(trade.pnl_percent)
    color = COLORS[style]
    end = area.x(trade.closed_at), area.y(trade.exit)
    begin = area.x(max(trade.opened_at, area.first)), area.y(trade.entry)
    title = escaped(
        f"{trade.position}, {trade.exit_reason.replace('_', ' ')} "
        f"{percent(trade.pnl_percent, plus=True)} at {iso(trade.closed_at)} UTC"
    )
    within = trade.opened_at >= area.first
    entry = entry_mark(*begin, trade.position, size=size) if within else ""
    return (
        f'<g class="tnb-trade"><title>{title}</title>'
        f'<path class="tnb-held tnb-{style}" fill="none" stroke="{color}" stroke-width="1.4" '
        f'd="{path_of([begin, end])}"/>{entry}{exit_mark(*end, style, size=size)}</g>'
    )


def _opening(area: PlotArea, signal: Signal | None, opened_at: int | None, first: int) -> str:
    if signal is None or opened_at is None or opened_at < first:
        return ""
    title = escaped(f"{signal.position} since {iso(opened_at)} UTC at {price(signal.entry)}")
    arrow = entry_mark(area.x(opened_at), area.y(signal.entry), signal.position)
    return f"<g><title>{title}</title>{arrow}</g>"


def _description(candles: Candles, signal: Signal | None) -> str:
    newest = price(float(candles.close[-1]))
    held = "nothing open" if signal is None else f"{signal.position} at {price(signal.entry)}"
    text = f"Price from {iso(candles.start)} to {iso(candles.end)} UTC, now {newest}, {held}"
    return escaped(text)
