"""The rule of each row of reconciliation, switched off."""

from __future__ import annotations

from typing import Any

from tests.laws.mutants import Mutant, always, rewritten
from tradenb.core.orders.answers import Refused, Unclear
from tradenb.core.orders.client_ids import own_role

ORDERS = "tradenb.core.orders"


def off(name: str, place: str, change: Any) -> Mutant:
    return Mutant(name, f"{ORDERS}.{place}" if place[0].islower() else place, change)


def _all_of_the_account(right: Any) -> Any:
    def wrong(ledger: Any, signal_id: str, market: Any) -> Any:
        held = right(ledger, signal_id, market)
        return held + 2 if held > 0 else held

    return wrong


NOTHING_FILLED = off(
    "what an order shows to be filled is not believed",
    "snapshots:with_filled",
    always(lambda order, filled, value: order),
)
NO_TRADES = off(
    "trades are not read", "reconciliation.reconcile:_with_trades", always(lambda led, _: (led, []))
)
NO_BALANCE = off(
    "no balance is read", "reconciliation.reconcile:against_balance", always(lambda led, *_: led)
)
NO_STOP = off("nothing disarms", "reconciliation.reconcile:stopped", always(lambda led, words: led))
DUST_IS_LOST = off(
    "dust is lost",
    "apply:_with_dust",
    rewritten("dust=ledger.dust + rest", "dust=ledger.dust"),
)
NO_GATE = Mutant(
    "nothing is refused", "tradenb.brokers.arming.armed_account:gate", always(lambda *_: ())
)
UNREAD = off(
    "an account that was not read is armed",
    "next_action:_enter",
    rewritten("or not ledger.checked_at\n        or ledger.check_due\n        ", ""),
)

ONLY_ENTRIES = off(
    "trades of entries alone are compared",
    "reconciliation.reconcile:_compared",
    rewritten("if order.id == id", "if order.id == id and order.role == 'entry'"),
)
ALL_OURS = off(
    "foreign trades are ours",
    "reconciliation.reconcile:_split",
    rewritten(
        "owner = owners.get(fill.exchange_id)",
        "owner = owners.get(fill.exchange_id) or next(iter(owners.values()), None)",
    ),
)
NOBODY_ASKS = Mutant(
    "nobody asks",
    "tradenb.brokers.order_manager:with_unknown_position",
    always(lambda led, wanted: led),
)
ONE_LOOK = off(
    "a look that failed is not made again",
    "next_action:check_at",
    always(lambda ledger: 0 if ledger.check_failed_at is None else 1 << 60),
)

