"""What is open or scheduled at the end of a backtest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tradenb.core import prices
from tradenb.core.lifecycle.editing import holding_of
from tradenb.core.lifecycle.holding import unrealised
from tradenb.core.rules import Rules
from tradenb.engine.session.instance import Instance

if TYPE_CHECKING:
    from tradenb.view.event_frames import OpenRow


def open_rows(instances: Sequence[Instance], rules: Rules) -> list[OpenRow]:
    """Return symbol, strategy, id, state, market price and unrealised pnl_percent of each."""
    rows: list[OpenRow] = []
    for instance in instances:
        state, signal = instance.state, instance.state.signal
        if signal is None:
            continue
        candles = instance.candles
        price = prices.price_at(candles, state.cursor, rules)
        if state.is_scheduled:
            rows.append((state.symbol, state.strategy, signal.id, "scheduled", price, None))
            continue
        percent = unrealised(signal, holding_of(state, signal, rules), price, rules)
        rows.append((state.symbol, state.strategy, signal.id, "open", price, percent))
    return rows
