"""What a chart draws of a result: each symbol with its candles, trades, stops and indicators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradenb.core.lifecycle.lines_of_events import lines_of
from tradenb.view.charts.chart_data import MOST_TRADES, Drawn
from tradenb.view.charts.indicator_lines import placed

if TYPE_CHECKING:
    from tradenb.backtest.results.result_parts import ResultParts
    from tradenb.core.events import Event
    from tradenb.core.signal import Trade


def drawn_of(parts: ResultParts) -> list[Drawn]:
    """Return what is drawn of the symbols of a run, in their order."""
    events: dict[str, list[Event]] = {symbol: [] for symbol in parts.symbols}
    trades: dict[str, list[Trade]] = {symbol: [] for symbol in parts.symbols}
    for event in parts.events:
        events[event.symbol].append(event)
    for trade in parts.trades:
        trades[trade.symbol].append(trade)
    newest, end = max(MOST_TRADES // len(parts.symbols), 1), parts.period.end
    found = []
    for symbol in parts.symbols:
        candles = parts.period.candles[symbol]
        known = candles.between(candles.start, end)
        lines = lines_of(events[symbol], known, parts.rules, newest=newest)
        shown = candles.between(parts.period.start, end)
        lined = placed(parts.computed, symbol, candles)
        found.append(Drawn(symbol, shown, trades[symbol], lines, lined))
    return found
