"""`next_action`: the desired position and the ledger in, the one next action out.

The table, the first line that applies:

1. An order is in doubt, is being cancelled or must be looked at: query it. Nothing is sent before
   its end is known; spot locks the pieces of a resting order, so nothing could be.
2. A full reconciliation is due: at a start, after doubts and refusals.
3. Orders or pieces of another signal: cancel them, sell them.
4. Enter: tell why not, or send the one entry of this signal. Never a second one.
5. Enter or hold: tell that it was entered, what was sold, that all is gone; sell a part; protect
   what is held.
6. Exit: cancel the protection, look at how it ended, sell what is still held.
7. A light look is due: read what rests, and what was traded.

Each line looks at what is known and not at what was done before, so the table is all there is to a
start, a restart, a reconnect and a kill.
"""

from __future__ import annotations

from typing import Final

from tradenb.core.orders.ledger import is_over
from tradenb.core.orders.order_actions import (
    OrderAction,
    Query,
    QueryOpen,
    Tell,
    Wait,
)
from tradenb.core.orders.order_records import ZERO, Order
from tradenb.core.orders.outcomes import WAITS, query_at
from tradenb.core.orders.protection import (
    covering,
    is_in_place,
    protective_order,
    uncovered_since,
)
from tradenb.core.orders.reducing import (
    Situation,
    cancel_live,
    check_at,
    leave,
    reconcile_all,
    reduce,
    sale_reason,
    send,
    trades_first,
)
from tradenb.core.orders.venue import stepped
from tradenb.core.signal import Time
from tradenb.core.timeframe import MINUTE

LATE_ENTRY: Final = 30_000
"""An entry that is not sent so long after its decision, ms, is not sent at all."""
STOP_GRACE: Final = 5_000
"""So long the exchange may take to sell at a stop that a candle has touched, ms."""
UNPROTECTED_EXIT: Final = 30_000
"""A position without protection for so long, ms, is sold."""
WATCH_EVERY: Final = 15_000
"""Between light looks while something rests, ms."""
IDLE_EVERY: Final = MINUTE
"""Between light looks while nothing does, ms."""
CHECK_EVERY: Final = 600_000
QUERIES_BEFORE_CHECK: Final = 3
"""After so many queries that changed nothing all is looked at: it may show why."""
CHECKS_BEFORE_EXITS: Final = 3
"""After so many failed reconciliations reducing orders are sent without one."""
_STOPS: Final = frozenset({"stop_loss", "trailing_stop", "breakeven"})


def next_action(now: Situation) -> OrderAction:
    """Return the one next thing to do.

    Examples
    --------
    A new process looks at the exchange first:

    >>> from decimal import Decimal
    >>> from tradenb.core.orders.order_records import FLAT
    >>> from tradenb.core.orders.ledger import OrderLedger
    >>> from tradenb.core.orders.reducing import Situation
    >>> from tradenb.core.orders.venue import BINANCE_SPOT, OrderMarket
    >>> market = OrderMarket(price_step=Decimal("0.01"), size_step=Decimal("0.001"))
    >>> ledger = OrderLedger("paper BTCUSDT dip 0", started_at=1_000_000)
    >>> next_action(Situation(FLAT, ledger, BINANCE_SPOT, market, Decimal(100), 1_000_000))
    Reconcile(since=940000)
    """
    return (
        _settle(now)
        or _check(now)
        or _others(now)
        or _follow(now)
        or _look(now)
        or Wait(max(now.now + 1, min(max(_check_due(now), check_at(now.ledger)), _look_due(now))))
    )


def _settle(now: Situation) -> OrderAction | None:
    """Line 1: doubts, cancels and looks that are due."""
    ledger, waits = now.ledger, []
    for order in ledger.orders:
        if not order.is_unsettled:
            continue
        if order.misses >= 2:
            waits.append(check_at(ledger))
            if now.now >= waits[-1]:
                return reconcile_all(ledger)
            continue
        if order.queries >= QUERIES_BEFORE_CHECK and ledger.check_due:
            waits.append(check_at(ledger))
            if now.now >= waits[-1]:
                return reconcile_all(ledger)
        due = query_at(order, now.venue)
        if now.now >= due:
            return Query(order)
        waits.append(due)
    return Wait(min(waits)) if waits else None


