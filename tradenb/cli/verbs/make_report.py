"""`tradenb report`: what ran under a home, in markdown and as a page; only reads."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradenb.cli.options import add_home, add_json, printable, rehearsals, show_json
from tradenb.errors import StateError

if TYPE_CHECKING:
    from tradenb.live.status.run_report import RunReport
    from tradenb.store.paths import Home


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "report",
        help="write reports of what ran under a home",
        description="Write a report in markdown and one as an HTML page for each run under a home. "
        "Exits with 1 if there is none, or one cannot be read.",
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
        help="where to write them (default reports)",
    )
    parser.add_argument(
        "--candles",
        metavar="FILES",
        help="files with the candles of the price chart, such as 'data/*.parquet' (default: those "
        "of the exchange, from the cache or fetched)",
    )
    add_home(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the reports."""
    from tradenb.live.status.chart_candles import add_candles
    from tradenb.live.status.run_files import RunFiles
    from tradenb.live.status.run_report import report_of_files
    from tradenb.store.filesystem import DiskFilesystem
    from tradenb.store.paths import find_home

    home = find_home(options.home)
    written, failed = [], []
    for key in home.keys(DiskFilesystem(durable=False)):
        name = key.id
        if options.name.lower() not in name.lower():
            continue
        document = home.document(key)
        try:
            found = report_of_files(RunFiles(home, key))
            report = add_candles(found, home.root, options.candles)
            paths = _write(report, options.output, document)
        except StateError as error:
            failed.append({"id": name, "error": str(error)})
        else:
            facts = {"id": name, "reports": [str(path) for path in paths]}
            written.append(facts | {"notes": [*report.notes]})
    if options.json:
        show_json({"home": str(home.root), "written": written, "failed": failed})
    else:
        _print(home, written, failed)
    return 0 if written and not failed else 1


def _write(report: RunReport, folder: Path, document: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{document.stem}-{document.parent.name}"
    text = folder / f"{name}.md"
    text.write_text(report.markdown(), encoding="utf-8")
    return [text, report.write(folder / f"{name}.html")]


def _print(home: Home, written: list[dict[str, Any]], failed: list[dict[str, Any]]) -> None:
    for item in written:
        notes = "".join(f"\n  {printable(note)}" for note in item["notes"])
        print(printable(f"{item['id']}: {', '.join(item['reports'])}") + notes)
    for item in failed:
        print(printable(f"{item['id']}: {item['error']}"))
    if not written and not failed:
        print(f"no runs to report under {home.root}{rehearsals(home)}")
