"""`tradenb stop NAME`: ask a run of another process to end, even while its kernel is busy."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from tradenb.cli.options import add_common, answer, running_run

if TYPE_CHECKING:
    from tradenb.live.attached_run import AttachedRun


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "stop",
        help="end a running run",
        description="End a run of another process, through a control file: no new signals, an open "
        "position is followed to its close.",
    )
    parser.add_argument("name", metavar="NAME", help="SYMBOL:strategy, or a part of one")
    add_common(parser, run)
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--flatten", action="store_true", help="close the position at the next candle as well"
    )
    how.add_argument(
        "--release",
        action="store_true",
        help="release the run instead: its position is kept for the next start",
    )
    parser.add_argument(
        "--wait",
        type=_seconds,
        metavar="SECONDS",
        help="wait for its end, at most this long; exit code 1 if it is still running",
    )


def run(options: argparse.Namespace) -> int:
    """Ask the run; 1 if none runs, or it has not ended in the time given."""
    run = running_run(options, "stop", {"asked": None, "ended": False})
    if run is None:
        return 1
    what = _ask(run, options)
    held = repr(run).partition(", held by ")[2].rstrip(">")
    answer(
        {"asked": run.id, "for": what}, f"asked {run.id} to {what} ({held})", as_json=options.json
    )
    if options.wait is None:
        return 0
    ended = run.wait(options.wait)
    words = f"{run.id} has ended: {run.status}" if ended else f"{run.id} is still running"
    answer({"asked": run.id, "ended": ended, "status": run.status}, words, as_json=options.json)
    return 0 if ended else 1


def _ask(run: AttachedRun, options: argparse.Namespace) -> str:
    if options.release:
        run.release()
        return "release"
    if options.flatten:
        run.flatten()
    run.stop()
    return "flatten and stop" if options.flatten else "stop"


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"must be seconds, 0 or more, was {text!r}")
    return value
