"""`tradenb doctor`: check what a live run depends on, and say what to do."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradenb.cli.options import add_common, answer, printable
from tradenb.errors import UsageError

if TYPE_CHECKING:
    from tradenb.store.paths import Home


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "doctor",
        help="check state files, locks, disk, clock and versions",
        description="Check everything that a live run depends on; nothing is changed. Exits with "
        "1 if something needs you.",
    )
    add_common(parser, run)
    parser.add_argument(
        "--accept",
        type=Path,
        metavar="FILE",
        help="restore this generation of a state file; the current one is kept beside it",
    )
    parser.add_argument(
        "--exchange",
        default=os.environ.get("TRADENB_EXCHANGE"),
        metavar="NAME",
        help="compare the clock with that of this exchange (default TRADENB_EXCHANGE, else those "
        "of the runs)",
    )


def run(options: argparse.Namespace) -> int:
    """Check, or accept a file."""
    from tradenb.store.paths import find_home

    home = find_home(options.home)
    if options.accept is not None:
        return _accept(options, home)
    from tradenb.cli.doctor_checks import check_all

    checks = check_all(home, options.exchange)
    wrong = sum(check.verdict == "wrong" for check in checks)
    found = [check._asdict() for check in checks]
    facts = {"home": str(home.root), "well": not wrong, "checks": found}
    marks = {"well": "  ", "note": "- ", "wrong": "! "}
    lines = [f"{marks[check.verdict]}{check.name}: {printable(check.words)}" for check in checks]
    lines += ["", f"{wrong} of these need you, marked !" if wrong else "all is well"]
    answer(facts, "\n".join(lines), as_json=options.json)
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
            f"{file} is not a generation of a run under {home.root}; they are in {home.state}"
        )
    disk = DiskFilesystem()
    lock = FileLock(disk, places[0].lock(key), what=key.id)
    with lock:
        committed = DocumentStore(disk, document, guard=lock.assure).accept(file)
    facts = {"accepted": str(file), "document": str(document), "seq": committed.seq}
    answer(
        facts, f"{document} is {file.name} now, as generation {committed.seq}", as_json=options.json
    )
    return 0
