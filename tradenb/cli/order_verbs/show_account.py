"""`tradenb account [ACCOUNT]`: permission, limits used and balances, from files alone."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tradenb.cli.options import add_common, answer, lost_of, named, table

if TYPE_CHECKING:
    from tradenb.brokers.status.order_account import OrderAccount


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "account",
        help="show the accounts that runs send orders to",
        description="Permission, limits used, balances and the last reconciliation, as the runs "
        "have written them down: no exchange is asked. Exits with 1 if an account was disarmed "
        "by a rule, or what its runs have cannot be read.",
    )
    parser.add_argument(
        "account", nargs="?", metavar="ACCOUNT", help="such as live:binance:1a2b3c4d, or a part"
    )
    add_common(parser, run)


def run(options: argparse.Namespace) -> int:
    """Show them; 1 if one needs the user."""
    from tradenb.brokers.status.order_account import order_accounts
    from tradenb.clock import wall_ms
    from tradenb.errors import unknown
    from tradenb.live.status.listing import lost_orders, statuses
    from tradenb.store.filesystem import DiskFilesystem
    from tradenb.store.paths import find_home

    home, disk = find_home(options.home), DiskFilesystem(durable=False)
    runs = [
        status.orders
        for status in statuses([], home)
        if status.orders is not None and status.mode == "live"
    ]
    every = order_accounts(disk, home, runs, wall_ms())
    found = every if options.account is None else named(options.account, every, lambda a: a.name)
    if options.account is not None and not found:
        names = [each.name for each in every]
        raise unknown("account", options.account, names, hint=f"under {home.root}")
    lost = lost_of(None, lost_orders(home))  # of any account: the state has its name
    words = [*map(_words, found), *lost] or [f"no run under {home.root} sends orders"]
    facts = {"home": str(home.root), "accounts": [each.record() for each in found], "lost": lost}
    answer(facts, "\n\n".join(words), as_json=options.json)
    return 1 if lost or any(each.tripped or each.unreadable for each in found) else 0


def _words(account: OrderAccount) -> str:
    rows = [
        (account.name, account.state),
        ("used", ", ".join(account.used)),
        ("balance", account.balance),
        ("checked", account.checked),
    ]
    return table(rows)
