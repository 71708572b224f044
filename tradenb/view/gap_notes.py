"""What missing and long candles did to the trades of a backtest, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tradenb.core.candles.arrays import Candles
from tradenb.core.signal import Trade
from tradenb.core.timeframe import MINUTE, timeframe_name
from tradenb.view.formatting import plural


def gap_notes(candles: Mapping[str, Candles], trades: Sequence[Trade]) -> list[str]:
    """Say how many trades were held over missing candles, and how many ended right behind some."""
    held = behind = 0
    for symbol, own in candles.items():
        if own.regular:
            continue
        times = own.time
        closes = times[np.flatnonzero(np.diff(times) > own.step) + 1] + own.step
        for trade in trades:
            if trade.symbol == symbol:
                first = closes.searchsorted(trade.opened_at, "right")
                held += bool(first < len(closes) and closes[first] <= trade.closed_at)
                place = closes.searchsorted(trade.closed_at)
                behind += bool(place < len(closes) and closes[place] == trade.closed_at)
    if not held:
        return []
    words = f"{plural(held, 'trade')} held over missing candles"
    if behind:
        words += f", {behind:,} of them closed on the first candle behind"
    return [f"{words}: nobody could have traded in between"]


def coarse_note(candles: Mapping[str, Candles], trades: Sequence[Trade]) -> list[str]:
    """Say what is less exact with candles longer than a minute."""
    step = max(each.step for each in candles.values())
    if step == MINUTE:
        return []
    both = sum(_touched_both(candles[trade.symbol], trade) for trade in trades)
    name = timeframe_name(step)
    words = f"candles of {name}: a decision pays the close it was made on; "
    if both:
        words += f"{plural(both, 'exit')} on candles that touched stop and target; "
    return [f"{words}a trail follows once in {name}; minutes are rounded up to {name}"]


def _touched_both(candles: Candles, trade: Trade) -> bool:
    """Tell whether the candle that closed a trade reached its stop and its target."""
    row = candles.index(trade.closed_at)
    if trade.take_profit is None or not 0 <= row < len(candles):
        return False
    _, high, low = candles.extremes_at(row)
    lower, upper = sorted((trade.stop_loss, trade.take_profit))
    return low <= lower and high >= upper
