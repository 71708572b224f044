"""The fast way of a vectorised strategy that is alone: from each exit to the next candidate.

All candidates are known before the first candle is consumed, and no function is called in between.
So the trades are found over arrays, by the checks and fills of the core. The events of such a run
are made by the machine, when somebody looks at them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tradenb.backtest.fast.candidate_table import CandidateTable, Places, Rows, is_usual
from tradenb.backtest.fast.exits import Exit, Exits
from tradenb.backtest.fast.fast_callback import suits_callback
from tradenb.backtest.fast.jumps import leaver
from tradenb.backtest.fast.rounds import Round
from tradenb.core.candles.arrays import Floats, Times
from tradenb.core.columns import TRADE_MONEY
from tradenb.core.events import Event, numbered
from tradenb.core.lifecycle.machine import advance, answer, cleared
from tradenb.core.lifecycle.state import NeedCandidate, State
from tradenb.core.money.position_money import Grant
from tradenb.core.signal import Position, Trade, trades_of_columns
from tradenb.engine.session.instance import Instance
from tradenb.engine.session.signal_table import LONG, SHORT, Table
from tradenb.statistics.closed_trades import TradeColumns
from tradenb.statistics.equity.stretches import Stretches, plain_stretches

_NO_MONEY: Final[Mapping[str, Iterable[float | None]]] = dict.fromkeys(
    TRADE_MONEY, itertools.repeat(None)
)
_SIDES: Final[dict[int, Position]] = {LONG: "long", SHORT: "short"}


def suits_vectorised(instance: Instance, table: Table, *, shares: bool = False) -> bool:
    """Tell whether a fast way may run a strategy: market entries, exits, usual rules.

    With `shares` it may have an account and risk rules that take no time.
    """
    rules = instance.rules
    usual = rules.touch == "candle" and rules.same_candle == "stop_first" and rules.price == "close"
    plain = not table.flip and not table.moves and is_usual(table, rules)
    return usual and plain and suits_callback(instance, shares=shares)


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
        every = candidates.table.step if candidates.table.manages else None
        self._begun = instance.state._replace(manage_every=every)
        # From which place on the strategy is asked again after each exit.
        self._asked: list[int] = []
        self._candles = instance.candles
        self._rules = instance.rules

    def follow(self, exits: Exits) -> None:
        """Go from each exit to the next candidate."""
        candidates = self._candidates
        # Checking all candidates costs more than following a few. So all are taken for valid first;
        # if those that were opened are, nothing else could have been opened.
        self._jump(exits, candidates.wanted)
        if candidates.valid(self._places).all():
            return
        places = candidates.places()
        valid = candidates.valid(places)
        wanted = np.zeros(candidates.stop, dtype=np.bool_)
        wanted[places] = valid
        self._invalid = places[~valid]
        self._jump(exits, wanted)

    def _jump(self, exits: Exits, wanted: NDArray[np.bool_]) -> None:
        leave, stop = leaver(self._candidates, exits), self._candidates.stop
        # `bytes.find` goes over a million places without a candidate in no time; a loop would not.
        next_from = wanted.tobytes().find
        opened, ended, asked = list[int](), list[Exit](), list[int]()
        place = next_from(1, self._candidates.start, stop)
        while place >= 0:
            opened.append(place)
            found, after = leave(place)
            if found is None:
                break
            ended.append(found)
            asked.append(after)
            place = next_from(1, after, stop)
        self.take(opened, ended, asked)

    def take(self, opened: list[int], exits: list[Exit], asked: list[int]) -> None:
        """Take what was found: candidates, their exits, from where on it was asked again."""
        self.opened, self.exits, self._asked = opened, exits, asked
        self._places = np.array(opened, dtype=np.intp)

    @property
    def open(self) -> int:
        """How many positions are still open at the end."""
        return len(self.opened) - len(self.exits)

    @property
    def rejected(self) -> int:
        """How many invalid candidates were met while no position was open."""
        return len(self.met_idle(self._invalid))

    @property
    def asks(self) -> int:
        """How often it was asked: at each due moment while no position was open."""
        candles, begun = self._candles, self._begun
        dues = candles.dues(begun.cursor, candles.end, begun.every)
        rows, _ = self._ends()
        # On the candle of an exit it may be asked, but for an exit of its own.
        own = np.array([exit.reason == "strategy" for exit in self.exits], dtype=np.int64)
        since = np.append(begun.cursor + 1, self._closes(rows) + own)
        until = np.append(self._candidates.times(self._places), candles.end)[: len(since)]
        return int((dues.searchsorted(until, "right") - dues.searchsorted(since)).sum())

    def met_idle(self, places: Places) -> list[int]:
        """Return those of some rising places at which it was asked, and nothing was opened."""
        if not len(places):
            return []
        idle, until = zip(*self._idle(), strict=True)
        spans = zip(places.searchsorted(idle), places.searchsorted(until), strict=True)
        return [place for first, last in spans for place in places[first:last].tolist()]

    def _idle(self) -> list[tuple[int, int]]:
        """Return from which place to which no position was open, the latter exclusive."""
        candidates = self._candidates
        # From the start or the ask after an exit, up to the next candidate that was opened.
        idle = [candidates.start, *self._asked]
        return list(zip(idle, [*self.opened, candidates.stop], strict=False))

    def columns(self) -> TradeColumns:
        """Return what the statistics read of the closed trades."""
        rows, prices = self._ends()
        opened = self._places[: len(rows)]
        at, ended = self._candidates.times(opened), self._closes(rows)
        return TradeColumns(self._percent(opened, prices), at, ended)

    def held(self) -> Stretches:
        """Return what was held, to the end what is open then."""
        (rows, _), places = self._ends(), self._places
        until = self._closes(rows)
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

    def trades(self, money: Mapping[str, Iterable[float | None]] = _NO_MONEY) -> list[Trade]:
        """Make the closed trades; `money` is what each was on an account, by field."""
        candidates, places = self._candidates, self._places[: len(self.exits)]
        symbol, strategy = self._begun.symbol, self._begun.strategy
        percent, opened_at, closed_at = self.columns()
        at, target = opened_at.tolist(), candidates.table.numbers.get("take_profit")
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
                "take_profit": itertools.repeat(None)
                if target is None
                else target[places].tolist(),
                "stop_loss": [exit.stop for exit in self.exits],
                "exit_reason": [exit.reason for exit in self.exits],
                "pnl_percent": percent.tolist(),
                "size": itertools.repeat(None),
                "late": itertools.repeat(False),
                "note": itertools.repeat(None),
                "entries": itertools.repeat(1),
                "exits": itertools.repeat(1),
                "invested": itertools.repeat(1.0),
                **money,
            }
        )

    def events(self) -> list[Event]:
        """Let the machine make the events."""
        found: list[Event] = []
        for place in sorted([*self.opened, *self.met_idle(self._invalid)]):
            found += self._by_machine(place)[1]
        return numbered(found, itertools.count(1))

    def rounds(self) -> Iterator[Round]:
        """Return what was opened, with its exit where it has one."""
        candidates, places = self._candidates, self._places
        rows, _ = self._ends()
        for at, long, entry, stop, closed_at, exit in itertools.zip_longest(
            candidates.times(places).tolist(),
            candidates.long(places).tolist(),
            candidates.prices(places).tolist(),
            candidates.table.numbers["stop_loss"][places].tolist(),
            self._closes(rows).tolist(),
            self.exits,
        ):
            end = (None, 0.0, "") if exit is None else (closed_at, exit.price, exit.reason)
            yield Round(at, "long" if long else "short", entry, stop, *end)

    def last_state(self, given: Grant | None = None) -> State:
        """Return the state at the end; `given` is what an account gave to what is open then."""
        end = self._candles.end
        if not self.open:
            return self._begun._replace(cursor=end)
        return self._by_machine(self.opened[-1], given)[0]

    def _by_machine(self, place: int, given: Grant | None = None) -> tuple[State, list[Event]]:
        """Let the machine take one candidate, and follow it to its end."""
        candles, rules, table = self._candles, self._rules, self._candidates.table
        at = table.time_of(place)
        state = self._begun._replace(cursor=candles.ends_at(candles.index(at) - 1))
        candidate, side = table.candidate(place), _SIDES[int(table.position[place])]
        first = answer(state, NeedCandidate(at, at), candidate, candles, rules)
        step = cleared(first, candles, rules, given)
        events = [*first.events, *(() if step is first else step.events)]
        state, acting = step.state, self._acting(side)
        while state.signal is not None and state.cursor < candles.end:
            if acting is not None and not state.tested:
                following = acting.searchsorted(table.from_time(state.cursor + 1))
                none = following == len(acting)
                until = candles.end + 1 if none else table.time_of(int(acting[following]))
                state = state._replace(manage_from=until)
            step = advance(state, candles, rules)
            events += step.events
            need = step.need
            if type(need) is NeedCandidate:
                row = table.row_of(need.at)
                reply = None if row is None else table.action(row, side)
                step = answer(step.state, need, reply, candles, rules)
                events += step.events
            state = step.state
        return state, events

    def _acting(self, side: Position) -> Places | None:
        """Return the places that close a position of a side; None if there is no such column."""
        table = self._candidates.table
        if not table.manages:
            return None
        places = table.acting(side)
        return places[~table.superseded[places]]

    def _closes(self, rows: Rows) -> Times:
        """Return the close times of rows."""
        candles = self._candles
        if candles.regular:
            return candles.start + (rows + 1) * candles.step
        return candles.time[rows] + candles.step

    def _ends(self) -> tuple[Rows, Floats]:
        """Return rows and prices of the exits."""
        rows, prices = ([exit[place] for exit in self.exits] for place in (0, 1))
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
