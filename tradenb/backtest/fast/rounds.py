"""Positions of the fast ways that were entered once and left once, booked on an account.

Each position was found as if it were alone. Here their entries and exits are booked one after the
other, in the order of the machine: an entry costs what is free at its moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tradenb.core.candidate import plain_signal
from tradenb.core.lifecycle.holding import costs, paid_for, received
from tradenb.core.lifecycle.state import ASKS, EXITS
from tradenb.core.money.account import Account
from tradenb.core.money.funds import grant
from tradenb.core.money.position_money import Grant, PositionMoney, entered, left_pieces
from tradenb.core.risk import Refusal
from tradenb.core.signal import Position
from tradenb.engine.session.account_book import funds_of
from tradenb.engine.session.instance import Instance
from tradenb.statistics.equity.money_curve import MoneyHeld


class Round(NamedTuple):
    """A position in prices; without `closed_at` (ms UTC) it is still open."""

    opened_at: int
    side: Position
    entry: float
    stop: float
    closed_at: int | None
    exit: float
    reason: str


class BookedRound(NamedTuple):
    """A position in money: what it was given, and what it was at its end."""

    round: Round
    given: Grant
    money: PositionMoney
    earned: float


def phase_of(reason: str) -> int:
    """Return when within a close a position is left."""
    return ASKS if reason == "strategy" else EXITS


class AccountRounds:
    """The account while positions are booked.

    Parameters
    ----------
    instances : sequence of Instance
        In the order of places.
    """

    def __init__(self, instances: Sequence[Instance], account: Account) -> None:
        self._instances = instances
        self._leverage = account.leverage
        count = len(instances)
        self._changed = np.array([account.cash, *np.zeros(count)])
        self._side, self._quantity, self._cost, self._marks = np.zeros((4, count))
        self._open: set[int] = set()
        self._now = -1
        self._closes = [_quick(instance.candles.close) for instance in instances]
        self._costs = [costs(instance.rules, limit=False) for instance in instances]

    def book(self, several: Sequence[Sequence[Round]]) -> list[list[BookedRound]] | None:
        """Book the positions of all places; None where funds refuse an entry."""
        turns = []
        for place, rounds in enumerate(several):
            for number, each in enumerate(rounds):
                turns.append((each.opened_at, int(ASKS), place, number, True))
                if each.closed_at is not None:
                    phase = int(phase_of(each.reason))
                    turns.append((each.closed_at, phase, place, number, False))
        booked: list[list[BookedRound]] = [[] for _ in several]
        for at, _, place, number, opens in sorted(turns):
            if not opens:
                booked[place][-1] = self._leave(place, booked[place][-1])
                continue
            each = several[place][number]
            given = self._grant(place, each, at)
            if given is None:
                return None
            booked[place].append(self._enter(place, each, given))
        return booked

    def _grant(self, place: int, each: Round, at: int) -> Grant | None:
        account, (slip, fee) = self._instances[place].account, self._costs[place]
        if account is None:
            return None
        self._mark(at)
        given = grant(
            account,
            plain_signal("", "", "", each.side, each.entry, 0.0, each.stop, 1, at),
            funds_of(
                self._changed, self._side, self._quantity, self._cost, self._marks, self._leverage
            ),
            paid=paid_for(each.side, each.entry, slip),
            fee_percent=fee,
        )
        return None if isinstance(given, Refusal) else given

    def _enter(self, place: int, each: Round, given: Grant) -> BookedRound:
        money = entered(None, given, self._costs[place][1]).money
        self._side[place] = 1.0 if each.side == "long" else -1.0
        self._quantity[place], self._cost[place] = money.quantity, money.cost
        self._marks[place] = each.entry
        self._open.add(place)
        self._changed[1 + place] += money.earned
        return BookedRound(each, given, money, float(self._changed[1 + place]))

    def _leave(self, place: int, own: BookedRound) -> BookedRound:
        slip, fee = self._costs[place]
        got = received(own.round.side, own.round.exit, slip)
        money, change, _ = left_pieces(
            own.money, own.round.side, None, received=got, fee_percent=fee
        )
        self._side[place] = self._quantity[place] = self._cost[place] = 0.0
        self._open.discard(place)
        self._changed[1 + place] += change
        return BookedRound(own.round, own.given, money, float(self._changed[1 + place]))

    def _mark(self, at: int) -> None:
        """Mark what is open at the close of its last candle by a moment."""
        if at == self._now:
            return
        self._now = at
        for place in self._open:
            closes = self._closes[place]
            row = self._instances[place].candles.index(at)
            self._marks[place] = closes[min(row, len(closes) - 1)]


def _quick(column: Any) -> Sequence[float]:
    """Return a column whose single values are quick to read."""
    return memoryview(column)


def held_in_money(rounds: Sequence[BookedRound], instance: Instance, end: int) -> MoneyHeld:
    """Return what an instance held and booked, as its fills tell it."""
    slip, fee = costs(instance.rules, limit=False)
    rows, changes, fees, turnover = [], [], 0.0, 0.0
    for each in rounds:
        made, quantity = each.round, each.given.quantity
        value = quantity * paid_for(made.side, made.entry, slip)
        money, change, _ = entered(None, Grant(value, quantity), fee)
        until = end + 1 if made.closed_at is None else made.closed_at
        rows.append((made.opened_at, until, made.side == "long", quantity, value))
        changes.append((made.opened_at, change))
        fees, turnover = fees + value * fee / 100, turnover + value
        if made.closed_at is None:
            continue
        got = received(made.side, made.exit, slip)
        _, change, _ = left_pieces(money, made.side, None, received=got, fee_percent=fee)
        changes.append((made.closed_at, change))
        fees, turnover = fees + quantity * got * fee / 100, turnover + quantity * got
    return MoneyHeld(rows, changes, fees, turnover, 0.0)
