"""What was measured, as lines of a table for people and as JSON for whoever compares."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Line:
    """One figure; `aim` is the largest good value, None where it is there for orientation only."""

    what: str
    measured: float | str
    unit: str = ""
    aim: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """Whether the aim is met; empty if there is none."""
        if self.aim is None or isinstance(self.measured, str):
            return ""
        return "ok" if self.measured <= self.aim else "over"


@dataclass(frozen=True)
class Heading:
    """A subject, and the work it is measured on."""

    text: str


def shown(items: Iterable[Line | Heading], last: Mapping[str, float]) -> Iterator[Line]:
    """Print each item when it comes, beside the last run of its like, and pass the lines on."""
    seen = Counter[str]()
    for item in items:
        if isinstance(item, Heading):
            print(f"\n{item.text}", flush=True)
            continue
        aim = "" if item.aim is None else f"<= {_short(item.aim)} {item.unit}"
        name = _name(item, seen)
        before = _short(last[name]) if name in last else ""
        now = f"{_short(item.measured)} {item.unit}"
        print_row(item.what, now, before, aim, item.verdict, item.note)
        yield item


def figures(lines: Iterable[Line]) -> dict[str, float]:
    """Return what was measured by name; a name that comes again has its number."""
    seen = Counter[str]()
    named = [(_name(line, seen), line.measured) for line in lines]
    return {name: float(f"{each:.4g}") for name, each in named if not isinstance(each, str)}


def _name(line: Line, seen: Counter[str]) -> str:
    seen[line.what] += 1
    return line.what if seen[line.what] == 1 else f"{line.what} ({seen[line.what]})"


def print_row(what: str, measured: str, last: str, aim: str, verdict: str, note: str = "") -> None:
    row = f"  {what:<60} {measured:>12}  {last:>9}  {aim:>12}  {verdict:<4}  {note}"
    print(row.rstrip(), flush=True)


def write(path: Path, lines: list[Line]) -> None:
    """Write all figures as JSON."""
    known = {"python": platform.python_version(), "numpy": np.__version__}
    rows = [{**asdict(line), "verdict": line.verdict} for line in lines]
    path.write_text(json.dumps({**known, "lines": rows}, indent=1) + "\n", encoding="utf-8")


def _short(value: float | str) -> str:
    if isinstance(value, str):
        return value
    if value < 0.1:
        return f"{value:.3f}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
