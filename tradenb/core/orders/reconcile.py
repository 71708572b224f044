"""Reconciliation: orders, trades and balance of the exchange against the ledger.

A full one reads all of them since the oldest order. A light look reads the open orders, which are
judged by the same rules, and the newest trades: one that nobody here knows has all looked at.

What can only be ours is put in (heal). What nobody here can explain is left as it is, named in
`unexplained`, and keeps entries back until a person accepts it. What shows that an assumption of
this package is broken goes to `stops` and disarms the account. Protection stays in all cases.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal
from typing import Final

from tradenb.core.orders.answers import NEWEST_TRADES, OpenOrders, OrderSnapshot, Overview
from tradenb.core.orders.client_ids import client_id, is_ours, leg_ids, role_of
from tradenb.core.orders.ledger import OrderLedger, held_quantity
from tradenb.core.orders.order_records import ZERO, DesiredPosition, Ending, Fill, Order
from tradenb.core.orders.snapshots import (
    AHEAD,
    LEG_NAMES,
    NEVER_THERE,
    adopted,
    copied,
    is_copy,
    list_snapshot,
    shown,
    stopped,
    with_fills,
)
from tradenb.core.orders.venue import OrderMarket, Venue
from tradenb.core.signal import Time

_FINEST: Final = Decimal("1e-16")


def reconciled(
    ledger: OrderLedger, overview: Overview, venue: Venue, market: OrderMarket, now: Time
) -> OrderLedger:
    """Return the ledger after a full reconciliation."""
    ledger = ledger._replace(
        check_due=False,
        checked_at=overview.asked_at,
        checks_failed=0,
        checks_failed_since=None,
        check_failed_at=None,
        looked_at=overview.asked_at,
        looks_failed=0,
        balances=overview.balances,
    )
    ours = [snapshot for snapshot in overview.orders if is_ours(snapshot.id)]
    for snapshot in _with_lists(ledger, ours):
        ledger = _with_snapshot(ledger, snapshot, now)
    ledger, foreign = _with_trades(ledger, overview.fills)
    ledger = _without_absent(ledger, overview, venue, now)
    return _against_balance(ledger, overview, foreign, venue, market, now)


def looked(ledger: OrderLedger, seen: OpenOrders, venue: Venue, now: Time) -> OrderLedger:
    """Return the ledger after a light look; what rests no more is queried.

    Trades are compared and not put in: who reads them also reads what their order has become.
    """
    ledger = ledger._replace(looked_at=seen.asked_at, looks_failed=0)
    for snapshot in _with_lists(ledger, [each for each in seen.orders if is_ours(each.id)]):
        known = ledger.order(snapshot.id)
        if known is not None and is_copy(known, snapshot):
            known = None
        if known is not None and known.is_done and known.ending not in NEVER_THERE:
            continue  # what is shown is older than its end
        one_leg = snapshot.type == "list" and len(snapshot.legs) < len(LEG_NAMES)
        if not one_leg or known is None or known.is_done:
            ledger = _with_snapshot(ledger, snapshot, now)
        order = ledger.order(snapshot.id)
        if one_leg and order is not None and not order.is_done:  # the other leg tells what it did
            ledger = ledger.with_order(order._replace(query_due=True))
    mine, foreign = _split(ledger, seen.fills)
    for id, some in mine.items():
        ledger = _compared(ledger, id, some)
    if _has_news(ledger, seen.fills, foreign, venue):
        ledger = ledger._replace(check_due=True)
    return _without_resting(ledger, {each.id for each in seen.orders}, seen.asked_at, venue)


def _without_resting(
    ledger: OrderLedger, listed: set[str], asked_at: Time, venue: Venue
) -> OrderLedger:
    """Have queried what should rest and is not listed."""
    for order in ledger.orders:
        missing = listed.isdisjoint((order.id, *order.leg_ids))
        if order.stands and missing and asked_at > order.sent_at + venue.visible_ms:
            ledger = ledger.with_order(order._replace(query_due=True))
    return ledger


def _with_lists(ledger: OrderLedger, ours: list[OrderSnapshot]) -> Iterator[OrderSnapshot]:
    """Give the orders of ours, the legs of a list as one."""
    legs = {}
    for snapshot in ours:
        if role_of(snapshot.id) in LEG_NAMES:
            legs[snapshot.id] = snapshot
        else:
            yield snapshot
    for order in (*ledger.past, *ledger.orders):
        if any(id in legs for id in order.leg_ids):
            stop, target = (legs.pop(id, None) for id in order.leg_ids)
            yield list_snapshot(order.id, stop, target)
    every = ledger._replace(orders=(*ledger.past, *ledger.orders))
    for signal in every.signals() if legs else ():
        known = len(every.of(signal, "protection"))
        for attempt in range(1, known + AHEAD):
            stop, target = (legs.pop(id, None) for id in leg_ids(ledger.run, signal, attempt))
            if stop is not None or target is not None:
                yield list_snapshot(
                    client_id(ledger.run, signal, "protection", attempt), stop, target
                )
    yield from legs.values()


def _with_snapshot(ledger: OrderLedger, snapshot: OrderSnapshot, now: Time) -> OrderLedger:
    """Heal: an order is further than the ledger knows, or is ours and not in it."""
    order = ledger.order(snapshot.id)
    if order is None:
        past = next((order for order in ledger.past if order.id == snapshot.id), None)
        if past is not None:
            return _from_past(ledger, past, snapshot, now)
        order = adopted(ledger, snapshot)
        late = adopted(ledger._replace(orders=ledger.past), snapshot) if order is None else None
        if late is not None and (snapshot.ending is None or snapshot.filled):
            words = f"order {late.id} of a position that was over has come"
            ledger, order = _taken_back(ledger, late.signal_id, words), late
        if order is None:
            resting = "rests" if snapshot.ending is None else "traded" if snapshot.filled else ""
            return (
                stopped(ledger, f"order {snapshot.id} of an unknown signal {resting}")
                if resting
                else ledger
            )
    elif is_copy(order, snapshot):
        return copied(ledger, order, snapshot, now)
    return ledger.with_order(shown(order, snapshot, now))


def _from_past(ledger: OrderLedger, past: Order, snapshot: OrderSnapshot, now: Time) -> OrderLedger:
    """Take an order back that was proved to be over and has moved after all."""
    if snapshot.exchange_id == past.exchange_id and snapshot.filled <= past.filled:
        return ledger
    if not snapshot.filled and snapshot.ending is not None:
        return ledger
    words = f"order {past.id} was over and has filled since"
    ledger = _taken_back(ledger, past.signal_id, words)
    if is_copy(past, snapshot):
        return copied(ledger, past, snapshot, now)
    return ledger.with_order(shown(past, snapshot, now))


def _taken_back(ledger: OrderLedger, signal: str, words: str) -> OrderLedger:
    """Return the ledger with a position that was over and is not: what is left of it is sold."""
    again = tuple(order for order in ledger.past if order.signal_id == signal)
    rest = tuple(order for order in ledger.past if order.signal_id != signal)
    return stopped(ledger._replace(orders=(*again, *ledger.orders), past=rest), words)


def _has_news(
    ledger: OrderLedger, fills: tuple[Fill, ...], foreign: list[Fill], venue: Venue
) -> bool:
    """Tell whether there is a trade of an order that lives which is not known, or one of others.

    A trade of others may be of an order of ours that nobody here knows, or a sale of our pieces.
    Those before the last full look are judged, but for what its balance may not have had.
    """
    since = (ledger.checked_at or 0) - venue.balance_ms
    known = {fill.id for order in ledger.orders for fill in order.fills}
    names = {id for order in ledger.orders for id in order.trading_ids}
    return (
        any(fill.at > since for fill in foreign)
        or any(fill.exchange_id in names and fill.id not in known for fill in fills)
        or (len(fills) >= NEWEST_TRADES and all(fill.at > since for fill in fills))
    )


def _with_trades(ledger: OrderLedger, fills: tuple[Fill, ...]) -> tuple[OrderLedger, list[Fill]]:
    """Apply each trade of ours once; return those of others too."""
    mine, foreign = _split(ledger, fills)
    for id, some in mine.items():
        ledger = _compared(ledger, id, some)
        order = ledger.order(id)
        if order is None:
            continue
        after = with_fills(order, tuple(some))
        if after.filled > order.filled and not order.is_done:  # its status was read before
            after = after._replace(query_due=True)
        ledger = ledger.with_order(after)
    return ledger, foreign


def _split(
    ledger: OrderLedger, fills: tuple[Fill, ...]
) -> tuple[dict[str, list[Fill]], list[Fill]]:
    """Return trades of ours by the id of their order, and those of others."""
    owners = {id: order.id for order in (*ledger.past, *ledger.orders) for id in order.trading_ids}
    mine: dict[str, list[Fill]] = {}
    foreign = []
    for fill in fills:
        owner = owners.get(fill.exchange_id)
        if owner is None:
            foreign.append(fill)
        else:
            mine.setdefault(owner, []).append(fill)
    return mine, foreign


def _compared(ledger: OrderLedger, id: str, fills: list[Fill]) -> OrderLedger:
    """Ask a person about trades of an order that have other numbers than they had."""
    orders = (order for order in (*ledger.past, *ledger.orders) if order.id == id)
    known = {fill.id: fill for order in orders for fill in order.fills}
    if all(known.get(fill.id, fill).is_same(fill) for fill in fills):
        return ledger
    return _unexplained(ledger, f"a trade of order {id} has other numbers than before")


def _without_absent(
    ledger: OrderLedger, overview: Overview, venue: Venue, now: Time
) -> OrderLedger:
    """End what two queries, the orders and the trades do not know; look at what rests no more."""
    listed = {snapshot.id for snapshot in overview.orders}
    for order in ledger.orders:
        if order.is_done or not listed.isdisjoint((order.id, *order.leg_ids)):
            continue
        if (
            order.misses >= 2
            and order.missed_at is not None
            and overview.asked_at >= order.missed_at
        ):
            ledger = ledger.with_order(
                order._replace(state="done", ending="absent", done_at=now, query_due=False)
            )
    return _without_resting(ledger, listed, overview.asked_at, venue)


def _against_balance(
    ledger: OrderLedger,
    overview: Overview,
    foreign: list[Fill],
    venue: Venue,
    market: OrderMarket,
    now: Time,
) -> OrderLedger:
    """Follow a balance below what is held: somebody sold; seen twice, since balances come late."""
    held = {signal: held_quantity(ledger, signal, market) for signal in ledger.signals()}
    everything = sum(held.values(), ledger.dust)
    missing = everything - overview.base
    moving = any(order.is_in_doubt for order in ledger.orders)
    guessed = any(order.known < order.filled for order in ledger.orders if order.role == "entry")
    if missing <= (market.size_step if guessed else ZERO) or moving:
        return ledger._replace(short_at=None)
    if ledger.short_at is None or ledger.short_held != everything:
        return ledger._replace(short_at=overview.asked_at, short_held=everything)
    if overview.asked_at < ledger.short_at + venue.balance_ms:
        return ledger
    ledger = ledger._replace(short_at=None)
    from_dust = min(ledger.dust, missing)
    ledger, missing = ledger._replace(dust=ledger.dust - from_dust), missing - from_dust
    for signal, pieces in held.items():
        lost = min(pieces, missing)
        if lost > 0:
            ledger = _sold_outside(ledger, signal, lost, foreign, now)
            missing -= lost
    return ledger


def _sold_outside(
    ledger: OrderLedger, signal: str, lost: Decimal, foreign: list[Fill], now: Time
) -> OrderLedger:
    """Book a sale by somebody else at the prices of its trades; what no trade shows is gone."""
    entries = ledger.of(signal, "entry")
    since = min((order.sent_at for order in entries), default=now)
    attempt = len(ledger.of(signal, "outside")) + 1
    sales = _part_of(
        [fill for fill in foreign if fill.side == "sell" and fill.at >= since], ledger, lost
    )
    ending: Ending = "filled"
    why, value = None, sum((fill.quantity * fill.price for fill in sales), ZERO)
    if not sales:
        sold = sum((order.filled for order in entries), ZERO)
        cost = sum((order.value for order in entries), ZERO)
        value = lost * cost / sold if sold else ZERO
        ending, why = "gone", _counted(lost, value)
        ledger = _unexplained(
            ledger, f"{lost} pieces of {signal} are gone, and no trade shows where"
        )
    outside = Order(
        id=f"outside-{signal}-{attempt}", signal_id=signal, role="outside", attempt=attempt,
        side="sell", type="market", quantity=lost, filled=lost, value=value, state="done",
        ending=ending, why=why, done_at=now, sent_at=now, fills=sales,
    )  # fmt: skip
    return ledger.with_order(outside)


def _counted(lost: Decimal, value: Decimal) -> str:
    each = round(value / lost, 8).normalize()
    return (
        f"{lost.normalize():f} pieces are gone and no trade shows where; counted at {each:f} a "
        "piece, which is what they cost: nobody knows what they brought"
    )


def _part_of(sales: list[Fill], ledger: OrderLedger, lost: Decimal) -> tuple[Fill, ...]:
    """Return of sales by others the part that was `lost` pieces here; empty: they do not show it.

    The owner may have sold coins of his own in the same trades: of each the same share is taken,
    with that share of its fee, and of a trade only what no other position was booked with. A fee
    that was taken in pieces left the account too.
    """
    rest = []
    for fill in sales:
        there = _left_by(fill)
        used = sum(
            (
                _left_by(part)
                for order in (*ledger.past, *ledger.orders)
                if order.role == "outside"
                for part in order.fills
                if part.id == fill.id
            ),
            ZERO,
        )
        if there > used:
            rest.append((fill, there, there - used))
    gone = sum((free for _, _, free in rest), ZERO)
    if gone < lost:
        return ()
    parts, missing = [], lost
    for number, (fill, there, free) in enumerate(rest, 1):
        taken = missing if number == len(rest) else _digits(free * lost / gone)
        missing -= taken
        if taken > 0:
            parts.append(_share_of(fill, taken, there))
    return tuple(parts)


def _left_by(fill: Fill) -> Decimal:
    """Return the pieces that left an account by a sale."""
    return fill.quantity + (fill.fee if fill.fee_in == "base" else ZERO)


def _share_of(fill: Fill, pieces: Decimal, there: Decimal) -> Fill:
    """Return a sale as if `pieces` of those that left by it were all."""
    if pieces == there:
        return fill
    fee = _digits(fill.fee * pieces / there)
    worth = None if fill.fee_value is None else _digits(fill.fee_value * pieces / there)
    quantity = pieces - fee if fill.fee_in == "base" else pieces
    return fill._replace(quantity=quantity, fee=fee, fee_value=worth)


def _digits(value: Decimal) -> Decimal:
    """Round down to digits that no exchange has: sums of parts stay exact."""
    return value.quantize(_FINEST, rounding=ROUND_DOWN)


def with_unknown_position(ledger: OrderLedger, wanted: DesiredPosition) -> OrderLedger:
    """Ask a person about a position that no order here has bought: the document was edited."""
    if wanted.want != "hold" or ledger.of(wanted.signal_id, "entry"):
        return ledger
    return _unexplained(ledger, f"no order here has bought the position {wanted.signal_id}")


def _unexplained(ledger: OrderLedger, words: str) -> OrderLedger:
    if words in ledger.unexplained or words in ledger.accepted:
        return ledger
    return ledger._replace(unexplained=(*ledger.unexplained, words))
