"""Reconciliation: orders, trades and balance of the exchange against the ledger.

A full one reads all of them since the oldest order. A light look reads the open orders, which are
judged by the same rules, and the newest trades: one that nobody here knows has all looked at.

What can only be ours is put in (heal). What nobody here can explain is left as it is, named in
`unexplained`, and keeps entries back until a person accepts it. What shows that an assumption of
this package is broken goes to `stops` and disarms the account. Protection stays in all cases.
"""

from __future__ import annotations

from collections.abc import Iterator

from tradenb.core.orders.answers import NEWEST_TRADES, OpenOrders, OrderSnapshot, Overview
from tradenb.core.orders.client_ids import client_id, is_ours, leg_ids, role_of
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_records import DesiredPosition, Fill, Order
from tradenb.core.orders.reconciliation.sold_outside import against_balance
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
    unexplained,
    with_fills,
)
from tradenb.core.orders.venue import OrderMarket, Venue
from tradenb.core.signal import Time


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
    return against_balance(ledger, overview, foreign, venue, market, now)


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
            ledger = _with_late_trades(ledger, id, tuple(some))
            continue
        after = with_fills(order, tuple(some))
        if after.filled > order.filled and not order.is_done:  # its status was read before
            after = after._replace(query_due=True)
        ledger = ledger.with_order(after)
    return ledger, foreign


def _with_late_trades(ledger: OrderLedger, id: str, fills: tuple[Fill, ...]) -> OrderLedger:
    """Put trades in that were shown after the end of their position was told."""
    past = []
    for order in ledger.past:
        after = with_fills(order, fills) if order.id == id else order
        past.append(after if after.filled == order.filled else order)
    return ledger._replace(past=tuple(past))


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
    return unexplained(ledger, f"a trade of order {id} has other numbers than before")


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


def with_unknown_position(ledger: OrderLedger, wanted: DesiredPosition) -> OrderLedger:
    """Ask a person about a position that no order here has bought: the document was edited."""
    if wanted.want != "hold" or ledger.of(wanted.signal_id, "entry"):
        return ledger
    return unexplained(ledger, f"no order here has bought the position {wanted.signal_id}")
