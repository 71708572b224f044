"""`tradenb retire NAME`: an ended run leaves the risk books; its files are moved, not deleted."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from tradenb.cli.options import add_common, answer, rehearsals
from tradenb.errors import UsageError

if TYPE_CHECKING:
    from tradenb.store.paths import Home, Key


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "retire",
        help="take an ended run out of the risk books",
        description="Move the files of a run to HOME/retired, if no process holds it and it has no "
        "position. Its closed trades no longer count in the risk books, and the next start is a "
        "new run. Move the files back to have the old run again.",
    )
    parser.add_argument("name", metavar="NAME", help="SYMBOL:strategy, in full")
    add_common(parser, run)


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
    facts = {"retired": options.name, "folder": str(folder)}
    answer(facts, f"{options.name} is retired; its files are in {folder}", as_json=options.json)
    return 0


def _key(name: str, home: Home) -> Key:
    from tradenb.store.filesystem import DiskFilesystem

    known = {key.id: key for key in home.keys(DiskFilesystem())}
    if name not in known:
        there = ", ".join(known) or "none"
        raise UsageError(f"no run {name} under {home.root}; known: {there}{rehearsals(home)}")
    return known[name]
