"""`tradenb resolve NAME`: choose the state of a run when another program wrote its document."""

from __future__ import annotations

import argparse
from typing import Any

from tradenb.cli.options import add_common, answer, named
from tradenb.errors import StateConflict


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "resolve",
        help="choose between two states of a run",
        description="Show both states of a run whose document another program wrote, or choose one "
        "of them; the other is kept beside it. Works whether a process holds the run or not.",
    )
    parser.add_argument("name", metavar="NAME", help="SYMBOL:strategy, or a part of one")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--keep-ours",
        action="store_const",
        const="keep_ours",
        dest="decision",
        help="choose the state that the run had",
    )
    how.add_argument(
        "--take-theirs",
        action="store_const",
        const="take_theirs",
        dest="decision",
        help="choose the state that the other program wrote, which is on disk now",
    )
    add_common(parser, run)


def run(options: argparse.Namespace) -> int:
    """Show both, or decide; 1 if there is nothing to decide."""
    from tradenb.live.resolve_conflict import at_exchange, conflict_of, described, resolve
    from tradenb.store.filesystem import DiskFilesystem
    from tradenb.store.paths import find_home

    home = find_home(options.home)
    conflicts = [conflict_of(home, key) for key in home.keys(DiskFilesystem())]
    undecided = [conflict for conflict in conflicts if conflict is not None]
    found = named(options.name, undecided, lambda conflict: conflict.key.id)
    if not found:
        answer({"decided": None}, f"nothing to decide for {options.name}", as_json=options.json)
        return 1
    conflict = found[0]
    name = conflict.key.id
    ours, theirs = described(conflict.ours), described(conflict.theirs)
    if options.decision is None:
        there = at_exchange(home, conflict)
        facts = {"id": name, "ours": ours, "theirs": theirs, "exchange": there}
        lines = [f"ours:   {ours}", f"theirs: {theirs}", *there]
        answer(facts, "\n  ".join((name, *lines)), as_json=options.json)
        raise StateConflict(
            f"another program wrote the state of {name}; pass --keep-ours or --take-theirs"
        )
    words = resolve(home, conflict, options.decision)
    chosen = ours if options.decision == "keep_ours" else theirs
    facts = {"id": name, "decided": options.decision, "state": chosen, "note": words}
    answer(facts, f"{name}: {chosen}\n{words}", as_json=options.json)
    return 0
