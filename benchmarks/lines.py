"""What was measured, as lines of a table for people and as JSON for whoever compares."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Iterator
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


def shown(items: Iterable[Line | Heading]) -> Iterator[Line]:
    """Print each item when it comes, and pass the lines on."""
    for item in items:
        if isinstance(item, Heading):
            print(f"\n{item.text}", flush=True)
            continue
        aim = "" if item.aim is None else f"<= {_short(item.aim)} {item.unit}"
        print_row(item.what, f"{_short(item.measured)} {item.unit}", aim, item.verdict, item.note)
        yield item


def print_row(what: str, measured: str, aim: str, verdict: str, note: str = "") -> None:
    print(f"  {what:<60} {measured:>12}  {aim:>12}  {verdict:<4}  {note}".rstrip(), flush=True)


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
