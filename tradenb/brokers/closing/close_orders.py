"""Closing what orders of ours left at an exchange, where no document tells of them any more.

What is cancelled and sold follows from the exchange alone: orders that carry our tag, and the
trades of these orders. The coins that somebody else bought are never sold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from typing import Final, NamedTuple

from tradenb.core.orders.answers import NotSent, OrderSnapshot, Overview, Refused, Shown
from tradenb.core.orders.client_ids import client_id, is_ours
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
    new_id: Callable[[Time, int], str] | None = None,
    wait: Wait = asyncio.sleep,
) -> Closed:
    """Cancel all orders of ours on a symbol, and sell exactly what their trades add up to.

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
        problems = (*_unseen(seen, since), *([why_not] if why_not else []))
        if pieces == 0 or number == SALES:
            return Closed(sold, held, tuple(order.id for order in resting), problems)
        await _sell(port, named(seen.asked_at, number), pieces, wait)
        after = await _settled(port, since, mine, wait)
        if after is not None:
            sold += max(held - held_of(after, mine), ZERO)
    raise AssertionError("the last round returns")  # pragma: no cover


def held_of(seen: Overview, mine: Callable[[str], bool]) -> Decimal:
    """Return the pieces that the trades of our orders add up to; below 0 where we sold too much."""
    return sum((_change(fill) for fill in _fills(seen, mine)), ZERO)


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
