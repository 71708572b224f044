"""The fast way of a strategy that is called and alone in its run: trades, and no events.

A sweep runs a strategy a thousand times and wants figures. Where no risk rule, callback or command
is at work and no other instance can come between, the session's order of steps is that of time, and
a position can be followed to its exit at once. The checks of candidates and the exits of positions
are those of the machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tradenb.backtest.fast.cleared import cleared
from tradenb.backtest.fast.exits import BareTrade, Exits
from tradenb.core.lifecycle.machine import advance, answer
from tradenb.core.lifecycle.state import NeedCandidate, NeedCandles, NeedClearance, State
from tradenb.core.prices import pnl_percent
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal
from tradenb.core.timeframe import MINUTE
from tradenb.engine.call import Pump, StrategyTimeout
from tradenb.engine.context import begin_ask, keep_state, saved_state
from tradenb.engine.session.instance import Instance
from tradenb.errors import NotEnoughCandles
from tradenb.statistics.closed_trades import TradeColumns


@dataclass
class Tally:
    """What came of a trial.

    Attributes
    ----------
    trades : list of BareTrade
        In order of closing.
    columns : TradeColumns or None
        The same as arrays, in place of `trades`, where `fast_vectorised` made them.
    rejected, errors, asks_lost, open : int
        Candidates that were refused; user functions that failed; asks that found too little
        history; signals still open or scheduled at the end.
    """

    trades: list[BareTrade] = field(default_factory=list)
    columns: TradeColumns | None = None
    rejected: int = 0
    errors: int = 0
    asks_lost: int = 0
    open: int = 0


def suits_callback(instance: Instance) -> bool:
    """Tell whether `run_callback` may run an instance that is alone in its run."""
    spec, rules = instance.spec, instance.rules
    usual = rules.maker_fee_percent is None and rules.slippage_on == "all"
    busy = spec.risk or spec.callbacks or spec.manager or instance.state.commands
    return usual and not busy


def run_callback(instance: Instance, exits: Exits, tally: Tally) -> Pump:
    """Run a strategy that is called; yield its calls."""
    state, candles, rules = instance.state, instance.candles, instance.rules
    every, end = state.every, candles.end
    at = state.cursor + every - state.cursor % every
    while at <= end:
        context = instance.context
        begin_ask(context, at)
        try:
            reply = yield instance.ask
            if context.remembers:
                keep_state(context)
        except NotEnoughCandles:
            tally.asks_lost += 1
            reply = None
        except Exception as error:  # noqa: BLE001 - the user's code; it is counted
            if isinstance(error, StrategyTimeout):
                instance.renew(saved_state(context))
            tally.errors += 1
            reply = None
        if reply is None:
            at += every
            continue
        step = answer(state, NeedCandidate(at, at), reply, candles, rules)
        if not isinstance(step.need, NeedClearance):
            tally.rejected += 1
            at += every
            continue
        state, until = _follow(cleared(step, candles, rules).state, exits, tally)
        at = until + -until % every
    instance.state = state._replace(cursor=end)


def _follow(state: State, exits: Exits, tally: Tally) -> tuple[State, int]:
    """Follow a signal to its end; return the idle state and when it may be asked again."""
    candles, rules = exits.candles, exits.rules
    if state.is_scheduled:
        state = _activated(state, exits, tally)
    signal, opened_at = state.signal, state.opened_at
    if signal is None:
        return state, state.cursor + MINUTE
    if opened_at is None:
        tally.open += 1
        return state, candles.end + MINUTE
    target, minutes = signal.take_profit, signal.minutes
    if target is None or minutes is None or signal.until or state.holding is not None:
        return _ended(state, exits, tally)
    row, long = candles.index(opened_at), signal.position == "long"
    found = exits.find((row, long, target, signal.stop_loss, minutes))
    if found is None:
        tally.open += 1
        return state, candles.end + MINUTE
    at = candles.start + (found.row + 1) * MINUTE
    tally.trades.append(_closed(signal, opened_at, at, found.price, rules))
    return state._replace(signal=None, opened_at=None), at


def _ended(state: State, exits: Exits, tally: Tally) -> tuple[State, int]:
    """Let the machine follow a position that is not a plain one."""
    while state.signal is not None:
        step = advance(state, exits.candles, exits.rules)
        state = step.state
        if isinstance(step.need, NeedCandles):
            tally.open += 1
            return state, exits.candles.end + MINUTE
    trade = state.trades[-1]
    tally.trades.append(BareTrade(trade.pnl_percent, trade.opened_at, trade.closed_at))
    return state, state.cursor + MINUTE


def _activated(state: State, exits: Exits, tally: Tally) -> State:
    """Let the machine wait for an entry: opened, gone, opened and closed, or waiting at the end."""
    candles, rules = exits.candles, exits.rules
    while state.is_scheduled:
        step = cleared(advance(state, candles, rules), candles, rules)
        if isinstance(step.need, NeedCandles):
            return step.state
        if step.state.trades is not state.trades:  # opened and closed on one candle
            trade = step.state.trades[-1]
            tally.trades.append(BareTrade(trade.pnl_percent, trade.opened_at, trade.closed_at))
        state = step.state
    return state


def _closed(signal: Signal, opened_at: int, at: int, price: float, rules: Rules) -> BareTrade:
    return BareTrade(pnl_percent(signal.position, signal.entry, price, rules), opened_at, at)
