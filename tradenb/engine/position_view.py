"""`ctx.position` and `ctx.scheduled`: what a manage function sees of what is open or waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tradenb.core.lifecycle.holding import StopBy, unrealised
from tradenb.core.lifecycle.state import State, holding_of
from tradenb.core.rules import Rules
from tradenb.core.signal import Position as Side
from tradenb.core.signal import Rungs
from tradenb.core.timeframe import MINUTE, iso


@dataclass(frozen=True, slots=True)
class Position:
    """An open position, as of an ask.

    Attributes
    ----------
    id : str
    position : {"long", "short"}
    entry, first_entry : float
        Average and first entry, before slippage, quote currency.
    stop_loss : float
        In force for the next candle.
    stop_by : {"stop_loss", "breakeven", "trailing_stop"}
        Who set it.
    take_profit : float or None
        The nearest target that is left.
    targets : tuple of (float, float)
        All targets that are left, nearest first: price, fraction of everything.
    opened_at : int
        Close time of the candle that opened it, ms UTC.
    age : int
        Minutes since then.
    minutes, until : int or None
        Longest life in minutes; moment at which it ends, ms UTC.
    peak : float
        Best price since the entry.
    open, invested : float
        What is open as a fraction of all that was put in; that, in units of the first entry.
    entries : int
    pnl_percent : float
        What it would have earned if it were closed now.

    Examples
    --------
    >>> import tradenb as tn
    >>> @tn.strategy("held", every="1h")
    ... def held(ctx):
    ...     return tn.long(take_profit=tn.percent(3), stop_loss=tn.percent(1.5))
    >>> @held.manage(every="15m")
    ... def follow(ctx):
    ...     position = ctx.position
    ...     if position.pnl_percent > 1 and position.stop_by == "stop_loss":
    ...         return tn.breakeven()
    >>> market = tn.testing.random_walk(seed=7, days=4)
    >>> result = tn.backtest.run("BTCUSDT", strategy=held, exchange=market)
    >>> result.trades.exit_reason.value_counts().to_dict()
    {'take_profit': 4, 'stop_loss': 3, 'breakeven': 2}
    """

    id: str
    position: Side
    entry: float
    first_entry: float
    stop_loss: float
    stop_by: StopBy
    take_profit: float | None
    targets: Rungs
    opened_at: int
    age: int
    minutes: int | None
    until: int | None
    peak: float
    open: float
    invested: float
    entries: int
    pnl_percent: float

    def __repr__(self) -> str:
        targets = ", ".join(f"{level:.10g}" for level, _ in self.targets) or "none"
        return (
            f"Position({self.id!r}: {self.position} since {iso(self.opened_at)} at "
            f"{self.entry:.10g}, {self.pnl_percent:+.2f} %, stop_loss {self.stop_loss:.10g} "
            f"({self.stop_by}), targets {targets}, {self.open:.0%} open)"
        )

    @property
    def is_long(self) -> bool:
        """Whether it earns when the price rises."""
        return self.position == "long"

    @property
    def is_short(self) -> bool:
        """Whether it earns when the price falls."""
        return self.position == "short"


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A signal that waits for its entry, as of an ask.

    Attributes
    ----------
    order : {"limit", "breakout"}
        Whether it waits for this price or better, or for this price or beyond.
    scheduled_at : int
        Close time of the candle on which it was decided, ms UTC.
    age : int
        Minutes since then.
    """

    id: str
    position: Side
    entry: float
    order: Literal["limit", "breakout"]
    stop_loss: float
    take_profit: float | None
    scheduled_at: int
    age: int


def position_of(state: State, now: int, price: float, rules: Rules) -> Position | None:
    """Return what a state holds open at a market price, as of a moment."""
    signal, opened_at = state.signal, state.opened_at
    if signal is None or opened_at is None:
        return None
    holding = holding_of(state, signal, rules)
    return Position(
        id=signal.id,
        position=signal.position,
        entry=signal.entry,
        first_entry=holding.first_entry,
        stop_loss=signal.stop_loss,
        stop_by=holding.stop_by,
        take_profit=holding.rungs[0][0] if holding.rungs else None,
        targets=holding.rungs,
        opened_at=opened_at,
        age=(now - opened_at) // MINUTE,
        minutes=signal.minutes,
        until=signal.until,
        peak=holding.peak,
        open=holding.cost / holding.invested,
        invested=holding.invested,
        entries=holding.entries,
        pnl_percent=unrealised(signal, holding, price, rules),
    )


def scheduled_of(state: State, now: int) -> Scheduled | None:
    """Return the signal of a state that waits, as of a moment."""
    signal = state.signal
    if signal is None or state.is_open:
        return None
    return Scheduled(
        id=signal.id,
        position=signal.position,
        entry=signal.entry,
        order="breakout" if signal.breakout else "limit",
        stop_loss=signal.stop_loss,
        take_profit=signal.take_profit,
        scheduled_at=signal.at,
        age=(now - signal.at) // MINUTE,
    )
