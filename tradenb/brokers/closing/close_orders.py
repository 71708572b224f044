"""Closing what orders of ours left at an exchange, where no document tells of them any more.

What is cancelled and sold follows from the exchange alone: orders that carry our tag, and the
trades of these orders. The coins that somebody else bought are never sold. Nobody can tell whether
a sale by hand was of our pieces or of coins that were bought by hand: it counts as ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from typing import Final, NamedTuple

from tradenb.core.orders.answers import NotSent, OrderSnapshot, Overview, Refused, Shown
from tradenb.core.orders.client_ids import client_id, is_ours, is_tagged
from tradenb.core.orders.order_records import ZERO, Fill, Order
from tradenb.core.orders.outcomes import proof_at
from tradenb.core.signal import Time
from tradenb.core.timeframe import iso
from tradenb.exchanges.orders.order_port import OrderPort
from tradenb.exchanges.orders.spot_account import read_account

LOOKS: Final = 5
SALES: Final = 3
_LOOK_S: Final = 1.0
Wait = Callable[[float], Awaitable[object]]


class Closing(NamedTuple):
    """What is to be cancelled and sold, and how that is known.

    Attributes
    ----------
    resting : tuple of OrderSnapshot
        Our orders that rest.
    bought, sold : Decimal
        Pieces that our orders bought, less fees taken in pieces, and sold.
    by_hand : Decimal
        Of these, pieces that orders without a tag may have sold since.
    free, locked : Decimal
        Pieces of the account.
    pieces : Decimal
        Pieces to sell, on the step; 0 if they are too few for an order.
    price : Decimal
        Of the last trade of the account on the symbol; 0 without one.
    problems : tuple of str
        What could not be looked at.
    """

    resting: tuple[OrderSnapshot, ...] = ()
    bought: Decimal = ZERO
    sold: Decimal = ZERO
    by_hand: Decimal = ZERO
    free: Decimal = ZERO
    locked: Decimal = ZERO
    pieces: Decimal = ZERO
    price: Decimal = ZERO
    problems: tuple[str, ...] = ()

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to cancel and nothing to sell."""
        return not self.resting and self.pieces == 0


class Closed(NamedTuple):
    """What came of it.

    Attributes
    ----------
    sold : Decimal
        Pieces that were sold now.
    held : Decimal
        Pieces that our trades add up to and that are still there; too few for an order, if there
        are no problems.
    resting : tuple of str
        Client ids of our orders that still rest.
    problems : tuple of str
        Why it is not done; sentences.
    """

    sold: Decimal = ZERO
    held: Decimal = ZERO
    resting: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def is_flat(self) -> bool:
        """Whether nothing is left, and that is known."""
        return not self.resting and not self.problems


async def close_orders(
    port: OrderPort,
    base: str,
    *,
    since: Time,
    mine: Callable[[str], bool] = is_ours,
    most: Decimal | None = None,
    new_id: Callable[[Time, int], str] | None = None,
    wait: Wait = asyncio.sleep,
) -> Closed:
    """Cancel all orders of ours on a symbol, and sell what their trades add up to.

    Pieces that somebody sold by hand after our purchases count as ours: less is sold.

    Parameters
    ----------
    port : OrderPort
        Of the symbol.
    base : str
        What is bought there: "BTC".
    since : int
        Orders and trades from then on count, ms UTC; a port may not look so far back.
    mine : callable
        Tells by a client id whether an order is ours.
    most : Decimal, optional
        More pieces are not sold: those that a person has seen in `what_to_close`.
    new_id : callable, optional
        Makes the client id of a sale, of a time and a number.
    wait : callable
        Waits a number of seconds.
    """
    named = new_id or _tagged_id
    sold = ZERO
    for number in range(1, SALES + 1):
        seen = await _settled(port, since, mine, wait)
        if seen is None:
            words = "orders and trades could not be read; is the exchange reachable?"
            return Closed(sold, problems=(words,))
        held, resting = held_of(seen, mine), _resting(seen.orders, mine)
        pieces, why_not = await _sellable(port, base, seen, held, resting)
        if most is not None and pieces > most - sold:
            pieces = port.market.pieces(max(most - sold, ZERO))
            why_not = f"{held:f} pieces are ours, more than were shown; run it again"
        sales = _by_hand(seen, mine)
        said = (why_not, _said_by_hand(sales) if sales else "")
        problems = (*_unseen(seen, since), *filter(None, said))
        if pieces == 0 or number == SALES:
            return Closed(sold, held, tuple(order.id for order in resting), problems)
        await _sell(port, named(seen.asked_at, number), pieces, wait)
        after = await _settled(port, since, mine, wait)
        if after is not None:
            sold += max(_net(seen, mine) - _net(after, mine), ZERO)
    raise AssertionError("the last round returns")  # pragma: no cover


async def what_to_close(port: OrderPort, base: str, *, since: Time) -> Closing | None:
    """Return what `close_orders` would do now, and change nothing; None: it could not be read."""
    seen = await port.overview(since)
    if not isinstance(seen, Overview):
        return None
    resting, changes = (
        _resting(seen.orders, is_ours),
        [_change(fill) for fill in _fills(seen, is_ours)],
    )
    free, locked = next(
        ((each.free, each.locked) for each in seen.balances if each.asset == base), (ZERO, ZERO)
    )
    price = max(seen.fills, key=lambda fill: fill.at).price if seen.fills else ZERO
    pieces = port.market.pieces(max(min(held_of(seen, is_ours), free + locked), ZERO))
    return Closing(
        resting=resting,
        bought=sum((change for change in changes if change > 0), ZERO),
        sold=-sum((change for change in changes if change < 0), ZERO),
        by_hand=_by_hand(seen, is_ours),
        free=free,
        locked=locked,
        pieces=pieces if pieces >= port.market.least(price) else ZERO,
        price=price,
        problems=_unseen(seen, since),
    )


