"""Wrong order machines, one for each rule of docs/orders.md; test_order_lives.py catches each."""

from __future__ import annotations

from typing import Any

from tests.laws.mutants import Function, Mutant, rewritten

ORDERS = "tradenb.core.orders"
LIFE = "tests.order_lives.order_life"
PORT = "tradenb.testing.orders.venue_port"


def _nothing_is_in_doubt(right: Function) -> Function:
    def wrong(ledger: Any, now: int) -> Any:
        after = right(ledger, now)
        sending = {order.id for order in ledger.orders if order.state == "sending"}
        return after._replace(
            orders=tuple(order for order in after.orders if order.id not in sending)
        )

    return wrong


def _all_of_the_account(right: Function) -> Function:
    def wrong(ledger: Any, signal_id: str, market: Any) -> Any:
        held = right(ledger, signal_id, market)
        return held + 2 if held > 0 else held

    return wrong


_FIRST_MISS = Mutant(
    "R4: the first query that finds nothing proves it",
    f"{ORDERS}.apply:_not_found",
    rewritten(
        "if now >= proof_at(order.dies_at, venue) and apart:\n"
        "        order = order._replace(misses=order.misses + 1, missed_at=now, queries=0)",
        "if True:\n        order = order._replace(\n"
        "            state='done', ending='absent', done_at=now, query_due=False\n        )",
    ),
)
_NO_LOOK = Mutant(
    "R8: a refusal is no reason to look",
    f"{ORDERS}.apply:_refused",
    rewritten(
        "return ledger._replace(orders=orders, check_due=True, refusals",
        "return ledger._replace(refusals",
    ),
)
MUTANTS: list[tuple[Mutant, ...]] = [
    (
        Mutant(
            "R1: an order is sent before it is written",
            f"{LIFE}:OrderLife._submit",
            rewritten("if not self._commit() and order.role", "if False and order.role"),
        ),
    ),
    (
        Mutant(
            "R2: a restart sends again what was being sent",
            f"{LIFE}:restarted",
            _nothing_is_in_doubt,
        ),
    ),
    (
        Mutant(
            "R3: an entry that is absent is sent once more",
            f"{ORDERS}.next_action:_tell_entry",
            rewritten(
                "signal = now.wanted.signal_id\n",
                "signal = now.wanted.signal_id\n"
                "    if entry.ending == 'absent' and entry.attempt < 3:\n"
                "        return send("
                "now, signal, 'entry', 'ioc', entry.quantity, price=entry.price)\n",
            ),
        ),
        _FIRST_MISS,
    ),
    (_FIRST_MISS,),
    (
        Mutant(
            "R5: an end without proof is a refusal",
            f"{PORT}:after_submit",
            lambda _: _refusal,
        ),
    ),
    (
        Mutant(
            "R5: a duplicate is a refusal",
            f"{PORT}:after_submit",
            rewritten("or _says(venue.exists, ended)", ""),
        ),
        _NO_LOOK,
    ),
    (
        Mutant(
            "R6: a cancel is the end",
            f"{ORDERS}.apply:_cancelled",
            rewritten('state="cancelling"', 'state="done", ending="cancelled", done_at=now'),
        ),
    ),
    (
        Mutant(
            "R7: everything in the account is sold",
            f"{ORDERS}.reducing:held_quantity",
            _all_of_the_account,
        ),
    ),
    (_NO_LOOK,),
    (
        Mutant(
            "R9: nobody looks for what an earlier process sent",
            f"{ORDERS}.reducing:_look_first",
            lambda _: lambda now, signal: None,
        ),
        Mutant(
            "nothing is adopted",
            f"{ORDERS}.reconciliation.reconcile:adopted",
            lambda _: lambda *_: None,
        ),
    ),
    (
        Mutant(
            "a list protects whose stop is gone",
            f"{ORDERS}.order_records:Order.stop_is_open",
            lambda _: property(lambda order: order.stands and order.role == "protection"),
        ),
    ),
    (
        Mutant(
            "a position is never protected",
            f"{ORDERS}.next_action:_hold",
            rewritten("if protection is not None and is_in_place", "if True or is_in_place"),
        ),
    ),
    (
        Mutant(
            "a list has the trades of an order with its number",
            f"{ORDERS}.order_records:Order.trading_ids",
            lambda _: property(
                lambda self: (self.exchange_id, *(leg.exchange_id for leg in self.legs))
            ),
        ),
    ),
    (
        Mutant(
            "a trade of others is ours",
            f"{ORDERS}.reconciliation.reconcile:_split",
            rewritten(
                "owner = owners.get(fill.exchange_id)",
                "owner = owners.get(fill.exchange_id) or next(iter(owners.values()), None)",
            ),
        ),
    ),
    (
        Mutant(
            "a trade with other numbers is the same",
            f"{ORDERS}.reconciliation.reconcile:_compared",
            rewritten("known.get(fill.id, fill).is_same(fill)", "True"),
        ),
    ),
    (
        Mutant(
            "trades of entries alone are compared",
            f"{ORDERS}.reconciliation.reconcile:_compared",
            rewritten("if order.id == id", "if order.id == id and order.role == 'entry'"),
        ),
    ),
    (
        Mutant(
            "a trade counts each time it is shown",
            f"{ORDERS}.reconciliation.reconcile:with_fills",
            rewritten("if fill.id not in known:", "if True:"),
        ),
    ),
    (
        Mutant(
            "a report is heard again",
            f"{LIFE}:OrderLife._candle",
            rewritten("if report.seq > heard and", "if"),
        ),
    ),
    (
        Mutant(
            "a balance that is seen once is believed",
            f"{ORDERS}.reconciliation.reconcile:against_balance",
            rewritten(
                "if ledger.short_at is None or ledger.short_held != everything:",
                "ledger = ledger._replace(short_at=0)\n    if False:",
            ),
        ),
    ),
    (
        Mutant(
            "a manual sale is never noticed",
            f"{ORDERS}.reconciliation.reconcile:against_balance",
            rewritten("or moving:", "or True:"),
        ),
    ),
    (
        Mutant(
            "fees in pieces are forgotten",
            f"{ORDERS}.ledger:base_fee",
            lambda _: lambda order, market: 0,
        ),
    ),
    (
        Mutant(
            "protection is placed beside what rests",
            f"{ORDERS}.reducing:cancel_live",
            lambda _: lambda now, signal: None,
        ),
    ),
    (
        Mutant(
            "the second order under one id is overlooked",
            f"{ORDERS}.reconciliation.reconcile:is_copy",
            lambda _: lambda order, snapshot: False,
        ),
    ),
    (
        Mutant(
            "an entry after the kill",
            f"{ORDERS}.next_action:_enter",
            rewritten("now.refused\n        or ", ""),
        ),
    ),
    (
        Mutant(
            "dust is lost",
            f"{ORDERS}.apply:_with_dust",
            rewritten("dust=ledger.dust + rest", "dust=ledger.dust"),
        ),
    ),
]


def _refusal(id: str, ended: Any, venue: Any) -> Any:
    from tradenb.core.orders.answers import Refused

    return Refused(id, ended.text)


PLANS = {
    "R1: an order is sent before it is written": "dying",
    "R2: a restart sends again what was being sent": "dying",
    "R3: an entry that is absent is sent once more": "late",
    "R4: the first query that finds nothing proves it": "late",
    "R5: an end without proof is a refusal": "late",
    "R5: a duplicate is a refusal": "refused",
    "R6: a cancel is the end": "partial",
    "R8: a refusal is no reason to look": "moved",
    "R9: nobody looks for what an earlier process sent": "dying",
    "a balance that is seen once is believed": "late",
    "a list protects whose stop is gone": "partial",
    "a manual sale is never noticed": "moved",
    "a position is never protected": "quiet",
    "a report is heard again": "partial",
    "a trade of others is ours": "traded",
    "a trade with other numbers is the same": "traded",
    "protection is placed beside what rests": "partial",
    "the second order under one id is overlooked": "copied",
    "trades of entries alone are compared": "traded",
}
"""Plan of the lives that catch a mutant soon; of all others careless."""
