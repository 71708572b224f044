"""The account of tables that are followed together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tradenb.backtest.fast.exits import Exit
from tradenb.backtest.fast.walker import Walker
from tradenb.core.lifecycle.holding import paid_for, received
from tradenb.core.money.account import Account
from tradenb.core.money.funds import Funds, grant
from tradenb.core.money.position_money import entered, left_pieces
from tradenb.core.risk import Refusal
from tradenb.core.signal import Position, Signal
from tradenb.engine.session.account_book import funds_of


class WalkedAccount:
    """What is free and open on the account, at each moment.

    Parameters
    ----------
    walkers : sequence of Walker
        In the order of places.
    """

    def __init__(self, walkers: Sequence[Walker], account: Account) -> None:
        self._walkers = walkers
        self._account = account
        count = len(walkers)
        self._terms = np.zeros((4, count + 1))
        self._terms[0, 0] = account.cash
        self._side, self._quantity, self._cost, self._marks = np.zeros((4, count))
        self._open: set[int] = set()
        self._now = -1
        self._known: Funds | None = None
        own = [walker.instance.candles for walker in walkers]
        grids = [(each.regular, each.end, each.step) for each in own]
        # Of symbols whose candles are those of the same moments, the row is looked up once.
        self._grid_of = [grids.index(grid) if grid[0] else i for i, grid in enumerate(grids)]

    def enter(self, walker: Walker, signal: Signal, at: int) -> bool:
        """Give a candidate what it costs; False where funds refuse it."""
        side, price, place = signal.position, signal.entry, walker.place
        slip, fee = walker.costs
        given = grant(
            self._account,
            signal,
            self._funds(at),
            paid=paid_for(side, price, slip),
            fee_percent=fee,
        )
        if isinstance(given, Refusal):
            return False
        walker.booked.enter(given)
        money = walker.money = entered(None, given, fee).money
        self._open.add(place)
        self._hold(place, 1.0 if side == "long" else -1.0, money.quantity, money.cost, price)
        self._change(walker, money.earned)
        return True

    def leave(self, walker: Walker, exit: Exit) -> None:
        """Take what the end of a position brings."""
        slip, fee = walker.costs
        side: Position = "long" if self._side[walker.place] > 0 else "short"
        got = received(side, exit.price, slip)
        rest, change, _ = left_pieces(walker.money, side, None, received=got, fee_percent=fee)
        walker.booked.leave(rest)
        self._open.discard(walker.place)
        self._hold(walker.place, 0.0, 0.0, 0.0, 0.0)
        self._change(walker, change)

    def _hold(self, place: int, side: float, quantity: float, cost: float, mark: float) -> None:
        self._side[place], self._quantity[place], self._cost[place] = side, quantity, cost
        self._marks[place] = mark
        worth = quantity * mark
        terms = self._terms
        terms[1, place + 1] = cost / self._account.leverage
        terms[2, place + 1] = side * (worth - cost)
        terms[3, place + 1] = worth

    def _change(self, walker: Walker, change: float) -> None:
        self._terms[0, walker.place + 1] += change
        walker.booked.earned = float(self._terms[0, walker.place + 1])
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
        for place in self._open:
            grid = self._grid_of[place]
            if grid not in rows:
                rows[grid] = self._walkers[place].instance.candles.index(at)
            closes = self._walkers[place].closes
            self._marks[place] = closes[min(rows[grid], len(closes) - 1)]
        worth = self._quantity * self._marks
        self._terms[2, 1:] = self._side * (worth - self._cost)
        self._terms[3, 1:] = worth
