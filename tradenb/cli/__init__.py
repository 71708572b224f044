"""The command line, one file a command: `tradenb demo | fetch | run | status ...`.

Exit codes, the same for every command: 0 all is well (a bot ended or was released), 1 something
failed or needs the user, 2 the call is wrong, 3 another process holds the run, 4 the state on disk
needs a decision (`tradenb doctor`, `tradenb resolve`).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

from tradenb import __version__
from tradenb.cli.verbs import doctor
from tradenb.cli.verbs import export_notebook as export
from tradenb.cli.verbs import fetch_candles as fetch
from tradenb.cli.verbs import make_report as report
from tradenb.cli.verbs import resolve_run as resolve
from tradenb.cli.verbs import retire_run as retire
from tradenb.cli.verbs import run_bot as run
from tradenb.cli.verbs import run_demo as demo
from tradenb.cli.verbs import show_status as status
from tradenb.cli.verbs import stop_run as stop
from tradenb.errors import (
    StateConflict,
    StateCorrupt,
    StateLocked,
    StateVersionError,
    TradenbError,
    UsageError,
)

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
LOCKED: Final = 3
UNDECIDED: Final = 4
EXIT_CODES: Final = (
    "exit codes: 0 well, 1 failed or needs you, 2 wrong call, 3 held by another process, "
    "4 the state needs a decision"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Default those of the process.

    Returns
    -------
    int
        The exit code.
    """
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has seen enough; what the interpreter flushes at its end must go somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (TradenbError, OSError) as error:
        print(f"tradenb: {error}", file=sys.stderr)
        return code_of(error)
    return code


def code_of(error: BaseException) -> int:
    """Return the exit code for an error.

    Examples
    --------
    >>> code_of(StateLocked("held")), code_of(OSError("full"))
    (3, 1)
    """
    match error:
        case UsageError():
            return USAGE
        case StateLocked():
            return LOCKED
        case StateConflict() | StateCorrupt() | StateVersionError():
            return UNDECIDED
        case _:
            return FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tradenb",
        description="Trading strategies from research to live, in a notebook.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"tradenb {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (demo, fetch, run, status, stop, resolve, retire, export, report, doctor):
        command.add(commands)
    return parser
