"""What the commands have in common: options, names of runs, tables, JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from unicodedata import east_asian_width

from tradenb.errors import UsageError

if TYPE_CHECKING:
    from tradenb.live.attached_run import AttachedRun
    from tradenb.store.paths import Home

Run = TypeVar("Run")


def add_common(
    parser: argparse.ArgumentParser,
    run: Callable[[argparse.Namespace], int],
    *,
    json_help: str = "print JSON",
) -> None:
    """Add --home and --json, and say which function runs the command."""
    parser.add_argument(
        "--home", metavar="FOLDER", help="folder of the state (default TRADENB_HOME or ./dump)"
    )
    parser.add_argument("--json", action="store_true", help=json_help)
    parser.set_defaults(run=run)


def answer(facts: Any, words: str, *, as_json: bool) -> None:
    """Print what a command did: in words, or as one line of JSON, which has no NaN."""
    if as_json:
        print(json.dumps(facts, allow_nan=False, default=str), flush=True)
    else:
        print("\n".join(map(printable, words.split("\n"))), flush=True)


def named(name: str, runs: Sequence[Run], id_of: Callable[[Run], str]) -> list[Run]:
    """Return the runs with this id, or with this part of one; several ids are a UsageError."""
    exact = [run for run in runs if id_of(run) == name]
    found = exact or [run for run in runs if name.lower() in id_of(run).lower()]
    ids = list(dict.fromkeys(map(id_of, found)))
    if len(ids) > 1:
        raise UsageError(f"{name} may be any of {', '.join(ids)}; give the whole name")
    return found


def lost_of(name: str | None, lost: Mapping[str, str]) -> list[str]:
    """Return the words of runs whose state is lost, of all or of those with this part of an id."""
    part = (name or "").lower()
    return [f"{run}: {why}" for run, why in lost.items() if part in run.lower()]


def running_run(
    options: argparse.Namespace, kind: str, none: dict[str, object]
) -> AttachedRun | None:
    """Return the running run that is named, the live one before its rehearsal.

    If there is none, this is said, in JSON as `none`, and of a run that holds something how to go
    on with it.
    """
    from tradenb.live.attached_run import attached

    running = attached(options.home)
    found = named(options.name, running, lambda run: run.id)
    if found:
        return found[0]
    words = _not_running(options.name, options.home, kind, [run.id for run in running])
    answer(none | {"words": words}, words, as_json=options.json)
    return None


def _not_running(name: str, home: str | None, kind: str, running: list[str]) -> str:
    from tradenb.live.status.listing import statuses
    from tradenb.live.status.run_status import not_running
    from tradenb.store.paths import find_home

    others = [status for status in statuses([], find_home(home)) if status.state is not None]
    found = named(name, others, lambda status: status.id)
    if found:
        return not_running(found[0], kind)
    return f"no run {name}; running: {', '.join(running) or 'none'}"


def rehearsals(home: Home) -> str:
    """Say where the rehearsals of a home are, or nothing if there are none."""
    from tradenb.store.filesystem import DiskFilesystem

    there = home.rehearsal.keys(DiskFilesystem(durable=False))
    return f"; rehearsals are under --home {home.rehearsal.root}" if any(there) else ""


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned columns; control characters are shown, not obeyed.

    Examples
    --------
    >>> print(table([("id", "status"), ("BTCUSDT:dip", "idle")]))
    id           status
    BTCUSDT:dip  idle
    """
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*shown, strict=True)]

    def line(cells: Sequence[str]) -> str:
        pairs = zip(cells, widths, strict=True)
        return "  ".join(cell + " " * (width - _width(cell)) for cell, width in pairs).rstrip()

    return "\n".join(map(line, shown))


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes; some letters take two."""
    return len(text) + sum(east_asian_width(letter) in "FW" for letter in text)


def printable(text: str) -> str:
    r"""Return text that a terminal shows and does not obey.

    Examples
    --------
    >>> printable("a\x1b[31mb")
    'a\\x1b[31mb'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
