"""`make bench`: measure everything and print a table; nothing fails.

`python -m benchmarks [--quick] [--json FILE] [--keep] [SUBJECT ...]`

Subjects are measured in the order in which they are given, none needs another; one that cannot be
measured here is said. The column "last" has the run that was kept of machines of this kind.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import (
    account,
    charts,
    growth,
    last_run,
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

Subject = Callable[[int, bool, Path], Iterator[Line | Heading]]
"""Repetitions, whether it is to be quick, and the folder of candles."""

SUBJECTS: dict[str, Subject] = {
    "run": lambda times, _quick, _folder: one_symbol.measure(times),
    "managed": lambda times, quick, _folder: managed.measure(times, quick=quick),
    "research": lambda times, quick, _folder: research.measure(times, quick=quick),
    "symbols": lambda _times, quick, _folder: portfolio.measure(1 if quick else 3),
    "account": lambda times, quick, _folder: account.measure(times, quick=quick),
    "growth": lambda _times, quick, _folder: growth.measure(1 if quick else 3, quick=quick),
    "process": lambda times, _quick, folder: process.measure(times, folder),
    "memory": lambda _times, _quick, folder: memory.measure(folder),
    "live": lambda _times, quick, _folder: live.measure(quick=quick),
    "orders": lambda _times, quick, _folder: orders.measure(quick=quick),
    "rehearsal": lambda _times, quick, _folder: rehearsal.measure(quick=quick),
    "panel": lambda _times, _quick, _folder: panel.measure(),
    "charts": lambda _times, quick, _folder: charts.measure(1 if quick else 5),
}


def main() -> None:
    given = _arguments()
    lines.print_row("what", "measured", "last", "aim", "ok?")
    before, measured = last_run.last_run(), dict[str, list[Line]]()
    with folder_of_candles() as folder:
        for name in given.subjects or SUBJECTS:
            found = SUBJECTS[name](2 if given.quick else 7, given.quick, folder)
            measured[name] = []
            try:
                measured[name].extend(lines.shown(found, before.get(name, {})))
            except Exception as error:  # noqa: BLE001 - the others are measured all the same
                print(f"  {name} could not be measured: {type(error).__name__}: {error}")
    every = [line for each in measured.values() for line in each]
    over = sum(line.verdict == "over" for line in every)
    aims = sum(bool(line.verdict) for line in every)
    print(f"\n{aims - over} of {aims} aims are met")
    if given.json:
        lines.write(given.json, every)
    if given.keep:
        print(f"kept in {last_run.keep({name: each for name, each in measured.items() if each})}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("subjects", nargs="*", help=f"some of {', '.join(SUBJECTS)}; default all")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, shorter growth")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file")
    parser.add_argument("--keep", action="store_true", help="keep the figures for later runs")
    given = parser.parse_args()
    unknown = [name for name in given.subjects if name not in SUBJECTS]
    if unknown:
        parser.error(f"no subject {unknown[0]!r}; there are {', '.join(SUBJECTS)}")
    if given.keep and given.quick:
        parser.error("--keep wants whole runs, not --quick")
    return given


if __name__ == "__main__":
    main()
