"""The marks of trades in the small charts, and the legend that explains them.

A triangle is an entry and points in the direction of the position; a dot is an exit with a win, a
cross any other. The charts of plotly use the same forms (`chart_traces.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tradenb.view.formatting import tone
from tradenb.view.svg.plot_area import LETTER, short

if TYPE_CHECKING:
    from tradenb.core.signal import Trade

ENTRY: Final = "#3b82c4"
_SIDES: Final = {"long": ENTRY, "short": "#9a6dd7"}
COLORS: Final = {"up": "#169c75", "down": "#d9632e", "even": "#7f8896"}
_GAP: Final = 18


def entry_mark(x: float, y: float, position: str, *, size: float = 1.0) -> str:
    """Draw an entry with its tip at the price."""
    up = -size if position == "long" else size
    corners = f"M{short(x)} {short(y + 5 * up)}l{short(4.5 * size)} {short(-9 * up)}"
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


def legend(
    left: float, y: float, positions: Sequence[str], trades: Sequence[Trade], more: str
) -> str:
    """Say what the marks mean that are drawn; `more` is text for the end, escaped."""
    entries = [(f"{side} entry", side) for side in ("long", "short") if side in positions]
    tones = {tone(trade.pnl_percent) for trade in trades}
    wins = [("exit, win", "up")] if "up" in tones else []
    others = [("exit, no win", "down")] if tones - {"up"} else []
    parts, x = [], left + 5
    for label, side in entries:
        parts.append(entry_mark(x, y, side, size=0.85) + _label(label, x, y))
        x += _GAP + 12 + LETTER * 0.9 * len(label)
    for label, style in [*wins, *others]:
        parts.append(exit_mark(x, y, style) + _label(label, x, y))
        x += _GAP + 12 + LETTER * 0.9 * len(label)
    if more:
        parts.append(_label(more, x - 10, y))
    return f'<g class="tnb-legend">{"".join(parts)}</g>' if parts else ""


def _label(text: str, x: float, y: float) -> str:
    return f'<text x="{short(x + 9)}" y="{short(y)}" dy="0.35em" fill-opacity="0.75">{text}</text>'
