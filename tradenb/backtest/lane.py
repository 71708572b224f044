"""A lane of its own for one instance with which nobody shares anything: trades, and no events.

A sweep runs a strategy a thousand times and wants figures. Where no risk rule, callback or command
is at work and nobody else's turn can come between, the session's order of steps is that of time,
and a position can be followed to its end at once. The checks of candidates and the ends of
positions are the machine's; that both lanes make its trades is a property test.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradenb.backtest.outcome import Closed, Outcomes
from tradenb.core.candles import Floats
from tradenb.core.machine import advance, answer
from tradenb.core.pnl import pnl_percent
from tradenb.core.problems import TOLERANCE
from tradenb.core.rules import Rules
from tradenb.core.signal import Signal
from tradenb.core.state import NeedCandidate, NeedCandles, NeedClearance, State
from tradenb.core.timeframe import MINUTE
from tradenb.engine.call import Pump, StrategyTimeout
from tradenb.engine.context import begin_ask, keep_state, saved_state
from tradenb.engine.instance import Instance
from tradenb.engine.signals import LONG, Table
from tradenb.errors import NotEnoughCandles


@dataclass
class Tally:
    """What came of a trial.

    Attributes
    ----------
    trades : list of Closed
        In order of closing.
    rejected, errors, asks_lost, open : int
        Candidates that were refused; user functions that failed; asks that found too little
        history; signals still open or scheduled at the end.
    """

    trades: list[Closed] = field(default_factory=list)
    rejected: int = 0
    errors: int = 0
    asks_lost: int = 0
    open: int = 0


def suits_asks(instance: Instance) -> bool:
    """Tell whether `asked` may run an instance that is alone in its run."""
    spec = instance.spec
    return not (spec.risk or spec.callbacks or instance.state.commands)


def asked(instance: Instance, outcomes: Outcomes, tally: Tally) -> Pump:
    """Run a strategy that is asked; yields its calls."""
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
        state, until = _follow(
            answer(state, step.need, None, candles, rules).state, outcomes, tally
        )
        at = until + -until % every
    instance.state = state._replace(cursor=end)


def _follow(state: State, outcomes: Outcomes, tally: Tally) -> tuple[State, int]:
    """Follow a signal to its end; return the idle state and when it may be asked again."""
    candles, rules = outcomes.candles, outcomes.rules
    if state.opened_at is None:
        state = _activated(state, outcomes, tally)
    signal, opened_at = state.signal, state.opened_at
    if signal is None:
        return state, state.cursor + MINUTE
    if opened_at is None:
        tally.open += 1
        return state, candles.end + MINUTE
    row, long = candles.index(opened_at), signal.position == "long"
    found = outcomes.of((row, long, signal.take_profit, signal.stop_loss, signal.minutes))
    if found is None:
        tally.open += 1
        return state, candles.end + MINUTE
    at = candles.start + (found.row + 1) * MINUTE
    tally.trades.append(_closed(signal, opened_at, at, found.price, rules))
    return state._replace(signal=None, opened_at=None), at


def _activated(state: State, outcomes: Outcomes, tally: Tally) -> State:
    """Let the machine wait for an entry: opened, gone, opened and closed, or waiting at the end."""
    candles, rules = outcomes.candles, outcomes.rules
    while state.signal is not None and state.opened_at is None:
        step = advance(state, candles, rules)
        if isinstance(step.need, NeedClearance):
            step = answer(step.state, step.need, None, candles, rules)
        elif isinstance(step.need, NeedCandles):
            return step.state
        for event in step.events:
            if event.kind == "closed" and isinstance(event.signal, Signal):
                price = float(event.price or 0.0)
                tally.trades.append(_closed(event.signal, event.at, event.at, price, rules))
        state = step.state
    return state


def _closed(signal: Signal, opened_at: int, at: int, price: float, rules: Rules) -> Closed:
    return Closed(pnl_percent(signal.position, signal.entry, price, rules), opened_at, at)


# --- vectorised


def suits_table(instance: Instance, table: Table) -> bool:
    """Tell whether `chased` may run a vectorised strategy: market entries, and nothing said."""
    rules = instance.rules
    usual = rules.touch == "candle" and rules.same_candle == "stop_first" and rules.price == "close"
    extra = table.words or set(table.numbers) > {"take_profit", "stop_loss", "minutes"}
    return usual and not extra and suits_asks(instance)


def chased(instance: Instance, table: Table, outcomes: Outcomes, tally: Tally) -> None:
    """Run a vectorised strategy: from each exit to the next candidate."""
    candles, state, rules = instance.candles, instance.state, instance.rules
    asks = _Asks(table, candles.close, candles.start, candles.end, state.cursor)
    good = asks.good(rules)
    following = _next_of(good)
    rows, long = _quick(asks.row), _quick(asks.long)
    target, stop = _quick(asks.numbers["take_profit"]), _quick(asks.numbers["stop_loss"])
    minutes = _quick(np.nan_to_num(asks.numbers["minutes"]).astype(np.int64))
    place, opened, ended, prices = _first_of(following), [], [], []
    waited, idle_from = [0], 0
    of, place_from, count = outcomes.of, asks.place_from, len(good)
    while place >= 0:
        found = of((rows[place], long[place], target[place], stop[place], minutes[place]))
        opened.append(place)
        if found is None:
            tally.open += 1
            waited.append(count)
            break
        ended.append(found[0])
        prices.append(found[1])
        idle_from = place_from(found[0])
        waited.append(idle_from)
        place = following[idle_from] if idle_from < count else -1
    tally.rejected += _refused(good, waited, opened)
    entered = np.array(opened[: len(ended)], dtype=np.intp)
    tally.trades += _trades(asks, entered, ended, prices, rules)


def _refused(good: NDArray[np.bool_], waited: list[int], opened: list[int]) -> int:
    """Count the broken candidates from where waiting began to where a position was opened."""
    before = np.concatenate(([0], np.cumsum(~good)))
    until = [*opened, len(good)]
    return int(before[until].sum() - before[waited].sum())


class _Asks:
    """The candidates of a table that may be asked for in a run, in order.

    Rows are those of the 1m candles at whose close the strategy is asked.
    """

    def __init__(self, table: Table, close: Floats, first: int, end: int, cursor: int) -> None:
        places = np.flatnonzero(table.position)
        at = table.first + places * table.step
        within = (at > cursor) & (at <= end)
        places, self.at = places[within], at[within]
        self.first = first
        self.row = (self.at - first) // MINUTE - 1
        self.long = table.position[places] == LONG
        names = ("take_profit", "stop_loss", "minutes")
        self.numbers = {name: table.numbers[name][places] for name in names}
        self.price = close[self.row]
        # Place of the first candidate at or after each slot of the grid of asks.
        self._step = table.step
        self._origin = int(self.at[0]) if len(self.at) else 0
        slots = (self.at - self._origin) // table.step
        taken = np.zeros(int(slots[-1]) + 1 if len(slots) else 0, dtype=np.intp)
        taken[slots] = 1
        self._place = _quick(np.cumsum(taken) - taken)

    def place_from(self, row: int) -> int:
        """Return the place of the first candidate asked for at the close of a row or later."""
        at = self.first + (row + 1) * MINUTE
        slot = max(0, -((self._origin - at) // self._step))
        return self._place[slot] if slot < len(self._place) else len(self.row)

    def good(self, rules: Rules) -> NDArray[np.bool_]:
        """Tell which candidates break no rule; the same as `core.signal.problems` finds."""
        target, stop, minutes = self.numbers.values()
        price, side = self.price, np.where(self.long, 1.0, -1.0)
        with np.errstate(invalid="ignore"):
            good = np.isfinite(target) & (target > 0) & np.isfinite(stop) & (stop > 0)
            good &= (side * (target - price) > 0) & (side * (price - stop) > 0)
            gain = np.abs(target - price) / price * 100
            loss = np.abs(price - stop) / price * 100
            good &= gain >= rules.min_take_profit_percent - TOLERANCE
            good &= loss >= rules.min_stop_loss_percent - TOLERANCE
            good &= loss <= rules.max_stop_loss_percent + TOLERANCE
            good &= (minutes >= 1) & (minutes <= rules.max_signal_minutes)
            good &= np.floor(minutes) == minutes
        return good


def _next_of(good: NDArray[np.bool_]) -> Sequence[int]:
    """Return for each place the first good one from there on, -1 where there is none."""
    count = len(good)
    places = np.where(good, np.arange(count), count)
    following = np.minimum.accumulate(places[::-1])[::-1]
    return _quick(np.where(following == count, -1, following))


def _quick(column: Any) -> Sequence[Any]:
    """Return a column whose single values are quick to read, as plain Python numbers."""
    return memoryview(column)


def _first_of(following: Sequence[int]) -> int:
    return following[0] if len(following) else -1


def _trades(
    asks: _Asks, places: NDArray[np.intp], ended: list[int], prices: list[float], rules: Rules
) -> Iterator[Closed]:
    """Make the trades; the formula is `core.pnl.pnl_percent`, in its order of operations."""
    entry, exit = asks.price[places], np.array(prices, dtype=np.float64)
    slip, fee = rules.slippage_percent / 100, 2 * rules.fee_percent
    long = asks.long[places]
    paid = np.where(long, entry * (1 + slip), entry * (1 - slip))
    got = np.where(long, exit * (1 - slip), exit * (1 + slip))
    percent = np.where(long, (got - paid) / paid, (paid - got) / paid) * 100 - fee
    closed_at = asks.first + (np.array(ended, dtype=np.int64) + 1) * MINUTE
    columns: Any = (percent.tolist(), asks.at[places].tolist(), closed_at.tolist())
    return map(Closed._make, zip(*columns, strict=True))
