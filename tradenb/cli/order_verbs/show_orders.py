"""`tradenb orders [NAME]`: the orders of runs, from their documents."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tradenb.cli.options import add_common, answer, lost_of, named, table
from tradenb.errors import unknown

if TYPE_CHECKING:
    from tradenb.live.status.run_status import RunStatus


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "orders",
        help="list the orders of runs with a broker",
        description="Orders that live come first, then the last 20 that are done. Read from the "
        "state on disk: no exchange is asked. Exits with 1 while an alarm is on, or where the "
        "state of a run that had orders cannot be read.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="SYMBOL:strategy, or a part of it")
    add_common(parser, run)


def run(options: argparse.Namespace) -> int:
    """List them; 1 while an alarm is on."""
    from tradenb.live.status.listing import lost_orders, statuses
    from tradenb.store.paths import find_home

    home = find_home(options.home)
    every = [status for status in statuses([], home) if status.orders is not None]
    found = every if options.name is None else named(options.name, every, lambda each: each.id)
    lost = lost_of(options.name, lost_orders(home))
    if options.name is not None and not found and not lost:
        ids = [status.id for status in every]
        raise unknown("run with orders", options.name, ids, hint=f"under {home.root}")
    words = [*map(_words, found), *lost] or [f"no run under {home.root} sends orders"]
    facts = {"home": str(home.root), "runs": [*map(_facts, found)], "lost": lost}
    answer(facts, "\n\n".join(words), as_json=options.json)
    return 1 if lost or any(each.orders and each.orders.alarms for each in found) else 0


def _words(status: RunStatus) -> str:
    from tradenb.view.order_rows import ORDER_HEAD, order_row

    orders = status.orders
    if orders is None:
        return ""
    head = f"{status.id}, {orders.account}: {'; '.join(orders.words)}"
    alarms = [f"ALARM {each.text}" for each in orders.alarms]
    rows = table([ORDER_HEAD, *map(order_row, orders.orders)]) if orders.orders else "no orders yet"
    return "\n".join([head, *alarms, rows])


def _facts(status: RunStatus) -> dict[str, Any]:
    orders = status.orders
    if orders is None:
        return {}
    return {
        "id": status.id,
        "account": orders.account,
        "protection": [
            {"held": str(each.held), "stop": None if each.stop is None else str(each.stop),
             "unprotected_since": each.since, "seen_at": each.seen_at, "words": str(each)}
            for each in orders.shields
        ],
        "alarms": [{**each._asdict(), "text": each.text} for each in orders.alarms],
        "unknown": [each.id for each in orders.in_doubt],
        "checked_at": orders.checked_at,
        "orders": [
            {
                name: None if value is None else value if isinstance(value, int) else str(value)
                for name, value in each._asdict().items()
                if name not in ("fills", "legs", "leg_ids")
            }
            for each in orders.orders
        ],
    }  # fmt: skip
