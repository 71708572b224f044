"""How much of the equity is in positions over time: one inline SVG, no script, a few kilobytes."""

from __future__ import annotations

from typing import Final

import numpy as np

from tradenb.core.candles.arrays import Floats, Times
from tradenb.view.formatting import escaped, percent, period
from tradenb.view.svg.axis_ticks import digits_of
from tradenb.view.svg.plot_area import WIDTH, PlotArea, axes, head_of, left_of, path_of, short

HEIGHT: Final = 150
_BINS: Final = 240
_BOTTOM: Final = HEIGHT - 26


def exposure_svg(at: Times, exposure: Floats, *, start: int, end: int, width: int = WIDTH) -> str:
    """Draw the mean value of what is open, in percent of the equity, over time.

    Parameters
    ----------
    at : (n,) int64 array
        Closes, ms UTC, ascending.
    exposure : (n,) float64 array
        Value of what is open in units of the equity; NaN where there is none left.
    """
    bounds = np.linspace(start, max(end, start + 1), _BINS + 1)
    shares = binned(at, exposure * 100, bounds)
    high = max(float(shares.max(initial=0.0)), 1.0) * 1.06
    left = left_of(0.0, high, _labels)
    area = PlotArea(start, max(end, start + 1), 0.0, high, left, width - 28, 18, _BOTTOM, HEIGHT)
    corners = [(area.left, area.y(0.0))]
    for begin, stop, share in zip(bounds[:-1], bounds[1:], shares, strict=True):
        y = area.y(float(share))
        corners += [(area.x(int(begin)), y), (area.x(int(stop)), y)]
    corners.append((area.right, area.y(0.0)))
    known = exposure[~np.isnan(exposure)]
    mean = float(known.mean()) * 100 if len(known) else 0.0
    words = f"Exposure, {period(start, end)}: {percent(mean, 1)} of the equity on average"
    shape = (
        '<path class="tnb-line" fill="#3b82c4" fill-opacity="0.25" stroke="#3b82c4" '
        f'stroke-width="1" d="{path_of(corners)}Z"/>'
    )
    told = (
        f'<text class="tnb-tick" fill-opacity="0.7" text-anchor="end" '
        f'x="{short(area.right)}" y="9">mean {percent(mean, 1)}</text>'
    )
    head = head_of("tnb-exposure", width, HEIGHT, escaped(words))
    return "".join([head, *axes(area, _labels), shape, told, "</svg>"])


def binned(at: Times, values: Floats, bounds: Floats) -> Floats:
    """Return the mean of the known values of each stretch; one without any is as before, or 0."""
    known = ~np.isnan(values)
    places = np.clip(np.searchsorted(bounds, at[known], "left") - 1, 0, len(bounds) - 2)
    counts = np.bincount(places, minlength=len(bounds) - 1)
    sums = np.bincount(places, weights=values[known], minlength=len(bounds) - 1)
    means = np.divide(sums, counts, out=np.zeros(len(counts)), where=counts > 0)
    newest = np.maximum.accumulate(np.where(counts > 0, np.arange(len(counts)), -1))
    found: Floats = np.where(newest >= 0, means[newest], 0.0)
    return found


def _labels(ticks: list[float]) -> list[str]:
    return [percent(value, digits_of(ticks)) for value in ticks]
