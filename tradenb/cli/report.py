"""`tradenb report`: what ran under a home, in markdown and as a page, without disturbing it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradenb.cli.words import add_home, add_json, printable, show_json
from tradenb.errors import StateError

if TYPE_CHECKING:
    from tradenb.live.account import Account


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "report",
        help="write reports of what ran under a home",
        description="Write a report in markdown and one as an HTML page for each run under a home; "
        "1 if there is none, or one cannot be read.",
    )
    parser.add_argument(
        "name", nargs="?", default="", metavar="NAME", help="SYMBOL:strategy, or a part of some"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("reports"),
        metavar="FOLDER",
        help="where they go (default reports)",
    )
    add_home(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the reports."""
    from tradenb.live.account import account_of
    from tradenb.store.filesystem import DiskFilesystem
    from tradenb.store.paths import find_home

    home = find_home(options.home)
    written, failed = [], []
    for key in home.keys(DiskFilesystem(durable=False)):
        name = f"{key.symbol}:{key.strategy}"
        if options.name.lower() not in name.lower():
            continue
        document = home.document(key)
        try:
            paths = _write(account_of(home, key), options.output, document)
        except StateError as error:
            failed.append({"id": name, "error": str(error)})
        else:
            written.append({"id": name, "reports": [str(path) for path in paths]})
    if options.json:
        show_json({"home": str(home.root), "written": written, "failed": failed})
    else:
        _say(str(home.root), written, failed)
    return 0 if written and not failed else 1


def _write(account: Account, folder: Path, document: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{document.stem}-{document.parent.name}"
    found = []
    for suffix, text in (("md", account.markdown()), ("html", account.html())):
        path = folder / f"{name}.{suffix}"
        path.write_text(text, encoding="utf-8")
        found.append(path)
    return found


def _say(home: str, written: list[dict[str, Any]], failed: list[dict[str, Any]]) -> None:
    for item in written:
        print(printable(f"{item['id']}: {', '.join(item['reports'])}"))
    for item in failed:
        print(printable(f"{item['id']}: {item['error']}"))
    if not written and not failed:
        print(f"no runs to report under {home}")
