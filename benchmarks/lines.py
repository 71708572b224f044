"""What was measured, as lines of a table for people and as JSON for whoever compares."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

WIDTHS = (62, 14, 12)


@dataclass(frozen=True)
class Line:
    """One figure; `aim` is the largest good value, None where it is there for orientation only."""

    what: str
    measured: float | str
    unit: str = ""
    aim: float | None = None

    @property
    def verdict(self) -> str:
        if self.aim is None or isinstance(self.measured, str):
            return ""
        return "ok" if self.measured <= self.aim else "over"

    @property
    def row(self) -> tuple[str, str, str, str]:
        aim = "" if self.aim is None else f"<= {self.aim:g} {self.unit}"
        return f"  {self.what}", f"{_short(self.measured)} {self.unit}", aim, self.verdict


@dataclass(frozen=True)
class Heading:
    """A subject, and the work it is measured on."""

    text: str


def shown(items: Iterable[Line | Heading]) -> Iterator[Line]:
    """Print each item when it comes, and pass the lines on."""
    for item in items:
        if isinstance(item, Heading):
            print(f"\n{item.text}", flush=True)
        else:
            what, measured, aim, verdict = item.row
            print(f"{what:<{WIDTHS[0]}} {measured:>{WIDTHS[1]}}  {aim:>{WIDTHS[2]}}  {verdict}")
            yield item


def title() -> None:
    columns = ("what", "measured", "aim")
    what, measured, aim = columns
    print(f"{what:<{WIDTHS[0]}} {measured:>{WIDTHS[1]}}  {aim:>{WIDTHS[2]}}  ok?")


def write(path: Path, lines: list[Line]) -> None:
    known = {"python": platform.python_version(), "numpy": np.__version__}
    rows = [{**asdict(line), "verdict": line.verdict} for line in lines]
    path.write_text(json.dumps({**known, "lines": rows}, indent=1) + "\n", encoding="utf-8")


def _short(value: float | str) -> str:
    if isinstance(value, str):
        return value
    if value and abs(value) < 0.1:
        return f"{value:.3f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