def held_of(seen: Overview, mine: Callable[[str], bool]) -> Decimal:
    """Return the pieces that are surely ours; below 0 where our orders sold more than they bought.

    That is what the trades of our orders add up to, less what was sold by hand since.
    """
    return _net(seen, mine) - _by_hand(seen, mine)


def _net(seen: Overview, mine: Callable[[str], bool]) -> Decimal:
    return sum((_change(fill) for fill in _fills(seen, mine)), ZERO)


def _by_hand(seen: Overview, mine: Callable[[str], bool]) -> Decimal:
    """Return the pieces of ours that sales by hand may have been of.

    Each may have taken what our orders held when it was made, and nothing that they bought later.
    What our orders sold after all was still there: that sale by hand was of other coins.
    """
    names = {order.exchange_id: order.id for order in seen.orders}
    held = gone = ZERO
    once = {fill.id: fill for fill in seen.fills}.values()
    for fill in sorted(once, key=lambda fill: (fill.at, fill.side == "sell")):
        id = names.get(fill.exchange_id, "")
        if mine(id):
            held += _change(fill)
            back = max(min(gone, -held), ZERO)
            held, gone = held + back, gone - back
        elif fill.side == "sell" and not is_tagged(id):
            taken = max(min(held, -_change(fill)), ZERO)
            held, gone = held - taken, gone + taken
    return gone


def _said_by_hand(pieces: Decimal) -> str:
    return (
        f"{pieces.normalize():f} pieces were sold by hand after our orders had bought: they count "
        "as ours and that many are not sold now, since sales by hand of our positions and of coins "
        "bought by hand cannot be told apart; look at the exchange"
    )


def _tagged_id(at: Time, number: int) -> str:
    return client_id("close by tag", str(at), "exit", number)


def _fills(seen: Overview, mine: Callable[[str], bool]) -> Iterable[Fill]:
    ours = {order.exchange_id for order in seen.orders if mine(order.id)}
    once = {fill.id: fill for fill in seen.fills if fill.exchange_id in ours}
    return once.values()


def _change(fill: Fill) -> Decimal:
    fee = fill.fee if fill.fee_in == "base" else ZERO
    return (fill.quantity if fill.side == "buy" else -fill.quantity) - fee


def _resting(
    orders: Iterable[OrderSnapshot], mine: Callable[[str], bool]
) -> tuple[OrderSnapshot, ...]:
    return tuple(order for order in orders if mine(order.id) and order.ending is None)


async def _settled(
    port: OrderPort, since: Time, mine: Callable[[str], bool], wait: Wait
) -> Overview | None:
    """Cancel until nothing of ours rests and every fill has its trades; return the last look."""
    last: Overview | None = None
    for look in range(LOOKS):
        if look:
            await wait(_LOOK_S)
        seen = await port.overview(since)
        if not isinstance(seen, Overview):
            continue
        last = seen
        resting = _resting(seen.orders, mine)
        if not resting and not _missing(seen, mine):
            break
        for order in resting:  # a leg takes its list with it
            await port.cancel(_as_order(order))
    return last


def _missing(seen: Overview, mine: Callable[[str], bool]) -> Decimal:
    """Return the pieces that orders show as filled and trades do not show yet."""
    filled = sum((order.filled for order in seen.orders if mine(order.id)), ZERO)
    return filled - sum((fill.quantity for fill in _fills(seen, mine)), ZERO)


def _as_order(snapshot: OrderSnapshot) -> Order:
    return Order(
        id=snapshot.id, signal_id="", role="exit", attempt=1, side=snapshot.side, type="stop",
        quantity=snapshot.quantity, exchange_id=snapshot.exchange_id,
    )  # fmt: skip


async def _sellable(
    port: OrderPort,
    base: str,
    seen: Overview,
    held: Decimal,
    resting: tuple[OrderSnapshot, ...],
) -> tuple[Decimal, str]:
    """Return the pieces to sell now, and why not all that is held."""
    if held <= 0:
        return ZERO, "" if held == 0 else f"our orders sold {-held:f} pieces more than they bought"
    if resting:
        return ZERO, "orders of ours still rest and lock pieces; run it again"
    account = await read_account(port.client)
    if account is None:
        return ZERO, "the balance could not be read; run it again"
    free = account.free.get(base, ZERO)
    pieces = port.market.pieces(min(held, free))
    price = max(seen.fills, key=lambda fill: fill.at).price
    if pieces < port.market.least(price):
        if pieces < port.market.pieces(held):
            return ZERO, f"{held:f} pieces are ours and {free:f} are free; look at the exchange"
        return ZERO, ""  # too few for an order: nobody can sell them
    short = f"{held:f} pieces are ours and only {free:f} are free" if free < held else ""
    return pieces, short


async def _sell(port: OrderPort, id: str, pieces: Decimal, wait: Wait) -> None:
    """Sell at market, once; if that is in doubt, wait until it can no longer arrive."""
    now = port.client.now()
    order = Order(
        id=id, signal_id="", role="exit", attempt=1, side="sell", type="market", quantity=pieces,
        sent_at=now, dies_at=now + port.venue.window_ms,
    )  # fmt: skip
    answer = await port.submit(order)
    if isinstance(answer, Shown) and answer.order.ending is not None:
        return
    if isinstance(answer, NotSent | Refused):
        await wait(_LOOK_S)
        return
    while port.client.now() < proof_at(order.dies_at, port.venue):
        await wait(_LOOK_S)


def _unseen(seen: Overview, since: Time) -> tuple[str, ...]:
    if seen.since <= since:
        return ()
    return (f"orders before {iso(seen.since)} UTC were not looked at; look at the exchange",)
