"""The still form of a chart, for where no script runs: inline SVG of price and equity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tradenb.core.candles.arrays import candles_of, spaced
from tradenb.statistics.equity.curve_points import CurvePoints, fewer
from tradenb.view.charts.candle_levels import levels_of
from tradenb.view.charts.chart_data import known_at
from tradenb.view.formatting import escaped
from tradenb.view.svg.equity_svg import POINTS, equity_svg
from tradenb.view.svg.overlay_lines import Overlay
from tradenb.view.svg.plot_area import WIDTH
from tradenb.view.svg.price_svg import price_svg

if TYPE_CHECKING:
    from tradenb.core.candles.arrays import Candles
    from tradenb.view.charts.chart_data import Drawn, IndicatorLine

_CANDLES: Final = 700
_MARKED: Final = 200


def still_html(
    drawn: Drawn | None,
    points: CurvePoints,
    *,
    start: int,
    end: int,
    trades: int,
    width: int = WIDTH,
) -> str:
    """Draw the price of a symbol with its newest trades and indicators, and the equity of the run.

    Parameters
    ----------
    trades : int
        How many the run closed.
    """
    few = fewer(points, POINTS)
    equity = equity_svg(few, start=start, end=end, trades=trades, width=width)
    found = f'<p class="tnb-caption">Equity</p>{equity}'
    if drawn is None or not len(drawn.candles):
        return found
    candles = _few(drawn.candles)
    price = price_svg(
        candles,
        drawn.trades,
        None,
        None,
        lines=drawn.lines,
        overlays=overlays_of(drawn.indicators, candles),
        marked=_MARKED,
        width=width,
    )
    return f'<p class="tnb-caption">{escaped(drawn.symbol, 60)}</p>{price}{found}'


def overlays_of(indicators: Sequence[IndicatorLine], candles: Candles) -> list[Overlay]:
    """Return the indicators over the price, at the close of each candle."""
    closes_at = candles.time + candles.step
    return [
        Overlay(line.name, closes_at, known_at(line, closes_at))
        for line in indicators
        if line.where == "price"
    ]


def _few(candles: Candles) -> Candles:
    """Resample candles to as many as a small picture shows."""
    level = levels_of(candles, (), _CANDLES).whole
    if level.step == candles.step:
        return candles
    first = int(level.time[0])
    return candles_of(level.columns, first, level.step, spaced(level.time, level.step))
