"""The command line: `tradenb demo | fetch | run | status ...`.

Each command is a file: in `run_verbs` if it is about live runs, in `order_verbs` if it is about
real orders, else in `verbs`.

Exit codes, the same for every command: 0 success (a bot ended or was released), 1 something failed
or needs the user, 2 the call is wrong, 3 another process holds the run, 4 the state on disk needs a
decision (`tradenb doctor`, `tradenb resolve`).
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import Final

from tradenb import __version__
from tradenb.cli.order_verbs import (
    arm_account,
    check_venue,
    disarm_account,
    kill_everything,
    reconcile_runs,
    run_guard,
    show_account,
    show_orders,
)
from tradenb.cli.run_verbs import (
    close_or_move,
    resolve_run,
    resume_bot,
    retire_run,
    run_bot,
    show_status,
    stop_run,
    withdraw_command,
)
from tradenb.cli.verbs import (
    doctor,
    export_notebook,
    fetch_candles,
    import_files,
    make_report,
    notify_test,
    run_demo,
    serve_dashboard,
)
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
# In the order of `tradenb --help`.
VERBS: Final = (
    run_demo,
    fetch_candles,
    import_files,
    run_bot,
    show_status,
    serve_dashboard,
    stop_run,
    close_or_move,
    withdraw_command,
    check_venue,
    arm_account,
    disarm_account,
    show_account,
    show_orders,
    reconcile_runs,
    kill_everything,
    run_guard,
    resume_bot,
    resolve_run,
    retire_run,
    export_notebook,
    make_report,
    notify_test,
    doctor,
)
EXIT_CODES: Final = (
    "exit codes: 0 success, 1 failed or needs you, 2 wrong call, 3 held by another process, "
    "4 the state needs a decision"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, by default with the arguments of the process, and return its exit code."""
    open_streams()
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader closed the pipe; what the interpreter flushes at exit must go somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (TradenbError, OSError) as error:
        print(f"tradenb: {error}", file=sys.stderr)
        return code_of(error)
    return code


def open_streams() -> None:
    """Open standard streams that are closed, and let them print what they cannot encode."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # as under cron with >&-
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


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
    for verb in VERBS:
        verb.add(commands)
    return parser
