"""The charts of a report as JSON: equity, and prices with the trades of each symbol."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from tradenb.statistics.equity.curve_points import points_of
from tradenb.view.charts.chart_traces import POINTS
from tradenb.view.charts.trade_charts import chart_json, equity_chart, price_chart

if TYPE_CHECKING:
    from tradenb.core.candles.arrays import Candles
    from tradenb.core.lifecycle.position_lines import PositionLines
    from tradenb.view.summary import Summary

_PRICE_POINTS: Final = 40_000  # of all symbols together: about 2 MB
_FEWEST_POINTS: Final = 500
_MOST_POINTS: Final = 5_000


def charts_json(
    summary: Summary,
    candles_by_symbol: Mapping[str, Candles],
    lines: Callable[[str], Sequence[PositionLines]] | None,
) -> str:
    """Return the charts as JSON that cannot end the script element around it."""
    share = _PRICE_POINTS // max(len(candles_by_symbol), 1)
    points = min(max(share, _FEWEST_POINTS), _MOST_POINTS)
    equity = equity_chart(points_of(summary.marks, POINTS), summary.end)
    prices = ",".join(
        chart_json(
            price_chart(
                candles,
                summary.trades,
                symbol=symbol,
                points=points,
                lines=lines(symbol) if lines else (),
            )
        )
        for symbol, candles in candles_by_symbol.items()
    )
    text = f'{{"equity":{chart_json(equity)},"prices":[{prices}]}}'
    return text.replace("<", "\\u003c")