def _check(now: Situation) -> OrderAction | None:
    """Line 2: the full reconciliation before the next order."""
    due, retry = _check_due(now), check_at(now.ledger)
    if now.now < due:
        return None
    if now.now >= retry:
        return reconcile_all(now.ledger)
    return None if now.ledger.checks_failed >= CHECKS_BEFORE_EXITS else Wait(retry)


def _check_due(now: Situation) -> Time:
    """Return when the next full reconciliation is due."""
    ledger = now.ledger
    if ledger.check_due or ledger.checked_at is None:
        return 0
    times = [ledger.checked_at + CHECK_EVERY]
    if ledger.short_at is not None:
        times.append(ledger.short_at + now.venue.balance_ms)
    for order in (*ledger.past, *ledger.orders):
        # An entry that was copied on the way shows when its request has died.
        surely = order.dies_at + now.venue.visible_ms + 1
        if order.role == "entry" and order.ending != "not_sent" and ledger.checked_at < surely:
            times.append(surely)
    return min(times)


def _others(now: Situation) -> OrderAction | None:
    """Line 3: what is left of other signals."""
    for signal in now.ledger.signals():
        if signal == now.wanted.signal_id or is_over(now.ledger, signal, now.market):
            continue
        action = leave(now, signal, "flattened")
        if action is not None:
            return action
    return None


def _follow(now: Situation) -> OrderAction | None:
    """Lines 4 to 6: the signal that is wanted."""
    wanted, ledger = now.wanted, now.ledger
    if wanted.want == "flat":
        return None
    if ledger.told(wanted.signal_id, "exited", "not_entered"):
        over = is_over(ledger, wanted.signal_id, now.market)
        return None if over else leave(now, wanted.signal_id, "flattened")
    entries = ledger.of(wanted.signal_id, "entry")
    if not entries:
        if wanted.want == "exit":
            return Tell("not_entered", wanted.signal_id, "flattened")
        return _enter(now) if wanted.want == "enter" else None
    if not ledger.told(wanted.signal_id, "entered"):
        resting = next((entry for entry in entries if not entry.is_done), None)
        return (
            _tell_entry(now, entries[-1]) if resting is None else cancel_live(now, wanted.signal_id)
        )
    if wanted.want == "exit":
        return _wait_for_stop(now) or leave(now, wanted.signal_id, wanted.reason)
    return _hold(now)


def _enter(now: Situation) -> OrderAction:
    wanted, ledger = now.wanted, now.ledger
    if wanted.since < ledger.started_at or now.now > wanted.since + LATE_ENTRY:
        return Tell("not_entered", wanted.signal_id, "late")
    if (
        now.refused
        or not ledger.checked_at
        or ledger.check_due
        or ledger.unexplained
        or ledger.stops
    ):
        unsure = not ledger.checked_at or ledger.check_due
        unread = "the exchange could not be reconciled" if unsure else ""
        words = (now.refused, unread, *ledger.unexplained, *ledger.stops)
        return Tell("not_entered", wanted.signal_id, "limits", "; ".join(filter(None, words)))
    pieces = now.market.pieces(wanted.quantity)
    limit = None if wanted.limit is None else stepped(wanted.limit, now.market.price_step)
    if pieces < now.market.least(limit or now.price):
        few = f"{pieces} pieces at {limit} are too few for an order"
        return Tell("not_entered", wanted.signal_id, "limits", few)
    return send(now, wanted.signal_id, "entry", "ioc", pieces, price=limit)


def _tell_entry(now: Situation, entry: Order) -> OrderAction:
    signal = now.wanted.signal_id
    if entry.filled > 0:
        return Tell("entered", signal)
    reason = {"absent": "absent", "refused": "refused", "not_sent": "not_sent"}
    return Tell("not_entered", signal, reason.get(entry.ending or "", "unfilled"), entry.why or "")


