"""`tradenb stop NAME`: ask a run of another process to end; works while its kernel is busy."""

from __future__ import annotations

import argparse
import math
import time
from typing import TYPE_CHECKING, Any, Final

from tradenb.cli.options import add_home, add_json, show_json
from tradenb.errors import UsageError

if TYPE_CHECKING:
    from tradenb.live.attached_run import AttachedRun

_LOOK_EVERY_S: Final = 0.05


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "stop",
        help="end a running run",
        description="End a run of another process, through a control file: no new signals, an open "
        "position is followed to its close.",
    )
    parser.add_argument("name", metavar="NAME", help="SYMBOL:strategy, or a part of one")
    add_home(parser)
    add_json(parser)
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--flatten", action="store_true", help="close the position at the next candle as well"
    )
    how.add_argument(
        "--release", action="store_true", help="leave the run, keeping its position for later"
    )
    parser.add_argument(
        "--wait", type=_seconds, metavar="SECONDS", help="wait until it has ended, 1 if it has not"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask the run; 1 if none runs, or it has not ended in the time given."""
    from tradenb.live.attached_run import attached

    running = attached(options.home)
    found = _find(options.name, running)
    if found is None:
        ids = ", ".join(item.id for item in running) or "none"
        _say(options, {"asked": None, "ended": False}, f"no run {options.name}; running: {ids}")
        return 1
    what = _ask(found, options)
    held = repr(found).partition(", held by ")[2].rstrip(">")
    _say(options, {"asked": found.id, "for": what}, f"asked {found.id} to {what} ({held})")
    if options.wait is None:
        return 0
    ended = _wait(found, options.wait)
    words = f"{found.id} has ended: {found.status}" if ended else f"{found.id} still runs"
    _say(options, {"asked": found.id, "ended": ended, "status": found.status}, words)
    return 0 if ended else 1


def _find(name: str, running: list[AttachedRun]) -> AttachedRun | None:
    """Return the run that a name means: its id, or the only one with that part.

    Of a live run and its rehearsal it is the live one.
    """
    exact = [item for item in running if item.id == name]
    found = exact or [item for item in running if name.lower() in item.id.lower()]
    if len({item.id for item in found}) > 1:
        ids = ", ".join(item.id for item in found)
        raise UsageError(f"{name} may be any of {ids}; give the whole name")
    return found[0] if found else None


def _ask(found: AttachedRun, options: argparse.Namespace) -> str:
    if options.release:
        found.release()
        return "release"
    if options.flatten:
        found.flatten()
    found.stop()
    return "flatten and stop" if options.flatten else "stop"


def _wait(found: AttachedRun, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while found.status == "running":
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LOOK_EVERY_S)
    return True


def _say(options: argparse.Namespace, facts: dict[str, Any], words: str) -> None:
    if options.json:
        show_json(facts)
    else:
        print(words, flush=True)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be seconds, 0 or more, was {text!r}")
    return value
