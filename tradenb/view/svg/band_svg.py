"""How a live run goes in the band of its backtest: one inline SVG, no script, a few kilobytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tradenb.view.formatting import escaped, percent
from tradenb.view.svg.axis_ticks import digits_of
from tradenb.view.svg.plot_area import (
    WIDTH,
    PlotArea,
    count_axis,
    head_of,
    left_of,
    path_of,
    short,
    value_axis,
)

if TYPE_CHECKING:
    from tradenb.statistics.expectation import Course, Place

HEIGHT: Final = 224
_END: Final = 76
_TOP: Final = 26
_BOTTOM: Final = HEIGHT - 26
_FEWEST: Final = 20
_AHEAD: Final = 1.5  # so much of the band is shown beyond the newest trade
_CORNERS: Final = 160
_APART: Final = 13  # between two lines of words


def band_svg(course: Course, words: str, *, width: int = WIDTH) -> str:
    """Draw the band, trade by trade, the run in it, and where it left first.

    Parameters
    ----------
    words : str
        What a screen reader says.
    """
    band, places = course.band, course.places
    reach = min(band.reach, max(_FEWEST, round(_AHEAD * len(places))))
    numbers = sorted({1 + round(at * (reach - 1) / _CORNERS) for at in range(_CORNERS + 1)})
    bounds = [(0, 0.0, 0.0), *((number, *band.bounds(number)) for number in numbers)]
    gained = [place.gained for place in places]
    low = min(0.0, *(each[1] for each in bounds), *gained)
    high = max(0.0, *(each[2] for each in bounds), *gained)
    room = 0.06 * (high - low)
    low, high = low - room, high + room
    left = left_of(low, high, _labels)
    area = PlotArea(0, reach, low, high, left, width - _END, _TOP, _BOTTOM, HEIGHT)
    upper = [(area.x(number), area.y(above)) for number, _, above in bounds]
    lower = [(area.x(number), area.y(below)) for number, below, _ in bounds]
    cone = (
        '<path class="tnb-band" fill="#7f8896" fill-opacity="0.2" stroke="#7f8896" '
        f'stroke-opacity="0.55" d="{path_of(upper + lower[::-1])}Z"/>'
    )
    way = [(area.x(0), area.y(0.0))]
    way += [(area.x(place.trades), area.y(place.gained)) for place in places]
    line = (
        '<path class="tnb-line" fill="none" stroke="#3b82c4" stroke-width="1.6" '
        f'stroke-linejoin="round" d="{path_of(way)}"/>'
    )
    head = head_of("tnb-expected", width, HEIGHT, escaped(words))
    axes = [*value_axis(area, _labels), *count_axis(area, "trades")]
    marks = [_now(area, places[-1])] if places else [_nothing(area)]
    marks += [] if course.left is None else [_left(area, course.left)]
    told = [_level(area, band.level), *_ends(area, bounds[-1], places[-1] if places else None)]
    return "".join([head, *axes, cone, line, *told, *marks, "</svg>"])


def _labels(ticks: list[float]) -> list[str]:
    return [percent(value, digits_of(ticks), plus=True) for value in ticks]


def _level(area: PlotArea, level: float) -> str:
    return (
        f'<text class="tnb-tick" fill-opacity="0.7" x="{short(area.left)}" '
        f'y="{_TOP - 12}">{level:g}\xa0% of runs stay in the band</text>'
    )


def _ends(area: PlotArea, end: tuple[int, float, float], now: Place | None) -> list[str]:
    """Say beside the band where it ends, except where the newest trade says its own."""
    taken = None if now is None or now.trades < area.last else area.y(now.gained)
    return [
        f'<text class="tnb-tick" fill-opacity="0.7" dy="0.35em" x="{short(area.right + 8)}" '
        f'y="{short(area.y(value))}">{percent(value, 1, plus=True)}</text>'
        for value in end[1:]
        if taken is None or abs(area.y(value) - taken) > _APART
    ]


def _now(area: PlotArea, place: Place) -> str:
    x, y = short(area.x(place.trades)), area.y(place.gained)
    return (
        f'<circle class="tnb-dot" fill="#3b82c4" cx="{x}" cy="{short(y)}" r="3"/>'
        f'<text class="tnb-end" font-weight="600" x="{short(area.x(place.trades) + 7)}" '
        f'y="{short(y + 4)}">{percent(place.gained, plus=True)}</text>'
    )


def _left(area: PlotArea, place: Place) -> str:
    """Mark where the run left the band first."""
    x, y = area.x(place.trades), area.y(place.gained)
    below = place.gained < place.low
    anchor = "end" if x > (area.left + area.right) / 2 else "start"
    beside = x + (-8 if anchor == "end" else 8)
    level = area.bottom - 6 if below else area.top + 12
    return (
        f'<path class="tnb-left" stroke="#d9632e" stroke-dasharray="3 3" '
        f'd="M{short(x)} {short(area.top)}V{short(area.bottom)}"/>'
        f'<circle class="tnb-left" fill="none" stroke="#d9632e" stroke-width="2" '
        f'cx="{short(x)}" cy="{short(y)}" r="6"/>'
        f'<text class="tnb-left" fill="#d9632e" font-weight="600" text-anchor="{anchor}" '
        f'x="{short(beside)}" y="{short(level)}">left after {place.trades}</text>'
    )


def _nothing(area: PlotArea) -> str:
    return (
        '<text class="tnb-tick" fill-opacity="0.7" text-anchor="middle" '
        f'x="{(area.left + area.right) / 2:.0f}" y="{short(area.y(0.0) - 6)}">no trade yet</text>'
    )
