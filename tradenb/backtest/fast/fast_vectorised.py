"""The fast way of a vectorised strategy that is alone: from each exit to the next candidate.

All candidates are known before the first candle is consumed, and no function is called in between.
So the trades are found over arrays, by the checks and fills of the core. The events of such a run
are made by the machine, when somebody looks at them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradenb.backtest.fast.candidate_table import NUMBERS, CandidateTable, Places, Rows
from tradenb.backtest.fast.cleared import cleared
from tradenb.backtest.fast.exits import Exit, Exits
from tradenb.backtest.fast.fast_callback import suits_callback
from tradenb.core.candles.arrays import Floats
from tradenb.core.events import Event, numbered
from tradenb.core.lifecycle.machine import advance, answer
from tradenb.core.lifecycle.state import NeedCandidate, State
from tradenb.core.signal import Trade, trades_of_columns
from tradenb.core.timeframe import MINUTE
from tradenb.engine.session.instance import Instance
from tradenb.engine.session.signal_table import LONG, Table
from tradenb.statistics.closed_trades import TradeColumns
from tradenb.statistics.equity.stretches import Stretches, plain_stretches


def suits_vectorised(instance: Instance, table: Table) -> bool:
    """Tell whether `run_vectorised` may run a strategy: market entries, no words, usual rules."""
    rules = instance.rules
    usual = rules.touch == "candle" and rules.same_candle == "stop_first" and rules.price == "close"
    plain = not table.manages and not table.words and set(table.numbers) == set(NUMBERS)
    return usual and plain and suits_callback(instance) and table.is_complete(NUMBERS)


class FastVectorised:
    """What became of the candidates of a table.

    Attributes
    ----------
    opened : list of int
        Places of the candidates that were opened, oldest first.
    exits : list of Exit
        How they ended; one fewer where the last is still open.
    """

    def __init__(self, instance: Instance, candidates: CandidateTable) -> None:
        self.opened: list[int] = []
        self.exits: list[Exit] = []
        self._places = self._invalid = np.zeros(0, dtype=np.intp)
        self._candidates = candidates
        self._begun = instance.state
        self._candles = instance.candles
        self._rules = instance.rules

    def follow(self, exits: Exits) -> None:
        """Go from each exit to the next candidate."""
        candidates = self._candidates
        # Checking all candidates costs more than following a few. So all are taken for valid first;
        # if those that were opened are, nothing else could have been opened.
        self._jump(exits, candidates.table.position != 0)
        if candidates.valid(self._places).all():
            return
        places = candidates.places()
        valid = candidates.valid(places)
        wanted = np.zeros(candidates.stop, dtype=np.bool_)
        wanted[places] = valid
        self._invalid = places[~valid]
        self._jump(exits, wanted)

    def _jump(self, exits: Exits, wanted: NDArray[np.bool_]) -> None:
        candidates, table = self._candidates, self._candidates.table
        first, size, stop = candidates.first_row, candidates.size, candidates.stop
        code = _quick(table.position)
        target, stop_loss, minutes = (_quick(table.numbers[name]) for name in NUMBERS)
        # `bytes.find` goes over a million places without a candidate in no time; a loop would not.
        exit_of, next_from = exits.find, wanted.tobytes().find
        self.opened, self.exits = opened, ended = [], []
        place = next_from(1, candidates.start, stop)
        while place >= 0:
            opened.append(place)
            row, long = first + place * size, code[place] == LONG
            found = exit_of((row, long, target[place], stop_loss[place], minutes[place]))
            if found is None:
                break
            ended.append(found)
            # Rounded up: the strategy may be asked on the candle of the exit itself.
            place = next_from(1, (found[0] - first + size - 1) // size, stop)
        self._places = np.array(opened, dtype=np.intp)

    @property
    def open(self) -> int:
        """How many positions are still open at the end."""
        return len(self.opened) - len(self.exits)

    @property
    def rejected(self) -> int:
        """How many invalid candidates were met while no position was open."""
        return len(self._rejected_places()) if len(self._invalid) else 0

    @property
    def asks(self) -> int:
        """How many rows were looked at: those while no position was open."""
        last = self._candidates.stop - 1
        return sum(max(0, min(until, last) - idle + 1) for idle, until in self._idle())

    def _rejected_places(self) -> list[int]:
        invalid = self._invalid
        idle, until = zip(*self._idle(), strict=True)
        spans = zip(invalid.searchsorted(idle), invalid.searchsorted(until), strict=True)
        return [place for first, last in spans for place in invalid[first:last].tolist()]

    def _idle(self) -> list[tuple[int, int]]:
        """Return from which place to which no position was open, the latter exclusive."""
        candidates, (rows, _) = self._candidates, self._ends()
        # From the start or the ask after an exit, up to the next candidate that was opened.
        idle = [candidates.start, *(-((candidates.first_row - rows) // candidates.size)).tolist()]
        return list(zip(idle, [*self.opened, candidates.stop], strict=False))

    def columns(self) -> TradeColumns:
        """Return what the statistics read of the closed trades."""
        rows, prices = self._ends()
        opened = self._places[: len(rows)]
        at, ended = self._candidates.times(opened), self._candles.start + (rows + 1) * MINUTE
        return TradeColumns(self._percent(opened, prices), at, ended)

    def held(self) -> Stretches:
        """Return what was held, to the end what is open then."""
        (rows, _), places = self._ends(), self._places
        until = self._candles.start + (rows + 1) * MINUTE
        if self.open:
            until = np.append(until, self._candles.end + 1)
        candidates = self._candidates
        return plain_stretches(
            candidates.times(places),
            until,
            candidates.long(places),
            candidates.prices(places),
            self._rules,
        )

    def trades(self) -> list[Trade]:
        """Make the closed trades."""
        candidates, places = self._candidates, self._places[: len(self.exits)]
        symbol, strategy = self._begun.symbol, self._begun.strategy
        percent, opened_at, closed_at = self.columns()
        at, table = opened_at.tolist(), candidates.table
        long = candidates.long(places).tolist()
        return trades_of_columns(
            {
                "signal_id": [f"{strategy}-{symbol}-{each}" for each in at],
                "symbol": itertools.repeat(symbol),
                "strategy": itertools.repeat(strategy),
                "position": ["long" if each else "short" for each in long],
                "opened_at": at,
                "closed_at": closed_at.tolist(),
                "entry": candidates.prices(places).tolist(),
                "exit": [exit.price for exit in self.exits],
                "take_profit": table.numbers["take_profit"][places].tolist(),
                "stop_loss": table.numbers["stop_loss"][places].tolist(),
                "exit_reason": [exit.reason for exit in self.exits],
                "pnl_percent": percent.tolist(),
                "size": itertools.repeat(None),
                "late": itertools.repeat(False),
                "note": itertools.repeat(None),
                "entries": itertools.repeat(1),
                "exits": itertools.repeat(1),
                "invested": itertools.repeat(1.0),
            }
        )

    def events(self) -> list[Event]:
        """Let the machine make the events."""
        found: list[Event] = []
        for place in sorted([*self.opened, *self._rejected_places()]):
            found += self._by_machine(place)[1]
        return numbered(found, itertools.count(1))

    def last_state(self) -> State:
        """Return the state at the end of the candles."""
        end = self._candles.end
        if not self.open:
            return self._begun._replace(cursor=end)
        return self._by_machine(self.opened[-1])[0]

    def _by_machine(self, place: int) -> tuple[State, list[Event]]:
        """Let the machine take one candidate, and follow it to its end."""
        candles, rules, table = self._candles, self._rules, self._candidates.table
        at = table.first + place * table.step
        state = self._begun._replace(cursor=at - MINUTE)
        candidate = table.candidate(place)
        first = answer(state, NeedCandidate(at, at), candidate, candles, rules)
        step = cleared(first, candles, rules)
        events = [*first.events, *(() if step is first else step.events)]
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
        entry, long = self._candidates.prices(opened), self._candidates.long(opened)
        slip, fee = rules.slippage_percent / 100, 2 * rules.fee_percent
        paid = np.where(long, entry * (1 + slip), entry * (1 - slip))
        got = np.where(long, exit * (1 - slip), exit * (1 + slip))
        percent: Floats = np.where(long, (got - paid) / paid, (paid - got) / paid) * 100 - fee
        return percent


def run_vectorised(instance: Instance, table: Table, exits: Exits) -> FastVectorised:
    """Run a vectorised strategy from each exit to the next candidate."""
    found = FastVectorised(instance, CandidateTable(instance, table))
    found.follow(exits)
    return found


def _quick(column: Any) -> Sequence[float]:
    """Return a column whose single values are quick to read, as plain Python numbers."""
    return memoryview(column)
