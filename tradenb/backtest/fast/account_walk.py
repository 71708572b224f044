"""Tables that share an account, followed together: entries and exits in the order of the machine.

An entry costs what is free at its moment; where funds refuse it, the strategy stays idle and comes
with its next candidate.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heapreplace
from typing import Final

import numpy as np

from tradenb.backtest.fast.candidate_table import CandidateTable
from tradenb.backtest.fast.exits import Exit, Exits
from tradenb.backtest.fast.fast_vectorised import FastVectorised
from tradenb.backtest.fast.jumps import leaver, quick
from tradenb.backtest.fast.rounds import Booked, phase_of
from tradenb.core.candidate import plain_signal
from tradenb.core.lifecycle.holding import costs, paid_for, received
from tradenb.core.lifecycle.state import ASKS
from tradenb.core.money.account import Account
from tradenb.core.money.funds import Funds, grant
from tradenb.core.money.position_money import PositionMoney, entered, left_pieces
from tradenb.core.risk import Refusal
from tradenb.core.signal import Position
from tradenb.engine.session.account_book import funds_of
from tradenb.engine.session.instance import Instance
from tradenb.engine.session.signal_table import LONG, Table

_NOTHING: Final = PositionMoney(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
Turn = tuple[int, int, int]
"""When something happens: its close, its phase, and the slot of the walker."""


class Walker:
    """One table on its way: it waits with a candidate, or for the end of its position.

    Attributes
    ----------
    held : Exit or None
        How the position that is open will end; None while none is, or where it stays open.
    money : PositionMoney
        What it is in money.
    """

    def __init__(self, instance: Instance, table: Table) -> None:
        self.instance = instance
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
        self.closes, self._rows = quick(instance.candles.close), quick(candidates.rows)
        self._code, self._stops = quick(table.position), quick(table.numbers["stop_loss"])
        self.place = self._next_from(1, candidates.start, candidates.stop)

    @property
    def comes_at(self) -> int | None:
        """When the candidate that it waits with is asked for; None: there is none any more."""
        return None if self.place < 0 else self._candidates.table.time_of(self.place)

    def candidate(self) -> tuple[Position, float, float]:
        """Return side, price and stop of the candidate that it waits with."""
        price = self.closes[int(self._rows[self.place])]
        side: Position = "long" if self._code[self.place] == LONG else "short"
        return side, price, self._stops[self.place]

    def refuse(self) -> None:
        """Go on to the next candidate."""
        self.booked.refused.append(self.place)
        self.place = self._next_from(1, self.place + 1, self._candidates.stop)

    def enter(self) -> None:
        """Open the candidate that it waits with."""
        self._opened.append(self.place)
        self.held, self._after = self._leave(self.place)

    def leave(self, exit: Exit) -> None:
        """End what is open, and wait with the candidate that follows."""
        self._exits.append(exit)
        self._asked.append(self._after)
        self.held = None
        self.place = self._next_from(1, self._after, self._candidates.stop)

    def found(self) -> FastVectorised | None:
        """Return what became of the candidates; None where one of them broke a rule."""
        met = np.array([*self._opened, *self.booked.refused], dtype=np.intp)
        if not self._candidates.valid(met).all():
            return None
        found = FastVectorised(self.instance, self._candidates)
        found.take(self._opened, self._exits, self._asked)
        return found


class AccountWalk:
    """The account while tables are followed.

    Parameters
    ----------
    instances : sequence of Instance
        In the order of places.
    """

    def __init__(
        self, instances: Sequence[Instance], tables: Sequence[Table], account: Account
    ) -> None:
        self.walkers = [Walker(*pair) for pair in zip(instances, tables, strict=True)]
        self._account = account
        count = len(instances)
        self._terms = np.zeros((4, count + 1))
        self._terms[0, 0] = account.cash
        self._side, self._quantity, self._cost, self._marks = np.zeros((4, count))
        self._open: set[int] = set()
        self._now = -1
        self._known: Funds | None = None
        grids = [(each.candles.regular, each.candles.end, each.candles.step) for each in instances]
        # Of symbols whose candles are those of the same moments, the row is looked up once.
        self._grid_of = [grids.index(own) if own[0] else slot for slot, own in enumerate(grids)]

    def follow(self) -> None:
        """Let everything happen."""
        turns: list[Turn] = []
        for slot, walker in enumerate(self.walkers):
            at = walker.comes_at
            if at is not None:
                turns.append((at, int(ASKS), slot))
        heapify(turns)
        while turns:
            at, _, slot = turns[0]
            walker = self.walkers[slot]
            if walker.held is not None:
                following = self._leave(slot, walker, walker.held)
            else:
                following = self._enter(slot, walker, at)
            if following is None:
                heappop(turns)
            else:
                heapreplace(turns, following)

    def _enter(self, slot: int, walker: Walker, at: int) -> Turn | None:
        side, price, stop = walker.candidate()
        slip, fee = walker.costs
        given = grant(
            self._account,
            plain_signal("", "", "", side, price, 0.0, stop, 1, at),
            self._funds(at),
            paid=paid_for(side, price, slip),
            fee_percent=fee,
        )
        if isinstance(given, Refusal):
            walker.refuse()
            return _asked(walker, slot)
        walker.booked.enter(given)
        money = walker.money = entered(None, given, fee).money
        self._open.add(slot)
        self._hold(slot, 1.0 if side == "long" else -1.0, money.quantity, money.cost, price)
        self._change(slot, walker, money.earned)
        walker.enter()
        held = walker.held
        if held is None:
            return None
        return walker.instance.candles.ends_at(held.row), phase_of(held.reason), slot

    def _leave(self, slot: int, walker: Walker, exit: Exit) -> Turn | None:
        slip, fee = walker.costs
        side: Position = "long" if self._side[slot] > 0 else "short"
        got = received(side, exit.price, slip)
        rest, change, _ = left_pieces(walker.money, side, None, received=got, fee_percent=fee)
        walker.booked.leave(rest)
        self._open.discard(slot)
        self._hold(slot, 0.0, 0.0, 0.0, 0.0)
        self._change(slot, walker, change)
        walker.leave(exit)
        return _asked(walker, slot)

    def _hold(self, slot: int, side: float, quantity: float, cost: float, mark: float) -> None:
        self._side[slot], self._quantity[slot], self._cost[slot] = side, quantity, cost
        self._marks[slot] = mark
        worth = quantity * mark
        terms = self._terms
        terms[1, slot + 1] = cost / self._account.leverage
        terms[2, slot + 1] = side * (worth - cost)
        terms[3, slot + 1] = worth

    def _change(self, slot: int, walker: Walker, change: float) -> None:
        self._terms[0, slot + 1] += change
        walker.booked.earned = float(self._terms[0, slot + 1])
        self._known = None

    def _funds(self, at: int) -> Funds:
        """Return what the account has, with what is open at its market price."""
        if at != self._now:
            self._now, self._known = at, None
            self._mark(at)
        if self._known is None:
            self._known = funds_of(self._terms)
        return self._known

    def _mark(self, at: int) -> None:
        """Mark what is open at the close of its last candle by a moment."""
        rows: dict[int, int] = {}
        for slot in self._open:
            grid = self._grid_of[slot]
            if grid not in rows:
                rows[grid] = self.walkers[slot].instance.candles.index(at)
            closes = self.walkers[slot].closes
            self._marks[slot] = closes[min(rows[grid], len(closes) - 1)]
        worth = self._quantity * self._marks
        self._terms[2, 1:] = self._side * (worth - self._cost)
        self._terms[3, 1:] = worth


def _asked(walker: Walker, slot: int) -> Turn | None:
    """Return when a walker comes with its next candidate."""
    at = walker.comes_at
    return None if at is None else (at, int(ASKS), slot)
