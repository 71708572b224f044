"""Positions of the fast ways that were entered once and left once, in prices and in money."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tradenb.core.columns import TRADE_MONEY
from tradenb.core.lifecycle.holding import costs, paid_for, received
from tradenb.core.lifecycle.state import ASKS, EXITS
from tradenb.core.money.position_money import (
    Grant,
    PositionMoney,
    entered,
    left_pieces,
    money_fields,
)
from tradenb.core.signal import Position
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


class Booked:
    """The positions of one instance in money, oldest first.

    Attributes
    ----------
    quantities : list of float
        Pieces of each.
    cut : list of float
        Part of what they asked for that entries were given for which too little was free.
    closed : dict of str to list of float
        What each was in money at its end, by field of a trade.
    given : Grant or None
        What the last was given.
    earned : float
        What they changed the balance by.
    """

    def __init__(self) -> None:
        self.quantities: list[float] = []
        self.cut: list[float] = []
        self.closed: dict[str, list[float]] = {name: [] for name in TRADE_MONEY}
        self.given: Grant | None = None
        self.earned = 0.0

    def enter(self, given: Grant) -> None:
        """Note what a position was given."""
        self.given = given
        self.quantities.append(given.quantity)
        if given.is_cut:
            self.cut.append(given.share)

    def leave(self, money: PositionMoney) -> None:
        """Note what a position was at its end."""
        for name, value in money_fields(money).items():
            self.closed[name].append(value)


def phase_of(reason: str) -> int:
    """Return when within a close a position is left."""
    return int(ASKS if reason == "strategy" else EXITS)


def held_in_money(
    rounds: Iterable[Round], quantities: Iterable[float], instance: Instance, end: int
) -> MoneyHeld:
    """Return what an instance held and booked, as its fills tell it."""
    slip, fee = costs(instance.rules, limit=False)
    rows, changes, fees, turnover = [], [], 0.0, 0.0
    for made, quantity in zip(rounds, quantities, strict=True):
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