def _hold(now: Situation) -> OrderAction | None:
    """Line 5: keep what is held protected."""
    wanted, ledger, signal = now.wanted, now.ledger, now.wanted.signal_id
    held = now.held(signal)
    leaving = ledger.of(signal, "exit")
    bare = covering(ledger, signal, held, now.market) is None
    if leaving or (bare and not now.can_sell(held)):
        return leave(now, signal, leaving[-1].reason if leaving else "")
    sold = _tell_part(now, signal)
    if sold is not None and trades_first(now, signal) is None:
        return sold
    uncovered = uncovered_since(ledger, signal, held, now.market)
    if uncovered is not None and now.now - uncovered > UNPROTECTED_EXIT:
        return leave(now, signal, "unprotected")
    # While the entry is not heard of it is the size of the entry, and says nothing of a part.
    keeps_less = wanted.want == "hold" and wanted.quantity > 0
    part = held - wanted.quantity if keeps_less else ZERO
    if now.can_sell(part):
        if now.market.pieces(wanted.quantity) < now.market.least(wanted.stop):
            part = held  # no order could protect what would be left
        return cancel_live(now, signal) or reduce(now, signal, "part", part, wanted.reason)
    protection = covering(ledger, signal, held, now.market)
    if protection is not None and is_in_place(protection, wanted, now.venue, now.market, now.now):
        second = cancel_live(now, signal, keep=protection)
        if second is not None or sold is not None:
            return second or trades_first(now, signal)
        return None
    cancel = cancel_live(now, signal)
    if cancel is not None:
        return cancel
    attempts = ledger.of(signal, "protection")
    if attempts and attempts[-1].ending == "would_trigger":
        beyond = wanted.target is not None and now.price >= wanted.target
        return leave(now, signal, "take_profit" if beyond else "stop_loss")
    kind, pieces, limit, trigger = protective_order(wanted, held, now.venue, now.market)
    if pieces < now.market.least(trigger):  # worth too little at the stop for an order there
        return leave(now, signal, "unprotected")
    return reduce(now, signal, "protection", pieces, kind=kind, price=limit, trigger=trigger)


def _tell_part(now: Situation, signal: str) -> Tell | None:
    """Tell what was sold of a position of which something is left."""
    told = sum(
        (
            report.quantity
            for report in now.ledger.reports
            if _left(report.kind, report.signal_id, signal)
        ),
        ZERO,
    )
    sales = [
        order for order in now.ledger.orders if order.signal_id == signal and order.side == "sell"
    ]
    if sum((order.filled for order in sales), ZERO) > told:
        return Tell("reduced", signal, sale_reason(sales))
    return None


def _left(kind: str, of: str, signal: str) -> bool:
    return of == signal and kind == "reduced"


def _wait_for_stop(now: Situation) -> OrderAction | None:
    """Wait for the exchange where a candle touched the stop: it may be about to sell, or has."""
    wanted = now.wanted
    if wanted.reason not in _STOPS:
        return None
    held = now.held(wanted.signal_id)
    protection = covering(now.ledger, wanted.signal_id, held, now.market)
    if protection is None or held < now.market.size_step:
        return None
    seen = protection.seen_at or 0
    grace = wanted.since + STOP_GRACE
    if seen < wanted.since or (now.now >= grace and seen < grace):
        due = query_at(protection, now.venue)
        return Query(protection) if now.now >= due else Wait(due)
    return Wait(grace) if now.now < grace else None


def _look(now: Situation) -> OrderAction | None:
    """Line 7: what rests, and once a minute the newest trades, while there may be some of ours."""
    if now.now < _look_due(now):
        return None
    ledger = now.ledger
    begins = (ledger.looked_at or 0) // MINUTE < now.now // MINUTE or ledger.looks_failed > 0
    ended_at = max((order.done_at or 0 for order in ledger.past), default=0)
    return QueryOpen(trades=begins and (bool(ledger.orders) or now.now < ended_at + CHECK_EVERY))


def _look_due(now: Situation) -> Time:
    """Return when the next light look is due."""
    ledger, looked = now.ledger, now.ledger.looked_at or 0
    if ledger.looks_failed:
        return looked + WAITS[min(ledger.looks_failed, len(WAITS)) - 1]
    seen = [order.seen_at or 0 for order in ledger.orders if not order.is_done]
    return max(looked, min(seen)) + WATCH_EVERY if seen else looked + IDLE_EVERY
