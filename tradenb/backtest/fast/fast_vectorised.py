"""The jumps of a vectorised strategy that is alone: from each exit to the next candidate.

All candidates are there before the first candle is consumed, and nobody is called in between. So
the trades are found over arrays, by the checks and fills of the core. The events of such a run are
made by the machine, when somebody looks at them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradenb.backtest.fast.candidate_table import NUMBERS, Asks, Places, Rows
from tradenb.backtest.fast.exits import Exit, Outcomes
from tradenb.backtest.fast.fast_callback import suits_asks
from tradenb.core.candles.arrays import Floats
from tradenb.core.events import Event, numbered
from tradenb.core.lifecycle.machine import advance, answer
from tradenb.core.lifecycle.state import NeedCandidate, NeedClearance, State
from tradenb.core.signal import Trade, trades_of_columns
from tradenb.core.timeframe import MINUTE
from tradenb.engine.session.instance import Instance
from tradenb.engine.session.vectorised import LONG, Table
from tradenb.statistics.closed_trades import TradeColumns


def suits_table(instance: Instance, table: Table) -> bool:
    """Tell whether `chased` may run a vectorised strategy: market entries, and nothing said."""
    rules = instance.rules
    usual = rules.touch == "candle" and rules.same_candle == "stop_first" and rules.price == "close"
    extra = table.words or set(table.numbers) > {"take_profit", "stop_loss", "minutes"}
    return usual and not extra and suits_asks(instance)


class Chase:
    """What became of the candidates of a table.

    Attributes
    ----------
    opened : list of int
        Places of the candidates that were opened, oldest first.
    exits : list of Exit
        How they ended; one fewer where the last is still open.
    """

    def __init__(self, instance: Instance, asks: Asks) -> None:
        self.opened: list[int] = []
        self.exits: list[Exit] = []
        self._places = self._broken = np.zeros(0, dtype=np.intp)
        self._asks = asks
        self._begun = instance.state
        self._candles = instance.candles
        self._rules = instance.rules

    def follow(self, outcomes: Outcomes) -> None:
        """Go from each exit to the next candidate; first as if none broke a rule, as is usual."""
        asks = self._asks
        self._jump(outcomes, asks.table.position != 0)
        if asks.good(self._places).all():
            return
        there = asks.there()
        good = asks.good(there)
        wanted = np.zeros(asks.stop, dtype=np.bool_)
        wanted[there] = good
        self._broken = there[~good]
        self._jump(outcomes, wanted)

    def _jump(self, outcomes: Outcomes, wanted: NDArray[np.bool_]) -> None:
        asks, table = self._asks, self._asks.table
        first, size, stop = asks.first_row, asks.size, asks.stop
        code = _quick(table.position)
        target, stop_loss, minutes = (_quick(table.numbers[name]) for name in NUMBERS)
        of, find = outcomes.of, wanted.tobytes().find
        self.opened, self.exits = opened, exits = [], []
        place = find(1, asks.start, stop)
        while place >= 0:
            opened.append(place)
            row, long = first + place * size, code[place] == LONG
            found = of((row, long, target[place], stop_loss[place], minutes[place]))
            if found is None:
                break
            exits.append(found)
            place = find(1, (found[0] - first + size - 1) // size, stop)
        self._places = np.array(opened, dtype=np.intp)

    @property
    def open(self) -> int:
        """How many positions are still open at the end."""
        return len(self.opened) - len(self.exits)

    @property
    def refused(self) -> int:
        """How many broken candidates were asked for."""
        return len(self._refused_places()) if len(self._broken) else 0

    def _refused_places(self) -> list[int]:
        asks, broken, (rows, _) = self._asks, self._broken, self._ends()
        idle = [asks.start, *(-((asks.first_row - rows) // asks.size)).tolist()]
        until = [*self.opened, asks.stop]
        spans = zip(broken.searchsorted(idle), broken.searchsorted(until), strict=False)
        return [place for first, last in spans for place in broken[first:last].tolist()]

    def closed(self) -> TradeColumns:
        """Make what figures are made of."""
        rows, prices = self._ends()
        opened = self._places[: len(rows)]
        at, ended = self._asks.at(opened), self._candles.start + (rows + 1) * MINUTE
        return TradeColumns(self._percent(opened, prices), at, ended)

    def trades(self) -> list[Trade]:
        """Make the closed trades."""
        asks, places = self._asks, self._places[: len(self.exits)]
        symbol, strategy = self._begun.symbol, self._begun.strategy
        percent, opened_at, closed_at = self.closed()
        at, table = opened_at.tolist(), asks.table
        return trades_of_columns(
            {
                "signal_id": [f"{strategy}-{symbol}-{each}" for each in at],
                "symbol": itertools.repeat(symbol),
                "strategy": itertools.repeat(strategy),
                "position": ["long" if long else "short" for long in asks.long(places).tolist()],
                "opened_at": at,
                "closed_at": closed_at.tolist(),
                "entry": asks.price(places).tolist(),
                "exit": [exit.price for exit in self.exits],
                "take_profit": table.numbers["take_profit"][places].tolist(),
                "stop_loss": table.numbers["stop_loss"][places].tolist(),
                "exit_reason": [exit.reason for exit in self.exits],
                "pnl_percent": percent.tolist(),
            }
        )

    def events(self) -> list[Event]:
        """Let the machine make the events."""
        found: list[Event] = []
        for place in sorted([*self.opened, *self._refused_places()]):
            found += self._lived(place)[1]
        return numbered(found, itertools.count(1))

    def last_state(self) -> State:
        """Return the state at the end of the candles."""
        end = self._candles.end
        if not self.open:
            return self._begun._replace(cursor=end)
        return self._lived(self.opened[-1])[0]

    def _lived(self, place: int) -> tuple[State, list[Event]]:
        """Ask for one candidate, and follow it to its end."""
        candles, rules, table = self._candles, self._rules, self._asks.table
        at = table.first + place * table.step
        state = self._begun._replace(cursor=at - MINUTE)
        candidate = table.candidate(place)
        step = answer(state, NeedCandidate(at, at), candidate, candles, rules)
        events = [*step.events]
        if isinstance(step.need, NeedClearance):
            step = answer(step.state, step.need, None, candles, rules)
            events += step.events
        state = step.state
        while state.signal is not None and state.cursor < candles.end:
            step = advance(state, candles, rules)
            state = step.state
            events += step.events
        return state, events

    def _ends(self) -> tuple[Rows, Floats]:
        """Return rows and prices of the exits."""
        rows, prices, _ = zip(*self.exits, strict=True) if self.exits else ((), (), ())
        return np.array(rows, dtype=np.int64), np.array(prices, dtype=np.float64)

    def _percent(self, opened: Places, exit: Floats) -> Floats:
        """Return the pnl_percent; the formula of `core.prices`, in its order of operations."""
        rules = self._rules
        entry, long = self._asks.price(opened), self._asks.long(opened)
        slip, fee = rules.slippage_percent / 100, 2 * rules.fee_percent
        paid = np.where(long, entry * (1 + slip), entry * (1 - slip))
        got = np.where(long, exit * (1 - slip), exit * (1 + slip))
        percent: Floats = np.where(long, (got - paid) / paid, (paid - got) / paid) * 100 - fee
        return percent


def chased(instance: Instance, table: Table, outcomes: Outcomes) -> Chase:
    """Run a vectorised strategy: from each exit to the next candidate."""
    chase = Chase(instance, Asks(instance, table))
    chase.follow(outcomes)
    return chase


def _quick(column: Any) -> Sequence[float]:
    """Return a column whose single values are quick to read, as plain Python numbers."""
    return memoryview(column)
