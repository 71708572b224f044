"""`tradenb doctor`: is everything as a live run needs it, and what to do if not."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradenb.cli.options import add_home, add_json, printable, show_json
from tradenb.errors import UsageError

if TYPE_CHECKING:
    from tradenb.store.paths import Home


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "doctor",
        help="look at state files, locks, disk, clock and versions",
        description="Look at everything that a live run depends on; nothing is changed. Exits with "
        "1 if something needs you.",
    )
    add_home(parser)
    add_json(parser)
    parser.add_argument(
        "--accept",
        type=Path,
        metavar="FILE",
        help="put this generation of a state file in force; the one there is kept beside it",
    )
    parser.add_argument(
        "--exchange",
        default=os.environ.get("TRADENB_EXCHANGE"),
        metavar="NAME",
        help="compare the clock with that of this exchange (default TRADENB_EXCHANGE, else those "
        "of the runs)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Look, or accept a file."""
    from tradenb.store.paths import find_home

    home = find_home(options.home)
    if options.accept is not None:
        return _accept(options, home)
    from tradenb.cli.doctor_checks import look

    checks = look(home, options.exchange)
    wrong = sum(check.verdict == "wrong" for check in checks)
    if options.json:
        found = [check._asdict() for check in checks]
        show_json({"home": str(home.root), "well": not wrong, "checks": found})
        return 1 if wrong else 0
    for check in checks:
        mark = {"well": "  ", "note": "- ", "wrong": "! "}[check.verdict]
        print(f"{mark}{check.name}: {printable(check.words)}")
    print(f"\n{wrong} that need you, marked !" if wrong else "\nall is well")
    return 1 if wrong else 0


def _accept(options: argparse.Namespace, home: Home) -> int:
    from tradenb.store.document.document_store import DocumentStore
    from tradenb.store.filesystem import DiskFilesystem
    from tradenb.store.lock import FileLock
    from tradenb.store.paths import key_of

    file: Path = options.accept.absolute()
    document = file.with_name(file.name.split(".json", 1)[0] + ".json")
    key = key_of(document)
    places = [place for place in (home, home.rehearsal) if document.parent.parent == place.state]
    if key is None or not places:
        raise UsageError(
            f"{file} is no generation of a run under {home.root}; they are in {home.state}"
        )
    disk = DiskFilesystem()
    lock = FileLock(disk, places[0].lock(key), what=f"{key.symbol}:{key.strategy}")
    with lock:
        committed = DocumentStore(disk, document, guard=lock.assure).accept(file)
    words = f"{document} is {file.name} now, as generation {committed.seq}"
    if options.json:
        show_json({"accepted": str(file), "document": str(document), "seq": committed.seq})
    else:
        print(words)
    return 0
