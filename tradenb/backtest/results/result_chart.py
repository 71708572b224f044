"""What a chart draws of a result: each symbol with its candles, trades, stops and indicators."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from tradenb.core.lifecycle.lines_of_events import lines_of
from tradenb.view.charts.chart_data import MOST_TRADES, Drawn
from tradenb.view.charts.indicator_lines import placed

if TYPE_CHECKING:
    from tradenb.backtest.results.result_parts import ResultParts
    from tradenb.core.events import Event
    from tradenb.core.signal import Trade


MOST_SYMBOLS: Final = 30


def drawn_of(parts: ResultParts, shown: str | None = None) -> list[Drawn]:
    """Return what is drawn of the symbols of a run, in their order.

    Of more than `MOST_SYMBOLS` those whose trades gained or lost the most, and `shown`.
    """
    trades: dict[str, list[Trade]] = {symbol: [] for symbol in parts.symbols}
    for trade in parts.trades:
        trades[trade.symbol].append(trade)
    symbols = _most_moved(trades, shown)
    events: dict[str, list[Event]] = {symbol: [] for symbol in symbols}
    for event in parts.events_of(symbols):
        events[event.symbol].append(event)
    newest, end = max(MOST_TRADES // len(symbols), 1), parts.period.end
    found = []
    for symbol in symbols:
        candles = parts.period.candles[symbol]
        known = candles.between(candles.start, end)
        lines = lines_of(events[symbol], known, parts.rules, newest=newest)
        within = candles.between(parts.period.start, end)
        lined = placed(parts.computed, symbol, candles)
        found.append(Drawn(symbol, within, trades[symbol], lines, lined))
    return found


def _most_moved(trades: Mapping[str, Sequence[Trade]], shown: str | None) -> list[str]:
    if len(trades) <= MOST_SYMBOLS:
        return list(trades)
    moved = {
        symbol: abs(math.fsum(trade.pnl_percent for trade in own)) for symbol, own in trades.items()
    }
    most = sorted(trades, key=lambda symbol: (symbol != shown, -moved[symbol]))[:MOST_SYMBOLS]
    return [symbol for symbol in trades if symbol in most]
