"""Laws of a whole life with orders: P1 and P3 of `tn.parity`, held against the venue."""

from __future__ import annotations

from typing import Any

import tradenb as tn
from tests.laws.mutants import Function, Mutant, rewritten
from tests.order_lives.live_order_life import CASH, LiveOrderLife
from tradenb.core.orders.order_records import ZERO
from tradenb.research.parity.parity_report import Parity


def parity_of(life: LiveOrderLife) -> Parity:
    """What `tn.parity` says of a life that was played."""
    assert life.process is not None, "no process was started"
    return tn.parity(life.process.runs[0], strategy=life.world.wanted[0][1])


def parity_broken(life: LiveOrderLife) -> list[str]:
    """P1: a replay with candles, commands and reports gives the live events. P3: the orders agree.

    Money and pieces are what the account has changed by.
    """
    found = parity_of(life)
    broken = [] if found.replay.equal else [str(found.replay)]
    ledger, world = found.ledger, life.world
    if not ledger.asked:
        broken.append("the venue was not asked")
    broken += ledger.problems
    changes = len(world.venue.trades), world.coins, world.venue.total("USDT") - CASH
    if (ledger.executions, ledger.pieces, ledger.money) != changes:
        made = ledger.executions, ledger.pieces, ledger.money
        broken.append(f"executions, pieces and money are {made}, of the venue {changes}")
    return broken


def _without_fees(right: Function) -> Function:
    def wrong(order: Any, fills: Any) -> Any:
        return right(order, tuple(fill._replace(fee=ZERO) for fill in fills))

    return wrong


def _half_the_fee(right: Function) -> Function:
    def wrong(order: Any, rate: Any) -> Any:
        return right(order, rate) / 2

    return wrong


MUTANTS = (
    Mutant(
        "P1: reports are not recorded",
        "tradenb.live.loop.tick_member:TickMember.hear_orders",
        rewritten("if fresh:", "if False:"),
    ),
    Mutant(
        "P1: every other report is recorded",
        "tradenb.live.loop.tick_member:TickMember.hear_orders",
        rewritten("note_commands(fresh)", "note_commands(fresh if fresh[0].at % 2 else [])"),
    ),
    Mutant(
        "P1: reports are recorded with less pieces",
        "tradenb.research.parity.replay:_at_exchange",
        rewritten(
            "(*state.commands, *reports)",
            "(*state.commands, *(replace(each, values={**each.values, 'quantity': '1'}) for each "
            "in reports))",
        ),
    ),
    Mutant(
        "P3: trades are kept without their fees",
        "tradenb.core.orders.snapshots:with_fills",
        _without_fees,
    ),
    Mutant("P3: half of the fees is told", "tradenb.core.orders.apply:_sale_fees", _half_the_fee),
)
