"""`tradenb guard`: look after the orders of runs that no process has."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from tradenb.cli.options import add_common, answer, table

if TYPE_CHECKING:
    from tradenb.brokers.unattended.guard_runs import GuardedRun
    from tradenb.store.paths import Home

EVERY: Final = "30s"
SHORTEST_S: Final = 5
LONGEST_S: Final = 3_600
_SPAN: Final = re.compile(r"([1-9][0-9]{0,4})(s|m)")


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "guard",
        help="look after real orders of runs that no process has",
        description="Of every run that has something at an exchange and no process: place its stop "
        "again where it is gone, find out unknown outcomes, sell what cannot be protected, has "
        "expired or is killed. Enters nothing, and leaves a run alone whose process is back. With "
        "--once exits with 1 if something is not safe.",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--once", action="store_true", help="look once, for a timer")
    how.add_argument(
        "--every", type=_seconds, default=EVERY, metavar="SPAN", help="30s (default), 5s to 60m"
    )
    add_common(parser, run)


def run(
    options: argparse.Namespace,
    *,
    wait: Callable[[float], object] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> int:
    """Look, once or until it is ended; 1 if something was not safe the last time."""
    from tradenb.store.ownership import refuse_foreign
    from tradenb.store.paths import find_home

    home = find_home(options.home)
    refuse_foreign(home)
    told: list[GuardedRun] | None = None
    while True:
        began = now()
        found = _looked(home)
        if options.once or found != told:
            _tell(found, as_json=options.json, once=options.once)
            told = found
        if options.once:
            return 0 if all(each.safe for each in found) else 1
        try:
            wait(max(options.every - (now() - began), 0.0))
        except KeyboardInterrupt:
            return 0 if all(each.safe for each in found) else 1


def _looked(home: Home) -> list[GuardedRun]:
    import asyncio

    from tradenb.brokers.unattended.guard_runs import GuardedRun, guard_once
    from tradenb.clock import SystemClock
    from tradenb.live.status.listing import lost_orders
    from tradenb.store.filesystem import DiskFilesystem

    if not home.root.is_dir():  # a volume that is not mounted must not look like a night in order
        there = "not a folder" if home.root.exists() else "not there: is its volume mounted?"
        words = f"{home.root} is {there} (--home, TRADENB_HOME)"
        return [GuardedRun("", "", False, words)]
    found = asyncio.run(guard_once(DiskFilesystem(), home, SystemClock()))
    known = {each.run for each in found}
    lost = lost_orders(home).items()
    return [*found, *(GuardedRun("", run, False, why) for run, why in lost if run not in known)]


def _tell(found: list[GuardedRun], *, as_json: bool, once: bool) -> None:
    from tradenb.clock import wall_ms
    from tradenb.core.timeframe import iso

    rows = [
        ("account", "run", "safe", "what"),
        *((r.account, r.run, _yes(r), r.words) for r in found),
    ]
    words = table(rows) if found else "no run without a process has anything at an exchange"
    at = wall_ms()
    facts = {"at": at, "runs": [each._asdict() for each in found]}
    answer(facts, words if once else f"{iso(at)} UTC\n{words}", as_json=as_json)


def _yes(row: GuardedRun) -> str:
    return "yes" if row.safe else "NO"


def _seconds(text: str) -> int:
    match = _SPAN.fullmatch(text)
    seconds = 0 if match is None else int(match[1]) * (60 if match[2] == "m" else 1)
    if not SHORTEST_S <= seconds <= LONGEST_S:
        raise argparse.ArgumentTypeError(f"must be from 5s to 60m, was {text!r}")
    return seconds
