"""`tradenb resume NAME`: start the file again that ran a run last, in a process of its own."""

from __future__ import annotations

import argparse
from typing import Any

from tradenb.cli.options import add_common, answer, named
from tradenb.errors import UsageError


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "resume",
        help="start again what ran a run, with its position",
        description="Start the bot file or script that ran a run last, in a process of its own; it "
        "goes on with the position on disk. What ran in a notebook is resumed by its cell.",
    )
    parser.add_argument("name", metavar="NAME", help="SYMBOL:strategy, or a part of one")
    add_common(parser, run)


def run(options: argparse.Namespace) -> int:
    """Resume a run; an error says what else would."""
    from tradenb.live.resume_run import resume
    from tradenb.store.filesystem import DiskFilesystem
    from tradenb.store.paths import find_home

    home = find_home(options.home)
    keys = list(home.keys(DiskFilesystem(durable=False), locks=True))
    found = named(options.name, keys, lambda key: key.id)
    if not found:
        known = ", ".join(key.id for key in keys) or "none"
        raise UsageError(f"no run {options.name} under {home.root}; known: {known}")
    key = found[0]
    words = resume(home, key)
    answer({"resumed": key.id, "words": words}, f"{key.id}: {words}", as_json=options.json)
    return 0
