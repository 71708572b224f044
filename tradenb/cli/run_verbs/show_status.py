"""`tradenb status`: the runs under a home; only reads their files."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tradenb.cli.options import add_common, answer, table

if TYPE_CHECKING:
    from tradenb.live.status.run_status import RunStatus


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "status",
        help="list the live runs under a home",
        description="List the runs under a home; only reads their files. Exits with 1 if a live "
        "run needs you: an open position that no process watches, an error, or no tick for "
        "minutes.",
    )
    add_common(parser, run)


def run(options: argparse.Namespace) -> int:
    """List the runs; 1 if one of them needs the user."""
    from tradenb.brokers.status.order_account import order_accounts
    from tradenb.clock import wall_ms
    from tradenb.live.status.listing import account_statuses, rows_of, statuses
    from tradenb.store.control import kill_switch
    from tradenb.store.filesystem import DiskFilesystem
    from tradenb.store.paths import find_home

    home = find_home(options.home)
    found = list(statuses([], home))
    disk = DiskFilesystem(durable=False)
    kill = kill_switch(disk, home.kill)
    facts = {"home": str(home.root), "kill": kill, "runs": rows_of(found)}
    head = ("id", "mode", "status", "state", "last tick (UTC)", "last error")
    words = table([head, *map(_line, found)]) if found else f"no runs under {home.root}"
    accounts = [f"account {each}" for each in account_statuses(found)]
    sending = [(status, status.orders) for status in found if status.orders is not None]
    now = wall_ms()
    at_exchange = order_accounts(disk, home, [orders for _, orders in sending], now)
    facts["accounts"] = [each.record() for each in at_exchange]
    accounts += [f"{each.name}: {each.state}; {', '.join(each.used)}" for each in at_exchange]
    accounts += [f"{status.id}: {'; '.join(orders.words)}" for status, orders in sending]
    accounts += [f"{status.id}: ALARM {each.text}" for status, o in sending for each in o.alarms]
    if kill is not None:
        accounts.append(f"kill switch on ({kill}): no entries; remove {home.kill} to trade again")
    needs = [status for status in found if status.mode == "live" and status.trouble]
    unwatched = [f"{status.id}: {status.trouble}" for status in needs if status.unwatched]
    answer(facts, "\n".join([words, *accounts, *unwatched]), as_json=options.json)
    return 1 if needs else 0


def _line(status: RunStatus) -> tuple[str, ...]:
    from tradenb.core.timeframe import iso

    silence = f", nothing new for {(status.age_s or 0) // 60:.0f} min" if status.silent else ""
    return (
        status.id,
        status.mode,
        status.status_text + silence,
        "" if status.state is None else status.holds,
        iso(status.last_tick) if status.last_tick else "",
        status.last_error,
    )
