"""The money of a position: what its entries cost, how many pieces it has, what its exits brought.

The letters are those of the law (docs/lifecycle.md, 12): M cost of what is open, q pieces. B, the
balance of the account, changes by what each function returns.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tradenb.core.money.market import Market, on_step
from tradenb.core.signal import Position, Trade


class Grant(NamedTuple):
    """What an entry is given: its cost in money and its pieces.

    Attributes
    ----------
    share : float
        Part of what the account's terms ask for; below 1 where less was free.
    """

    stake: float
    quantity: float
    share: float = 1.0

    @property
    def is_cut(self) -> bool:
        """Whether it is smaller than asked for by more than a costs' breadth, 3 %."""
        return self.share < 0.97


class PositionMoney(NamedTuple):
    """What a position has cost and brought so far.

    Attributes
    ----------
    first : float
        Cost of the first entry, quote currency; an add is a multiple of it.
    cost : float
        Of what is open, quote currency.
    quantity : float
        Pieces that are open.
    bought : float
        Pieces of all entries.
    invested : float
        Cost of all entries, quote currency.
    earned : float
        What it changed the balance by so far, without funding, quote currency.
    fees : float
        Quote currency.
    """

    first: float
    cost: float
    quantity: float
    bought: float
    invested: float
    earned: float
    fees: float


class Charged(NamedTuple):
    """The funding of an instance.

    Attributes
    ----------
    until : int
        All charges up to this moment are in, ms UTC.
    paid : float
        By all its positions, quote currency; negative if it received.
    of_position : float
        By the one that is open.
    """

    until: int = 0
    paid: float = 0.0
    of_position: float = 0.0


class Booked(NamedTuple):
    """A fill in money: what it leaves, what it changes the balance by, and its pieces."""

    money: PositionMoney
    change: float
    quantity: float


def entered(money: PositionMoney | None, grant: Grant, fee_percent: float) -> Booked:
    """Enter a position, or add to one."""
    stake, quantity, _ = grant
    fee = stake * fee_percent / 100
    if money is None:
        made = PositionMoney(stake, stake, quantity, quantity, stake, -fee, fee)
        return Booked(made, -fee, quantity)
    more = PositionMoney(
        first=money.first,
        cost=money.cost + stake,
        quantity=money.quantity + quantity,
        bought=money.bought + quantity,
        invested=money.invested + stake,
        earned=money.earned - fee,
        fees=money.fees + fee,
    )
    return Booked(more, -fee, quantity)


def left(
    money: PositionMoney,
    position: Position,
    share: float,
    *,
    price: float,
    received: float,
    fee_percent: float,
    market: Market | None,
) -> Booked:
    """Leave a share of what is open; 1 is all of it.

    Parameters
    ----------
    price, received : float
        Before and after slippage, quote currency.
    market : Market, optional
        A part is put on its steps; what is too small for it goes with the next exit.
    """
    if share == 1:
        return left_pieces(money, position, None, received=received, fee_percent=fee_percent)
    quantity = money.quantity * share
    if market is not None:
        quantity = _part(market, quantity, price)
    return left_pieces(money, position, quantity, received=received, fee_percent=fee_percent)


def left_pieces(
    money: PositionMoney,
    position: Position,
    quantity: float | None,
    *,
    received: float,
    fee_percent: float,
) -> Booked:
    """Leave so many pieces of what is open; None is all of them."""
    pieces = money.quantity if quantity is None else quantity
    cost = money.cost
    if quantity is not None:  # no pieces may be left of what is too small for the steps
        cost = cost * pieces / money.quantity if money.quantity else 0.0
    value = pieces * received
    fee = value * fee_percent / 100
    change = (value - cost if position == "long" else cost - value) - fee
    rest = money._replace(
        cost=0.0 if quantity is None else money.cost - cost,
        quantity=0.0 if quantity is None else money.quantity - pieces,
        earned=money.earned + change,
        fees=money.fees + fee,
    )
    return Booked(rest, change, pieces)


def _part(market: Market, wanted: float, price: float) -> float:
    pieces = on_step(wanted, market.size_step)
    if pieces < (market.min_size or 0.0) or pieces * price < (market.min_value or 0.0):
        return 0.0
    return pieces


def unrealised_money(money: PositionMoney, position: Position, price: float) -> float:
    """Return what is open would bring at a market price, above what it cost."""
    value = money.quantity * price
    return value - money.cost if position == "long" else money.cost - value


def with_money(trade: Trade, money: PositionMoney | None) -> Trade:
    """Return the trade of a position with what it was in money."""
    return trade if money is None else trade._replace(**money_fields(money))


def money_fields(money: PositionMoney) -> dict[str, Any]:
    """Return the fields of a trade that tell what its position was in money."""
    return {
        "quantity": money.bought,
        "cost": money.invested,
        "pnl": money.earned,
        "fees": money.fees,
    }
