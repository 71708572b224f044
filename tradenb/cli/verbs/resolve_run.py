"""`tradenb resolve NAME`: which state of a run holds, when somebody else wrote its document."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tradenb.cli.options import add_home, add_json, printable, show_json
from tradenb.errors import StateConflict, UsageError

if TYPE_CHECKING:
    from tradenb.live.resolve_conflict import Conflict
    from tradenb.store.paths import Home


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "resolve",
        help="decide which state holds when two wrote it",
        description="Show both states of a run whose document somebody else wrote, or take one of "
        "them; the other is kept beside it. Works for a run of another process and for one that "
        "nobody holds.",
    )
    parser.add_argument("name", metavar="NAME", help="SYMBOL:strategy, or a part of one")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--keep-ours",
        action="store_const",
        const="keep_ours",
        dest="decision",
        help="the state that the run had holds",
    )
    how.add_argument(
        "--take-theirs",
        action="store_const",
        const="take_theirs",
        dest="decision",
        help="the state that somebody else wrote, and that is on disk now, holds",
    )
    add_home(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show both, or decide; 1 if there is nothing to decide."""
    from tradenb.live.resolve_conflict import described, resolve
    from tradenb.store.paths import find_home

    home = find_home(options.home)
    found = _find(options.name, home)
    if found is None:
        _say(options, {"decided": None}, f"nothing to decide for {options.name}")
        return 1
    name = f"{found.key.symbol}:{found.key.strategy}"
    ours, theirs = described(found.ours), described(found.theirs)
    if options.decision is None:
        if options.json:
            show_json({"id": name, "ours": ours, "theirs": theirs})
        else:
            print("\n".join(map(printable, (name, f"  ours:   {ours}", f"  theirs: {theirs}"))))
        raise StateConflict(
            f"somebody else wrote the state of {name}; say --keep-ours or --take-theirs"
        )
    words = resolve(home, found, options.decision)
    chosen = ours if options.decision == "keep_ours" else theirs
    facts = {"id": name, "decided": options.decision, "state": chosen, "note": words}
    _say(options, facts, f"{name}: {chosen}\n{words}")
    return 0


def _find(name: str, home: Home) -> Conflict | None:
    from tradenb.live.resolve_conflict import conflict_of
    from tradenb.store.filesystem import DiskFilesystem

    keys = list(home.keys(DiskFilesystem()))
    wanted = [key for key in keys if f"{key.symbol}:{key.strategy}" == name] or [
        key for key in keys if name.lower() in f"{key.symbol}:{key.strategy}".lower()
    ]
    found = [item for item in (conflict_of(home, key) for key in wanted) if item is not None]
    if len(found) > 1:
        ids = ", ".join(f"{item.key.symbol}:{item.key.strategy}" for item in found)
        raise UsageError(f"{name} may be any of {ids}; give the whole name")
    return found[0] if found else None


def _say(options: argparse.Namespace, facts: dict[str, Any], words: str) -> None:
    if options.json:
        show_json(facts)
    else:
        print("\n".join(map(printable, words.split("\n"))), flush=True)
