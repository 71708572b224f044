"""`tradenb status`: the runs under a home, without disturbing them."""

from __future__ import annotations

import argparse
import time
from typing import Any, Final

from tradenb.cli.options import add_home, add_json, show_json, table

SILENT_MS: Final = 180_000
MINUTE: Final = 60_000


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("status", help="list the live runs under a home")
    add_home(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List the runs."""
    from tradenb.core.timeframe import iso
    from tradenb.live.status.listing import rows_of
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
            row["status"] + (", stopping" if row["stopping"] else "") + _silence(row),
            row["state"] or "",
            iso(row["last_tick"]) if row["last_tick"] else "",
            row["last_error"] or "",
        )
        for row in rows
    ]
    print(table([head, *lines]))
    return 0


def _silence(row: dict[str, Any]) -> str:
    """Say that a run that goes on has saved nothing for minutes: no candles come, or no room."""
    now = time.time_ns() // 1_000_000
    silent = now - (row["last_tick"] or now)
    if row["status"] != "running" or row["mode"] != "live" or silent < SILENT_MS:
        return ""
    return f", nothing new for {silent // MINUTE} min"
