"""`tradenb report`: what ran under a home, in markdown and as a page; only reads."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradenb.cli.options import add_common, answer, printable, rehearsals
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
    add_common(parser, run)


def run(options: argparse.Namespace) -> int:
    """Write the reports."""
    from tradenb.live.status.chart_candles import add_candles
    from tradenb.live.status.run_files import RunFiles
    from tradenb.live.status.run_report import report_of_files
    from tradenb.store.filesystem import DiskFilesystem
    from tradenb.store.paths import find_home

    home = find_home(options.home)
    written: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
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
    done = {"home": str(home.root), "written": written, "failed": failed}
    answer(done, _words(home, written, failed), as_json=options.json)
    return 0 if written and not failed else 1


def _write(report: RunReport, folder: Path, document: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{document.stem}-{document.parent.name}"
    text = folder / f"{name}.md"
    text.write_text(report.markdown(), encoding="utf-8")
    return [text, report.write(folder / f"{name}.html")]


def _words(home: Home, written: list[dict[str, Any]], failed: list[dict[str, Any]]) -> str:
    if not written and not failed:
        return f"no runs to report under {home.root}{rehearsals(home)}"
    lines = []
    for item in written:
        lines.append(printable(f"{item['id']}: {', '.join(item['reports'])}"))
        lines += [f"  {printable(note)}" for note in item["notes"]]
    return "\n".join(lines + [printable(f"{item['id']}: {item['error']}") for item in failed])
