"""What a run made today, of which a daily loss may be too much."""

from __future__ import annotations

from tradenb.core.lifecycle.exchange_route import hear, report_command
from tradenb.core.lifecycle.state import State, acts_at
from tradenb.core.money.position_money import unrealised_money
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.rules import Rules
from tradenb.core.timeframe import DAY


def day_result(
    state: State | None, ledger: OrderLedger | None, price: float | None, now: int
) -> float:
    """Return what a state made since midnight UTC, realised and open, quote currency.

    Parameters
    ----------
    ledger : OrderLedger or None
        What its orders report counts, whether the state has heard of it or not.
    price : float or None
        Last price known; None: what is open counts as 0.
    now : int
        ms UTC.
    """
    if state is None:
        return 0.0
    for command in () if ledger is None else map(report_command, ledger.reports):
        state, _ = hear(state, command, acts_at(command, 0), price or 0.0, Rules())
    today = now - now % DAY
    made = sum(trade.pnl or 0.0 for trade in state.trades if trade.closed_at > today)
    money = None if state.holding is None else state.holding.money
    if money is None or state.signal is None or price is None:
        return made
    return made + money.earned + unrealised_money(money, state.signal.position, price)