MUTANTS: dict[str, tuple[Mutant, ...]] = {
    "1 our order is further": (NOTHING_FILLED, NO_TRADES),
    "2 a doubt: it is there": (
        off("nothing in doubt is asked for", "next_action:_settle", always(lambda now: None)),
        off(
            "what is shown is not taken",
            "reconciliation.reconcile:_with_snapshot",
            always(lambda led, *_: led),
        ),
    ),
    "3 a doubt: it is absent": (
        off(
            "nothing is ever absent",
            "apply:_not_found",
            rewritten("misses=order.misses + 1", "misses=0"),
        ),
    ),
    "4 a resting order is nowhere": (
        off(
            "nothing is ended",
            "reconciliation.reconcile:_without_absent",
            always(lambda led, *_: led),
        ),
    ),
    "5 a status without trades": (NOTHING_FILLED,),
    "5 trades without a status": (NO_TRADES,),
    "6 the same trade again": (
        off(
            "a trade counts each time",
            "reconciliation.reconcile:with_fills",
            rewritten("if fill.id not in known:", "if True:"),
        ),
    ),
    "6 a trade with other numbers": (
        off(
            "numbers are not compared",
            "reconciliation.reconcile:_compared",
            rewritten("known.get(fill.id, fill).is_same(fill)", "True"),
        ),
    ),
    "6 a trade of a part with other numbers": (ONLY_ENTRIES,),
    "6 a trade of the protection with other numbers": (ONLY_ENTRIES,),
    "6 a trade of the exit with other numbers": (
        off(
            "what is over is not compared",
            "reconciliation.reconcile:_compared",
            rewritten("(*ledger.past, *ledger.orders)", "ledger.orders"),
        ),
    ),
    "7 an order not written down": (
        off("nothing is adopted", "reconciliation.reconcile:adopted", always(lambda *_: None)),
    ),
    "7 an order of nobody": (NO_STOP,),
    "7 an order of nobody that filled": (NO_STOP,),
    "8 foreign trades": (ALL_OURS,),
    "8 more foreign trades than a look reads": (ALL_OURS,),
    "8 a foreign order": (
        off("foreign orders are ours", "reconciliation.reconcile:is_ours", always(lambda _: True)),
        off(
            "all have a role",
            "reconciliation.reconcile:role_of",
            always(lambda id: own_role(id) or "entry"),
        ),
    ),
    "9 a sale by hand": (NO_BALANCE,),
    "9 pieces are gone": (NO_BALANCE,),
    "10 more pieces": (
        off("all of the account is sold", "reducing:held_quantity", _all_of_the_account),
    ),
    "13 no protection": (
        off(
            "what was sent protects",
            "next_action:covering",
            always(lambda ledger, signal, *_: (*ledger.of(signal, "protection"), None)[0]),
        ),
    ),
    "14 two protections": (
        off(
            "the older one is cancelled",
            "next_action:_hold",
            rewritten("keep=protection", "keep=[*ledger.live(signal)][-1]"),
        ),
    ),
    "16 an order while idle": (
        off(
            "the past is forgotten",
            "reconciliation.reconcile:_with_snapshot",
            rewritten("if late is not None and", "if False and"),
        ),
    ),
    "17 no entry": (NOBODY_ASKS,),
    "17 no entry, and the journal knows it": (
        Mutant(
            "no journal is read",
            "tradenb.store.journal.order_journal:OrderJournal.recovered",
            always(lambda _, body: {**body}),
        ),
    ),
    "17 no entry, and no journal": (NOBODY_ASKS,),
    "18 a fee in pieces": (
        off("fees in pieces are forgotten", "ledger:base_fee", always(lambda *_: 0)),
    ),
    "18 a fee in a third coin": (
        off(
            "a fee in a third coin is one in pieces",
            "ledger:base_fee",
            rewritten('fees_in(order, "base")', 'fees_in(order, "base") + fees_in(order, "other")'),
        ),
    ),
    "19 dust": (DUST_IS_LOST,),
    "20 too small to sell": (DUST_IS_LOST,),
    "21 no money": (NO_GATE,),
    "21 no balance": (NO_GATE, UNREAD),
    "22 other steps": (
        off("pieces are not on the step", "venue:OrderMarket.pieces", always(lambda _, want: want)),
    ),
    "22 a halt": (
        Mutant(
            "a refusal proves nothing",
            "tradenb.testing.orders.venue_port:after_submit",
            always(lambda id, ended, venue: Unclear(id, ended.text)),
        ),
    ),
    "23 the key is revoked": (
        off("nothing disarms", "apply:stopped", always(lambda led, words: led)),
    ),
    "24 maintenance": (
        ONE_LOOK,
        off("no light look goes on", "next_action:_look_due", always(lambda now: 1 << 60)),
    ),
    "24 maintenance at a full look": (ONE_LOOK,),
    "24 the time goes back": (
        Mutant(
            "what was later is waited for",
            "tradenb.brokers.order_manager:rewound",
            always(lambda ledger, now: ledger),
        ),
    ),
    "24 maintenance at the entry": (
        NO_GATE,
        UNREAD,
        Mutant(
            "an answer without a proof is a refusal",
            "tradenb.testing.orders.venue_port:after_submit",
            always(lambda id, ended, venue: Refused(id, ended.text)),
        ),
    ),
    "25 two orders under one id": (
        off("a copy is not seen", "reconciliation.reconcile:is_copy", always(lambda *_: False)),
    ),
}
"""By name of the row; all of a row at once."""
