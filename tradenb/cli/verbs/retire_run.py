"""`tradenb retire NAME`: an ended run leaves the risk books; its files are moved, not deleted."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from tradenb.cli.options import add_home, add_json, printable, rehearsals, show_json
from tradenb.errors import UsageError

if TYPE_CHECKING:
    from tradenb.store.paths import Home, Key


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "retire",
        help="take an ended run out of the risk books",
        description="Move the files of a run that nobody holds and that holds nothing to "
        "HOME/retired. What it closed no longer counts in the risk books; a start after that is a "
        "new run. Moved back, the files are the run again.",
    )
    parser.add_argument("name", metavar="NAME", help="SYMBOL:strategy, in full")
    add_home(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Retire a run."""
    from tradenb.store.filesystem import DiskFilesystem
    from tradenb.store.lock import FileLock
    from tradenb.store.paths import find_home
    from tradenb.store.retire import retire

    home, disk = find_home(options.home), DiskFilesystem()
    key = _key(options.name, home)
    with FileLock(disk, home.lock(key), what=options.name):
        folder = retire(disk, home, key, now=time.time_ns() // 1_000_000)
    if options.json:
        show_json({"retired": options.name, "folder": str(folder)})
    else:
        print(printable(f"{options.name} is retired; its files are in {folder}"))
    return 0


def _key(name: str, home: Home) -> Key:
    from tradenb.store.filesystem import DiskFilesystem

    known = {f"{key.symbol}:{key.strategy}": key for key in home.keys(DiskFilesystem())}
    if name not in known:
        there = ", ".join(known) or "none"
        raise UsageError(f"no run {name} under {home.root}; there are {there}{rehearsals(home)}")
    return known[name]
