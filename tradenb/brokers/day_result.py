"""What a run made today, of which a daily loss may be too much."""

from __future__ import annotations

from tradenb.core.lifecycle.state import State
from tradenb.core.money.position_money import unrealised_money
from tradenb.core.timeframe import DAY


def day_result(state: State | None, price: float | None, now: int) -> float:
    """Return what a state made since midnight UTC, realised and open, quote currency.

    Parameters
    ----------
    price : float or None
        Last price known; None: what is open counts as 0.
    now : int
        ms UTC.
    """
    if state is None:
        return 0.0
    today = now - now % DAY
    made = sum(trade.pnl or 0.0 for trade in state.trades if trade.closed_at > today)
    money = None if state.holding is None else state.holding.money
    if money is None or state.signal is None or price is None:
        return made
    return made + money.earned + unrealised_money(money, state.signal.position, price)
