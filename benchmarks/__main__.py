"""`make bench`: measure everything and print a table; nothing fails.

`python -m benchmarks [--quick] [--json FILE] [SUBJECT ...]`
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import (
    account,
    charts,
    growth,
    lines,
    live,
    managed,
    memory,
    one_symbol,
    orders,
    panel,
    portfolio,
    process,
    rehearsal,
    research,
)
from benchmarks.files import folder_of_candles
from benchmarks.lines import Heading, Line

SUBJECTS = (
    "run",
    "managed",
    "research",
    "symbols",
    "account",
    "growth",
    "process",
    "memory",
    "live",
    "orders",
    "rehearsal",
    "panel",
    "charts",
)


def main() -> None:
    given = _arguments()
    lines.print_row("what", "measured", "aim", "ok?")
    with folder_of_candles() as folder:
        measured = list(lines.shown(_all(given.subjects or SUBJECTS, folder, quick=given.quick)))
    over = [line for line in measured if line.verdict == "over"]
    aims = sum(line.aim is not None for line in measured)
    print(f"\n{aims - len(over)} of {aims} aims are met")
    if given.json:
        lines.write(given.json, measured)


def _all(subjects: Sequence[str], folder: Path, *, quick: bool) -> Iterator[Line | Heading]:
    times = 2 if quick else 7
    if "run" in subjects:
        yield from one_symbol.measure(times)
    if "managed" in subjects:
        yield from managed.measure(times, quick=quick)
    if "research" in subjects:
        yield from research.measure(times, quick=quick)
    if "symbols" in subjects:
        yield from portfolio.measure(1 if quick else 3)
    if "account" in subjects:
        yield from account.measure(times, quick=quick)
    if "growth" in subjects:
        yield from growth.measure(1 if quick else 3, quick=quick)
    if "process" in subjects:
        yield from process.measure(times, folder)
    if "memory" in subjects:
        yield from memory.measure(folder)
    yield from _live(subjects, quick=quick)
    if "panel" in subjects:
        yield from panel.measure()
    if "charts" in subjects:
        yield from charts.measure(1 if quick else 5)


def _live(subjects: Sequence[str], *, quick: bool) -> Iterator[Line | Heading]:
    if "live" in subjects:
        yield from live.measure(quick=quick)
    if "orders" in subjects:
        yield from orders.measure(quick=quick)
    if "rehearsal" in subjects:
        yield from rehearsal.measure(quick=quick)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("subjects", nargs="*", help=f"some of {', '.join(SUBJECTS)}; default all")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, shorter growth")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file")
    given = parser.parse_args()
    unknown = [name for name in given.subjects if name not in SUBJECTS]
    if unknown:
        parser.error(f"no subject {unknown[0]!r}; there are {', '.join(SUBJECTS)}")
    return given


if __name__ == "__main__":
    main()
