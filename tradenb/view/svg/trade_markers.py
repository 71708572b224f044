"""The marks of trades in the small charts, and the legend that explains them.

A triangle is an entry and points in the direction of the position, a plus one more entry; a dot is
an exit with a win, a cross any other, a diamond the exit of a part. The charts of plotly use the
same forms (`assets/chart_traces.js`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from tradenb.view.formatting import tone
from tradenb.view.svg.plot_area import LETTER, short

if TYPE_CHECKING:
    from tradenb.core.signal import Trade

ENTRY: Final = "#3b82c4"
_SIDES: Final = {"long": ENTRY, "short": "#9a6dd7"}
COLORS: Final = {"up": "#169c75", "down": "#d9632e", "even": "#7f8896"}
_GAP: Final = 18
LEGEND_ROW: Final = 16

Sample = tuple[str, Callable[[float, float], str]]


def entry_mark(x: float, y: float, position: str, *, size: float = 1.0, away: float = 5.0) -> str:
    """Draw an entry, a long below and a short above its price: an exit there stays visible."""
    up = -size if position == "long" else size
    corners = f"M{short(x)} {short(y - away * up)}l{short(4.5 * size)} {short(-9 * up)}"
    style = f'class="tnb-mark tnb-{position}" fill="{_SIDES[position]}"'
    return f'<path {style} d="{corners}h{short(-9 * size)}z"/>'


def exit_mark(x: float, y: float, style: str, *, size: float = 1.0) -> str:
    """Draw an exit; `style` is the tone of its result."""
    color, name = COLORS[style], f"tnb-exit tnb-{style}"
    if style == "up":
        return (
            f'<circle class="{name}" fill="{color}" cx="{short(x)}" cy="{short(y)}" '
            f'r="{short(3.6 * size)}"/>'
        )
    arm = 3.2 * size
    one, two = f"l{short(2 * arm)} {short(2 * arm)}", f"l{short(2 * arm)} {short(-2 * arm)}"
    lines = f"M{short(x - arm)} {short(y - arm)}{one}M{short(x - arm)} {short(y + arm)}{two}"
    return f'<path class="{name}" fill="none" stroke="{color}" stroke-width="1.8" d="{lines}"/>'


def add_mark(x: float, y: float, position: str, *, size: float = 1.0) -> str:
    """Draw one more entry of a position."""
    arm = short(4.6 * size)
    lines = f"M{short(x)} {short(y)}m-{arm} 0h{short(9.2 * size)}M{short(x)} {short(y)}m0-{arm}"
    style = f'class="tnb-add tnb-{position}" stroke="{_SIDES[position]}"'
    return f'<path {style} fill="none" stroke-width="2.4" d="{lines}v{short(9.2 * size)}"/>'


def part_mark(x: float, y: float, style: str, *, size: float = 1.0) -> str:
    """Draw the exit of a part; `style` is the tone of its result."""
    arm = 4.6 * size
    corners = f"M{short(x)} {short(y - arm)}l{short(arm)} {short(arm)}l{short(-arm)} {short(arm)}"
    return (
        f'<path class="tnb-part tnb-{style}" fill="{COLORS[style]}" '
        f'd="{corners}l{short(-arm)} {short(-arm)}z"/>'
    )


def stop_sample(x: float, y: float) -> str:
    """Draw a piece of the line of a stop, for the legend."""
    d = f"M{short(x - 5)} {short(y + 3)}h5v-6h5"
    color = COLORS["down"]
    return f'<path class="tnb-stop" fill="none" stroke="{color}" stroke-width="1.2" d="{d}"/>'


def legend_of(
    positions: Sequence[str],
    trades: Sequence[Trade],
    more: str,
    others: Sequence[Sample] = (),
) -> list[Sample]:
    """Return what the legend says: labels, and what draws the mark of each at a place.

    `more` is text for the end, escaped; `others` are marks beside those of entries and exits.
    """
    tones = {tone(trade.pnl_percent) for trade in trades}
    found: list[Sample] = [
        (f"{side} entry", partial(entry_mark, position=side, size=0.85, away=-5))
        for side in ("long", "short")
        if side in positions
    ]
    found += [("exit, win", partial(exit_mark, style="up"))] if "up" in tones else []
    found += [("exit, no win", partial(exit_mark, style="down"))] if tones - {"up"} else []
    return [*found, *others, *([(more, _no_mark)] if more else [])]


def legend_rows(samples: Sequence[Sample], width: float) -> list[list[Sample]]:
    """Return the rows of a legend that is at most so wide, pixels."""
    rows: list[list[Sample]] = []
    left = 0.0
    for sample in samples:
        needed = _width(sample)
        if not rows or needed > left:
            rows.append([])
            left = width
        rows[-1].append(sample)
        left -= needed
    return rows


def legend(left: float, y: float, rows: Sequence[Sequence[Sample]]) -> str:
    """Draw the rows of a legend."""
    parts = []
    for place, row in enumerate(rows):
        x, at = left + 5, y + place * LEGEND_ROW
        for label, draw in row:
            parts.append(draw(x, at) + _label(label, x, at))
            x += _width((label, draw))
    return f'<g class="tnb-legend">{"".join(parts)}</g>' if parts else ""


def _width(sample: Sample) -> float:
    return _GAP + 12 + LETTER * 0.9 * len(sample[0])


def _no_mark(x: float, y: float) -> str:
    del x, y
    return ""


def _label(text: str, x: float, y: float) -> str:
    return f'<text x="{short(x + 9)}" y="{short(y)}" dy="0.35em" fill-opacity="0.75">{text}</text>'
