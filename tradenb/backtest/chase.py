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

from tradenb.backtest.lane import suits_asks
from tradenb.backtest.outcome import Exit, Outcomes
from tradenb.core.candles import Floats
from tradenb.core.events import Event, numbered
from tradenb.core.machine import advance, answer
from tradenb.core.problems import TOLERANCE
from tradenb.core.rules import Rules
from tradenb.core.signal import Trade
from tradenb.core.state import NeedCandidate, NeedClearance, State
from tradenb.core.timeframe import MINUTE
from tradenb.engine.instance import Instance
from tradenb.engine.signals import LONG, Table
from tradenb.view.figures import Columns


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

    def __init__(self, instance: Instance, table: Table, good: NDArray[np.bool_], asks: _Asks):
        self.opened: list[int] = []
        self.exits: list[Exit] = []
        self._waited = [0]
        self._good = good
        self._asks = asks
        self._table = table
        self._begun = instance.state
        self._candles = instance.candles
        self._rules = instance.rules

    @property
    def open(self) -> int:
        """How many positions are still open at the end."""
        return len(self.opened) - len(self.exits)

    @property
    def refused(self) -> int:
        """How many broken candidates were asked for."""
        before = np.concatenate(([0], np.cumsum(~self._good)))
        return int(before[self._until].sum() - before[self._waited].sum())

    @property
    def _until(self) -> list[int]:
        return [*self.opened, len(self._good)]

    def _refused_places(self) -> list[int]:
        spans = zip(self._waited, self._until, strict=True)
        broken = ~self._good
        return [
            first + int(place)
            for first, last in spans
            for place in np.flatnonzero(broken[first:last])
        ]

    def closed(self) -> Columns:
        """Make what figures are made of."""
        return Columns(self._percent(), *self._times())

    def trades(self) -> list[Trade]:
        """Make the closed trades."""
        asks, places = self._asks, self._ended()
        symbol, strategy = self._begun.symbol, self._begun.strategy
        opened_at, closed_at = (times.tolist() for times in self._times())
        rows = zip(
            opened_at,
            closed_at,
            asks.long[places].tolist(),
            asks.price[places].tolist(),
            asks.numbers["take_profit"][places].tolist(),
            asks.numbers["stop_loss"][places].tolist(),
            self._percent().tolist(),
            self.exits,
            strict=True,
        )
        return [
            Trade(
                f"{strategy}-{symbol}-{at}",
                symbol,
                strategy,
                "long" if long else "short",
                at,
                end,
                entry,
                exit.price,
                target,
                stop,
                None,
                exit.reason,
                percent,
                False,
                None,
            )
            for at, end, long, entry, target, stop, percent, exit in rows
        ]

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
        candles, rules, at = self._candles, self._rules, int(self._asks.at[place])
        state = self._begun._replace(cursor=at - MINUTE)
        candidate = self._table.candidate(int(self._asks.table_row[place]))
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

    def _ended(self) -> NDArray[np.intp]:
        return np.array(self.opened[: len(self.exits)], dtype=np.intp)

    def _times(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        rows = np.array([exit.row for exit in self.exits], dtype=np.int64)
        return self._asks.at[self._ended()], self._asks.first + (rows + 1) * MINUTE

    def _percent(self) -> Floats:
        """Return the pnl_percent; the formula of `core.pnl`, in its order of operations."""
        rules, places = self._rules, self._ended()
        entry = self._asks.price[places]
        exit = np.array([exit.price for exit in self.exits], dtype=np.float64)
        slip, fee = rules.slippage_percent / 100, 2 * rules.fee_percent
        long = self._asks.long[places]
        paid = np.where(long, entry * (1 + slip), entry * (1 - slip))
        got = np.where(long, exit * (1 - slip), exit * (1 + slip))
        percent: Floats = np.where(long, (got - paid) / paid, (paid - got) / paid) * 100 - fee
        return percent


def chased(instance: Instance, table: Table, outcomes: Outcomes) -> Chase:
    """Run a vectorised strategy: from each exit to the next candidate."""
    candles = instance.candles
    asks = _Asks(table, candles.close, candles.start, candles.end, instance.state.cursor)
    good = asks.good(instance.rules)
    chase = Chase(instance, table, good, asks)
    following = _next_of(good)
    rows, long = _quick(asks.row), _quick(asks.long)
    target, stop = _quick(asks.numbers["take_profit"]), _quick(asks.numbers["stop_loss"])
    minutes = _quick(np.where(good, asks.numbers["minutes"], 0).astype(np.int64))
    place, count = _first_of(following), len(good)
    of, (slots, size, shift) = outcomes.of, asks.slots()
    last = len(slots) - 1
    opened, exits, waited = chase.opened, chase.exits, chase._waited
    while place >= 0:
        found = of((rows[place], long[place], target[place], stop[place], minutes[place]))
        opened.append(place)
        if found is None:
            waited.append(count)
            break
        exits.append(found)
        idle_from = slots[min((found[0] + shift) // size, last)]
        waited.append(idle_from)
        place = following[idle_from] if idle_from < count else -1
    return chase


class _Asks:
    """The candidates of a table that may be asked for in a run, in order.

    Rows are those of the 1m candles at whose close the strategy is asked.
    """

    def __init__(self, table: Table, close: Floats, first: int, end: int, cursor: int) -> None:
        places = np.flatnonzero(table.position)
        at = table.first + places * table.step
        within = (at > cursor) & (at <= end)
        places, self.at = places[within], at[within]
        self.first, self.step = first, table.step
        self.table_row = places
        self.row = (table.first - first) // MINUTE - 1 + places * (table.step // MINUTE)
        self.long = table.position[places] == LONG
        names = ("take_profit", "stop_loss", "minutes")
        self.numbers = {name: table.numbers[name][places] for name in names}
        self.price = close[self.row]

    def slots(self) -> tuple[Sequence[int], int, int]:
        """Say where the first candidate from a row on is: `at[min((row + shift) // size, last)]`.

        Returns
        -------
        at : sequence of int
            Place of the first candidate at or after each slot of the grid of asks, from the first
            candidate on; behind the last of them the number of candidates.
        size, shift : int
        """
        size = self.step // MINUTE
        if not len(self.row):
            return [0], size, 0
        slots = self.table_row - self.table_row[0]
        taken = np.zeros(int(slots[-1]) + 2, dtype=np.int32)
        taken[slots] = 1
        at = np.cumsum(taken, dtype=np.int32) - taken
        return _quick(at), size, size - 1 - int(self.row[0])

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
