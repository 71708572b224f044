"""`tradenb status`: the runs under a home, without disturbing them."""

from __future__ import annotations

import argparse
from typing import Any

from tradenb.cli.words import add_home, add_json, show_json, table


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("status", help="list the live runs under a home")
    add_home(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List the runs."""
    from tradenb.core.timeframe import iso
    from tradenb.live.listing import rows_of
    from tradenb.store.paths import find_home

    home = find_home(options.home)
    rows = rows_of([], home)
    if options.json:
        show_json({"home": str(home.root), "runs": rows})
        return 0
    if not rows:
        print(f"no runs under {home.root}")
        return 0
    head = ("id", "mode", "status", "state", "last tick (UTC)", "last error")
    lines = [
        (
            row["id"],
            row["mode"],
            row["status"] + (", stopping" if row["stopping"] else ""),
            row["state"] or "",
            iso(row["last_tick"]) if row["last_tick"] else "",
            row["last_error"] or "",
        )
        for row in rows
    ]
    print(table([head, *lines]))
    return 0
