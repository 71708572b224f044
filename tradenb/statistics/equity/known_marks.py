"""The marks of a live run: of what is known of its trades, its events and its candles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tradenb.core.fills import filled
from tradenb.core.lifecycle.state import State, holding_of
from tradenb.core.signal import Trade
from tradenb.statistics.equity.marks import Marks, marks_of_run, marks_of_trades
from tradenb.statistics.equity.run_prices import RunPrices
from tradenb.statistics.equity.stretches import (
    Stretches,
    joined,
    row_of,
    stretches,
    stretches_of_fills,
    stretches_of_trades,
    told_by_trades,
)
from tradenb.statistics.formulas import columns_of, within

if TYPE_CHECKING:
    from tradenb.core.candles.arrays import Candles
    from tradenb.core.events import Event
    from tradenb.core.rules import Rules


def marks_of_history(
    state: State,
    trades: Sequence[Trade],
    events: Sequence[Event],
    candles: Candles | None,
    rules: Rules,
    *,
    start: int,
    end: int,
) -> Marks:
    """Mark a run to market as far as its candles and fills are known.

    Parameters
    ----------
    trades : sequence of Trade
        In order of closing.
    events : sequence of Event
        The newest ones.
    candles : Candles or None
        Of its symbol; without those of the whole run its curve has a value at each close only.
    start, end : int
        Bounds of the run, ms UTC; `start` is not after the opening of any trade.
    """
    columns = within(columns_of(trades), start, end)
    held = None
    if candles is not None and candles.start <= start < end <= candles.end:
        held = _held(state, trades, events, rules, end)
    if candles is None or held is None:
        found = marks_of_trades(columns, start=start, end=end, instances=1)
        is_open = state.is_open
        return found._replace(open=int(is_open), open_pnl=float("nan") if is_open else 0.0)
    known = candles.between(candles.start, end)
    prices = RunPrices({state.symbol: known}, start=start, end=end, rules=rules)
    return marks_of_run(prices, [(state.symbol, held)], columns, _unrealised(state, known, rules))


def _unrealised(state: State, candles: Candles, rules: Rules) -> list[float]:
    from tradenb.core.lifecycle.holding import unrealised
    from tradenb.core.prices import market_price

    if state.signal is None or not state.is_open:
        return []
    price = market_price(candles, len(candles) - 1, rules)
    return [unrealised(state.signal, holding_of(state, state.signal, rules), price, rules)]


def _held(
    state: State, trades: Sequence[Trade], events: Sequence[Event], rules: Rules, end: int
) -> Stretches | None:
    """Return what was held; None where neither trades nor events tell all of it."""
    signal, opened_at = state.signal, state.opened_at
    if told_by_trades(trades, [state], rules):
        found = stretches_of_trades(trades, rules)
        if signal is None or opened_at is None:
            return found
        own = row_of(signal, holding_of(state, signal, rules), opened_at, end + 1)
        return joined(found, stretches([own]))
    opened = {event.signal_id for event in events if event.kind == "opened"}
    wanted = {trade.signal_id for trade in trades}
    if signal is not None and opened_at is not None:
        wanted.add(signal.id)
    if not wanted <= opened:
        return None
    key = (state.strategy, state.symbol)
    return stretches_of_fills(filled(events, rules), [key], end)[key]
