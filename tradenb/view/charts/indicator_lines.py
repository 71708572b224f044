"""Where the indicators of a strategy are drawn: over the price, or in a pane of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from tradenb.core.timeframe import timeframe_ms
from tradenb.view.charts.chart_data import IndicatorLine

if TYPE_CHECKING:
    from tradenb.core.candles.arrays import Candles, Floats
    from tradenb.engine.history.indicators import Computed

_ROOM: Final = 0.25  # of the price, above the highest and below the lowest


def placed(
    computed: Mapping[tuple[str, str], Sequence[Computed]], symbol: str, candles: Candles
) -> list[IndicatorLine]:
    """Return the lines of a symbol; what a strategy gave no place is put where its values fit.

    Parameters
    ----------
    computed : mapping of (strategy, symbol)
    """
    if not len(candles):
        return []
    low, high = float(candles.low.min()), float(candles.high.max())
    found = []
    for (strategy, own), columns in computed.items():
        for each in columns if own == symbol else ():
            if not len(each.values):
                continue  # no candle of its timeframe has closed
            fits = _lies_within(each.values, low * (1 - _ROOM), high * (1 + _ROOM))
            where = each.place or ("price" if fits else each.name)
            line = IndicatorLine(
                each.name, strategy, each.timeframe, where, each.closes_at, each.values
            )
            found.append(line)
    return found


def lines_of_run(
    computed: Sequence[Computed], strategy: str, symbol: str, candles: Candles
) -> list[IndicatorLine]:
    """Return the lines of a live run, of the time of its candles.

    Each ends with the candle of its newest value: what the run did not compute is not drawn.
    """
    shown = [_since(each, candles.start) for each in computed if len(each.values)]
    lines = placed({(strategy, symbol): shown}, symbol, candles)
    return [
        line._replace(
            closes_at=np.append(line.closes_at, line.closes_at[-1] + timeframe_ms(line.timeframe)),
            values=np.append(line.values, np.nan),
        )
        for line in lines
    ]


def _since(each: Computed, start: int) -> Computed:
    first = max(0, int(each.closes_at.searchsorted(start, "right")) - 1)
    return each._replace(closes_at=each.closes_at[first:], values=each.values[first:])


def _lies_within(values: Floats, low: float, high: float) -> bool:
    """Tell whether all known values lie between two prices."""
    known = values[np.isfinite(values)]
    return bool(len(known)) and low <= float(known.min()) and float(known.max()) <= high
