"""The fast way of a strategy that is called and alone in its run: trades, and no events.

A sweep runs a strategy a thousand times and wants figures. Where no risk rule, callback or command
is at work and no other instance can come between, the session's order of steps is that of time, and
a position can be followed to its exit at once. The checks of candidates and the exits of positions
are those of the machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tradenb.backtest.fast.exits import BareTrade, Exits
from tradenb.core.events import Event
from tradenb.core.fills import filled
from tradenb.core.lifecycle.machine import advance, answer, cleared
from tradenb.core.lifecycle.state import NeedCandidate, NeedCandles, NeedClearance, State, Step
from tradenb.core.prices import pnl_percent
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal
from tradenb.engine.call import Pump, StrategyTimeout
from tradenb.engine.context import saved_state
from tradenb.engine.session.instance import Instance
from tradenb.engine.session.notices import failed
from tradenb.errors import NotEnoughCandles
from tradenb.statistics.closed_trades import TradeColumns
from tradenb.statistics.equity.money_curve import MoneyHeld
from tradenb.statistics.equity.stretches import (
    Key,
    Stretches,
    joined,
    plain_stretches,
    stretches_of_fills,
)

Plain = tuple[int, int, bool, float]
"""Of a plain position: when it was opened and closed (ms UTC), whether it was long, its entry."""


@dataclass
class Tally:
    """What came of a trial.

    Attributes
    ----------
    trades : list of BareTrade
        In order of closing.
    columns : TradeColumns or None
        The same as arrays, in place of `trades`, where `fast_vectorised` made them.
    held : list of (str, Stretches)
        Symbol of each instance, and what it held.
    money : list of (str, MoneyHeld)
        The same in money, with an account.
    asks, rejected, errors, asks_lost, asks_failed : int
        Asks of strategies; candidates that were refused; user functions that failed; asks that
        found too little history; asks that failed.
    first_error : str or None
        What the first user function said that failed.
    """

    trades: list[BareTrade] = field(default_factory=list)
    columns: TradeColumns | None = None
    held: list[tuple[str, Stretches]] = field(default_factory=list)
    money: list[tuple[str, MoneyHeld]] = field(default_factory=list)
    asks: int = 0
    rejected: int = 0
    errors: int = 0
    asks_lost: int = 0
    asks_failed: int = 0
    first_error: str | None = None


class _Followed:
    """What `run_callback` found out about positions."""

    def __init__(self, exits: Exits) -> None:
        self.exits = exits
        self.trades: list[BareTrade] = []
        self.plain: list[Plain] = []
        self.events: list[Event] = []

    def held(self, key: Key) -> Stretches:
        """Return what was held: by plain positions, and by those that the machine followed."""
        rules, end = self.exits.rules, self.exits.candles.end
        opened_at, until, long, entry = zip(*self.plain, strict=True) if self.plain else [()] * 4
        plain = plain_stretches(
            np.array(opened_at, dtype=np.int64),
            np.array(until, dtype=np.int64),
            np.array(long, dtype=np.bool_),
            np.array(entry, dtype=np.float64),
            rules,
        )
        if not self.events:
            return plain
        return joined(plain, stretches_of_fills(filled(self.events, rules), [key], end)[key])


def suits_callback(instance: Instance, *, shares: bool = False) -> bool:
    """Tell whether `run_callback` may run an instance that is alone in its run.

    With `shares` it may have an account and risk rules that take no time.
    """
    spec, rules = instance.spec, instance.rules
    usual = rules.maker_fee_percent is None and rules.slippage_on == "all"
    state = instance.state
    busy = spec.callbacks or spec.manager or state.commands or state.market is not None
    if shares:
        alone = all(rule.at_once for rule in spec.risk)
    else:
        alone = not spec.risk and instance.account is None
    return usual and alone and not busy


def run_callback(instance: Instance, exits: Exits, tally: Tally) -> Pump:
    """Run a strategy that is called; yield its calls."""
    state, candles, rules = instance.state, instance.candles, instance.rules
    every, end, followed = state.every, candles.end, _Followed(exits)
    next_due = candles.next_due
    due = next_due(state.cursor, every)
    while due <= end:
        row = instance.row
        row.begin(due, end, every, candles)
        reply, failure = yield from row.ask(instance.ask_on)
        at = row.at
        tally.asks += row.before()[0] + 1
        if failure is not None:
            _note_failure(instance, at, failure, tally)
        if reply is None:
            due = next_due(at, every)
            continue
        step = answer(state, NeedCandidate(at, at), reply, candles, rules)
        if not isinstance(step.need, NeedClearance):
            tally.rejected += 1
            due = next_due(at, every)
            continue
        state, until = _follow(cleared(step, candles, rules), followed)
        due = next_due(max(at, until), every)
    instance.state = state._replace(cursor=end)
    tally.trades = followed.trades
    tally.held = [(state.symbol, followed.held((state.strategy, state.symbol)))]


def _note_failure(instance: Instance, at: int, error: Exception, tally: Tally) -> None:
    if isinstance(error, NotEnoughCandles):
        tally.asks_lost += 1
        return
    if isinstance(error, StrategyTimeout):
        instance.renew(saved_state(instance.context))
    tally.errors += 1
    tally.asks_failed += 1
    if tally.first_error is None:
        tally.first_error = failed(instance, at, instance.ask.what, error).note


def _follow(opening: Step, followed: _Followed) -> tuple[State, int]:
    """Follow a signal to its end; return the idle state and after which close it may be asked."""
    exits, state, events = followed.exits, opening.state, [*opening.events]
    candles, rules = exits.candles, exits.rules
    if state.is_scheduled:
        state = _activated(state, followed, events)
    signal, opened_at = state.signal, state.opened_at
    if signal is None:
        return state, state.cursor
    if opened_at is None:
        return state, candles.end
    target, minutes = signal.take_profit, signal.minutes
    if target is None or minutes is None or signal.until or state.holding is not None:
        return _ended(state, followed, events)
    row, long = candles.index(opened_at), signal.position == "long"
    found = exits.find((row, long, target, signal.stop_loss, minutes))
    if found is None:
        followed.plain.append((opened_at, candles.end + 1, long, signal.entry))
        return state, candles.end
    at = candles.ends_at(found.row)
    followed.plain.append((opened_at, at, long, signal.entry))
    followed.trades.append(_closed(signal, opened_at, at, found.price, rules))
    return state._replace(signal=None, opened_at=None), candles.ends_at(found.row - 1)


def _ended(state: State, followed: _Followed, events: list[Event]) -> tuple[State, int]:
    """Let the machine follow a position that is not a plain one."""
    exits = followed.exits
    while state.signal is not None:
        step = advance(state, exits.candles, exits.rules)
        state = step.state
        events += step.events
        if isinstance(step.need, NeedCandles):
            followed.events += events
            return state, exits.candles.end
    followed.events += events
    trade = state.trades[-1]
    followed.trades.append(BareTrade(trade.pnl_percent, trade.opened_at, trade.closed_at))
    return state, state.cursor


def _activated(state: State, followed: _Followed, events: list[Event]) -> State:
    """Let the machine wait for an entry: opened, gone, opened and closed, or waiting at the end."""
    candles, rules = followed.exits.candles, followed.exits.rules
    while state.is_scheduled:
        step = cleared(advance(state, candles, rules), candles, rules)
        if isinstance(step.need, NeedCandles):
            return step.state
        events += step.events
        if step.state.trades is not state.trades:  # opened and closed on one candle
            trade = step.state.trades[-1]
            found = BareTrade(trade.pnl_percent, trade.opened_at, trade.closed_at)
            followed.trades.append(found)
        state = step.state
    return state


def _closed(signal: Signal, opened_at: int, at: int, price: float, rules: Rules) -> BareTrade:
    return BareTrade(pnl_percent(signal.position, signal.entry, price, rules), opened_at, at)
