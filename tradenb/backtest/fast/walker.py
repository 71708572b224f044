"""`Walker`: one table on its way, from candidate to candidate, among others that it shares with."""

from __future__ import annotations

from typing import Final

import numpy as np

from tradenb.backtest.fast.candidate_table import CandidateTable
from tradenb.backtest.fast.exits import Exit, Exits
from tradenb.backtest.fast.fast_vectorised import FastVectorised
from tradenb.backtest.fast.jumps import leaver, quick
from tradenb.backtest.fast.rounds import Booked
from tradenb.core import prices
from tradenb.core.candidate import plain_signal
from tradenb.core.lifecycle.holding import costs
from tradenb.core.lifecycle.state import State
from tradenb.core.money.position_money import PositionMoney
from tradenb.core.signal import Position, Signal, Trade, closed_trade
from tradenb.engine.session.books import Book
from tradenb.engine.session.instance import Instance
from tradenb.engine.session.signal_table import LONG, Table
from tradenb.engine.specs.strategy_spec import StrategySpec

_NOTHING: Final = PositionMoney(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class Walker:
    """One table on its way: it waits with a candidate, or for the end of its position.

    Attributes
    ----------
    place : int
        Of its instance in the run.
    state : State
        What risk books look at: the signal that it holds.
    books : tuple of Book
        Those of its risk rules, in their order.
    held : Exit or None
        How the position that is open will end; None while none is, or where it stays open.
    money : PositionMoney
        What it is in money.
    waits_with : int
        Place in its table of the candidate that it waits with; negative: there is none any more.
    refused : int
        How many candidates were refused, once it is `found`.
    """

    def __init__(self, place: int, instance: Instance, table: Table) -> None:
        self.place = place
        self.instance = instance
        self.state: State = instance.state
        self.books: tuple[Book, ...] = ()
        self.booked = Booked()
        self.held: Exit | None = None
        self.money = _NOTHING
        self.costs = costs(instance.rules, limit=False)
        self._candidates = candidates = CandidateTable(instance, table)
        self._leave = leaver(candidates, Exits(instance.candles, instance.rules, remembers=False))
        self._next_from = candidates.wanted.tobytes().find
        self._opened: list[int] = []
        self._exits: list[Exit] = []
        self._asked: list[int] = []
        self._after = 0
        self.refused = 0
        self.closes, self._rows = quick(instance.candles.close), quick(candidates.rows)
        self._code, self._stops = quick(table.position), quick(table.numbers["stop_loss"])
        self.waits_with = self._next_from(1, candidates.start, candidates.stop)

    @property
    def spec(self) -> StrategySpec:
        """The strategy, whose risk rules are asked."""
        return self.instance.spec

    @property
    def comes_at(self) -> int | None:
        """When the candidate that it waits with is asked for; None: there is none any more."""
        return None if self.waits_with < 0 else self._candidates.table.time_of(self.waits_with)

    def signal(self, at: int) -> Signal:
        """Return side, price and stop of the candidate that it waits with."""
        waits_with, state = self.waits_with, self.state
        price = self.closes[int(self._rows[waits_with])]
        side: Position = "long" if self._code[waits_with] == LONG else "short"
        stop = self._stops[waits_with]
        return plain_signal("", state.symbol, state.strategy, side, price, 0.0, stop, 1, at)

    def refuse(self) -> None:
        """Go on to the next candidate."""
        self.waits_with = self._next_from(1, self.waits_with + 1, self._candidates.stop)

    def refuse_until(self, at: int) -> None:
        """Go on to the next candidate that is asked for at `at` or later."""
        since = max(self.waits_with, self._candidates.table.from_time(at))
        self.waits_with = self._next_from(1, since, self._candidates.stop)

    def enter(self, signal: Signal, at: int) -> None:
        """Open the candidate that it waits with."""
        self._opened.append(self.waits_with)
        self.held, self._after = self._leave(self.waits_with)
        self.state = self.state._replace(signal=signal, opened_at=at)

    def leave(self, exit: Exit, at: int) -> Trade:
        """End what is open, and wait with the candidate that follows."""
        signal, opened_at, rules = self.state.signal, self.state.opened_at, self.instance.rules
        if signal is None or opened_at is None:
            raise RuntimeError("nothing is open")
        self._exits.append(exit)
        self._asked.append(self._after)
        self.held = None
        self.state = self.state._replace(signal=None, opened_at=None)
        self.waits_with = self._next_from(1, self._after, self._candidates.stop)
        percent = prices.pnl_percent(signal.position, signal.entry, exit.price, rules)
        return closed_trade(signal, opened_at, at, exit.price, exit.reason, percent)

    def found(self) -> FastVectorised | None:
        """Return what became of the candidates; None where one of them broke a rule."""
        candidates = self._candidates
        found = FastVectorised(self.instance, candidates)
        found.take(self._opened, self._exits, self._asked)
        refused = found.met_idle(candidates.places())
        self.refused = len(refused)
        met = np.array([*self._opened, *refused], dtype=np.intp)
        return found if candidates.valid(met).all() else None
