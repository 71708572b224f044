"""The record of what a live run saw, line by line: candles, starts, commands, asks left out."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tradenb.core.lifecycle.state import Command
from tradenb.core.rules import Rules
from tradenb.core.timeframe import MINUTE, ceil_to

Lines = Iterable[list[Any] | dict[str, Any]]
Rows = NDArray[np.float64]


class Missed(NamedTuple):
    """Asks that were left out, from one close time to another, ms UTC, and why."""

    first: int
    last: int
    why: str


class RulesGiven(NamedTuple):
    """The rules in force from a moment (close time, ms UTC), and those that hold once flat."""

    since: int
    in_force: Rules
    given: Rules


class CodeNoted(NamedTuple):
    """What is on disk about the code from a moment (close time, ms UTC) on; names may lack."""

    since: int
    code: str
    names: dict[str, str]


class RecordedLines:
    """The lines of one run, sorted; a file may hold those of earlier runs before them.

    Attributes
    ----------
    begun : dict or None
        The line of its latest start.
    commands, missed, gone, ruled, coded, notes
        As `Evidence` has them.
    earned : float
        What earlier runs had changed the balance of its account by when it began first.
    reports : dict of int to Command
        What an exchange did, by number. One that was recorded again was not committed before.
    """

    def __init__(self, lines: Lines, start: int, history_start: int) -> None:
        self.begun: dict[str, Any] | None = None
        self.commands: list[dict[str, Any]] = []
        self.reports: dict[int, Command] = {}
        self.earned = 0.0
        self.missed: list[Missed] = []
        self.notes: list[str] = []
        self.gone: list[tuple[int, int]] = []
        self.ruled: list[RulesGiven] = []
        self.coded: list[CodeNoted] = []
        self._rows = array("d")
        for line in lines:
            if isinstance(line, dict):
                self._take(line, start)
            elif line[0] >= history_start:
                self._rows.extend(line if len(line) == 7 else [*line, line[0]])

    def rows(self) -> Rows:
        """Return all candles, (n, 7)."""
        return np.array(self._rows).reshape(-1, 7)

    def _take(self, line: dict[str, Any], start: int) -> None:
        if "begun" in line:
            before, self.begun = self.begun, line if line["start"] == start else None
            if self.begun is None or before is None:
                self.commands, self.missed, self.notes, self.ruled = [], [], [], []
                self.coded, self.reports = [], {}
                self.earned = line.get("earned", 0.0)
            else:
                self._compare(before, self.begun)
            if self.begun is not None:
                in_force, given = line["rules"], line.get("given", line["rules"])
                self.ruled.append(RulesGiven(line["begun"], Rules(**in_force), Rules(**given)))
                self.coded.append(CodeNoted(line["begun"], line["code"], line.get("names", {})))
        elif "command" in line and line["command"]["kind"] == "report":
            report = Command(**line["command"])
            self.reports[line["command"]["values"]["seq"]] = report
        elif "command" in line:
            command = _plain(line["command"])
            if command not in self.commands:
                self.commands.append(command)
        elif "withdrawn" in line:
            withdrawn = _plain(line["withdrawn"])
            self.commands = [command for command in self.commands if command != withdrawn]
        elif "missing" in line:
            self.gone += [(begin, end) for begin, end in line["missing"]]
        elif "left_out" in line:
            first, last = line["left_out"]
            self.missed.append(Missed(first, last, line["why"]))

    def _compare(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Note what a restart changed of which the newest counts for the whole run."""
        rules, others = (line.get("given", line["rules"]) for line in (before, after))
        words = "the run was restarted with other gap_minutes; the latest count"
        if rules["gap_minutes"] != others["gap_minutes"] and words not in self.notes:
            self.notes.append(words)


def _plain(command: dict[str, Any]) -> dict[str, Any]:
    """Return a command as a backtest is given it: without the request that it came from."""
    own = {name: value for name, value in command.items() if name not in ("request", "values")}
    return {**own, **(command.get("values") or {})}


def missed_asks(missed: Iterable[Missed], why: str) -> Iterator[int]:
    """Yield the close times of asks that were left out for a reason."""
    for item in missed:
        if item.why == why:
            yield from range(ceil_to(item.first), item.last + 1, MINUTE)
