"""The price of a live run as one inline SVG: closes, entries and exits, and where it would end.

No script, no ids, a few kilobytes; `plane.py` says how colours are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from tradenb.core.timeframe import iso
from tradenb.view.plane import LETTER, Plane, Vertices, axes, left_of, path_of, short
from tradenb.view.ticks import digits_of
from tradenb.view.words import escaped, number, percent, price, tone

if TYPE_CHECKING:
    from tradenb.core.candles import Candles
    from tradenb.core.signal import Signal, Trade

WIDTH: Final = 760
HEIGHT: Final = 250
MARKED: Final = 60
_TOP: Final = 14
_BOTTOM: Final = HEIGHT - 26
_FAR: Final = 4.0  # a level further away than so many times the range of prices is not drawn
_COLORS: Final = {"up": "#169c75", "down": "#d9632e", "even": "#7f8896"}


class _Level(NamedTuple):
    """A price at which something happens."""

    name: str
    at: float
    style: str
    color: str


def price_svg(
    candles: Candles, trades: Sequence[Trade], signal: Signal | None, opened_at: int | None
) -> str:
    """Draw the newest prices of a run.

    Parameters
    ----------
    candles : Candles
        At least one; each is drawn at its close time.
    trades : sequence of Trade
        Those that began or ended within the candles are marked, at most `MARKED` of them.
    signal : Signal or None
        What is open or scheduled: its levels are drawn.
    opened_at : int or None
        When it was opened, ms UTC; None while it is scheduled.

    Returns
    -------
    str
        An svg element.
    """
    first, last = candles.start, candles.end
    low, high = float(candles.low.min()), float(candles.high.max())
    levels = _levels(signal, opened_at, low, high)
    low = min([low, *(level.at for level in levels)])
    high = max([high, *(level.at for level in levels)])
    plane = _plane(first, last, low, high, levels)
    times = candles.time + (last - first) // len(candles)
    closes: Vertices = [
        (plane.x(int(at)), plane.y(float(close)))
        for at, close in zip(times, candles.close, strict=True)
    ]
    words = _description(candles, signal)
    head = (
        f'<svg class="tnb-price" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" '
        f'aria-label="{words}" xmlns="http://www.w3.org/2000/svg" font-size="11" '
        f'fill="currentColor"><title>{words}</title>'
    )
    line = (
        '<path class="tnb-closes" fill="none" stroke="#7f8896" stroke-width="1.3" '
        f'stroke-linejoin="round" d="{path_of(closes)}"/>'
    )
    marks = [_trade(plane, trade) for trade in _within(trades, first, last)]
    opening = _opening(plane, signal, opened_at, first)
    drawn = [_level(plane, level, y) for level, y in _spread(plane, levels)]
    return "".join([head, *axes(plane, _labels), *drawn, line, *marks, opening, "</svg>"])


def _levels(signal: Signal | None, opened_at: int | None, low: float, high: float) -> list[_Level]:
    if signal is None:
        return []
    room = _FAR * max(high - low, high * 1e-4)
    entry = "entry" if opened_at is not None else "waits at"
    found = [
        _Level("target", signal.take_profit, "tnb-target", _COLORS["up"]),
        _Level(entry, signal.entry, "tnb-entry", "#3b82c4"),
        _Level("stop", signal.stop_loss, "tnb-stop", _COLORS["down"]),
    ]
    return [level for level in found if low - room <= level.at <= high + room]


def _plane(first: int, last: int, low: float, high: float, levels: Sequence[_Level]) -> Plane:
    room = max((high - low) * 0.06, high * 1e-5)
    low, high = low - room, high + room
    widest = max((len(_said(level)) for level in levels), default=0)
    right = WIDTH - (14 + LETTER * 0.92 * widest if widest else 68)
    left = left_of(low, high, _labels)
    return Plane(first, last, low, high, left, right, _TOP, _BOTTOM, HEIGHT)


def _labels(ticks: list[float]) -> list[str]:
    return [number(value, digits_of(ticks)) for value in ticks]


def _said(level: _Level) -> str:
    return f"{level.name} {price(level.at)}"


def _spread(plane: Plane, levels: Sequence[_Level]) -> list[tuple[_Level, float]]:
    """Return levels with the height of their words, 13 pixels apart at least."""
    placed: list[tuple[_Level, float]] = []
    for level in sorted(levels, key=lambda level: -level.at):
        y = plane.y(level.at)
        placed.append((level, y if not placed else max(y, placed[-1][1] + 13)))
    return placed


def _level(plane: Plane, level: _Level, words_y: float) -> str:
    return (
        f'<path class="{level.style}" stroke="{level.color}" stroke-dasharray="5 4" '
        f'd="M{short(plane.left)} {short(plane.y(level.at))}H{short(plane.right)}"/>'
        f'<text class="{level.style}" fill="{level.color}" dy="0.35em" '
        f'x="{short(plane.right + 8)}" y="{short(words_y)}">{_said(level)}</text>'
    )


def _within(trades: Sequence[Trade], first: int, last: int) -> list[Trade]:
    return [trade for trade in trades if first <= trade.closed_at <= last][-MARKED:]


def _trade(plane: Plane, trade: Trade) -> str:
    """Draw a closed trade: entry, exit, and what it brought."""
    style = tone(trade.pnl_percent)
    color = _COLORS[style]
    end = plane.x(trade.closed_at), plane.y(trade.exit)
    begin = plane.x(max(trade.opened_at, plane.first)), plane.y(trade.entry)
    words = escaped(
        f"{trade.position}, {trade.exit_reason.replace('_', ' ')} "
        f"{percent(trade.pnl_percent, plus=True)} at {iso(trade.closed_at)} UTC"
    )
    entry = "" if trade.opened_at < plane.first else _arrow(*begin, trade.position)
    return (
        f'<g class="tnb-trade"><title>{words}</title>'
        f'<path class="tnb-held tnb-{style}" fill="none" stroke="{color}" stroke-width="1.4" '
        f'd="{path_of([begin, end])}"/>{entry}'
        f'<circle class="tnb-exit tnb-{style}" fill="{color}" cx="{short(end[0])}" '
        f'cy="{short(end[1])}" r="3.6"/></g>'
    )


def _opening(plane: Plane, signal: Signal | None, opened_at: int | None, first: int) -> str:
    if signal is None or opened_at is None or opened_at < first:
        return ""
    words = escaped(f"{signal.position} since {iso(opened_at)} UTC at {price(signal.entry)}")
    arrow = _arrow(plane.x(opened_at), plane.y(signal.entry), signal.position)
    return f"<g><title>{words}</title>{arrow}</g>"


def _arrow(x: float, y: float, position: str) -> str:
    """Draw an entry: a triangle that points where the position wants to go."""
    up = -1 if position == "long" else 1
    corners = f"M{short(x)} {short(y + 5 * up)}l4.5 {-9 * up}h-9z"
    return f'<path class="tnb-mark" fill="#3b82c4" d="{corners}"/>'


def _description(candles: Candles, signal: Signal | None) -> str:
    newest = price(float(candles.close[-1]))
    held = "nothing open" if signal is None else f"{signal.position} at {price(signal.entry)}"
    words = f"Price from {iso(candles.start)} to {iso(candles.end)} UTC, now {newest}, {held}"
    return escaped(words)
