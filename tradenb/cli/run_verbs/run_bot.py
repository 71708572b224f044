"""`tradenb run FILE`: a bot file, until its runs have ended or a signal asks the process to end.

SIGTERM, SIGHUP and Ctrl-C release: the loop ends after the commit that is under way, position and
cursor are kept, the next start resumes. A second signal ends the process at once; that loses
nothing either, since a commit is whole on disk or not there.
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradenb.cli.bot_log import logging_to_stderr
from tradenb.cli.bot_output import BotOutput
from tradenb.cli.options import add_common
from tradenb.cli.release_signals import ReleaseAsked, release_on_signals
from tradenb.errors import StateError, TradenbError, UsageError
from tradenb.store.paths import find_home

if TYPE_CHECKING:
    from tradenb.live.loop.record import RunRecord


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "run",
        help="run a bot file until its runs have ended",
        description="Run a Python file that calls tn.live.background(...), at its top or in "
        "main(), and wait until its runs have ended. SIGTERM and Ctrl-C release them: positions "
        "are kept, and the next start resumes.",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    add_common(parser, run, json_help="print one JSON object a line: started, each event, ended")


def run(options: argparse.Namespace) -> int:
    """Run the file; 1 if it raised or the state could not be saved."""
    file: Path = options.file
    if not file.is_file():
        raise UsageError(f"{file} is not a file")
    if options.home:
        os.environ["TRADENB_HOME"] = str(find_home(options.home).root)
    from tradenb.live.loop.supervisor import active_runs, release_all

    output = BotOutput(json=options.json)
    with (
        logging_to_stderr(output, json_lines=options.json),
        output.subscribed(),
        release_on_signals(),
    ):
        try:
            _execute(file)
            _wait(file, output)
        except ReleaseAsked as asked:
            output.print({"signal": str(asked)}, f"{asked}: releasing the runs, positions are kept")
        except TradenbError:
            raise
        except Exception:  # noqa: BLE001 - the user's file
            _show_traceback()
            return 1
        finally:
            left = release_all()
    output.end(active_runs())
    return 0 if left and not any(map(_failed, active_runs())) else 1


def _execute(file: Path) -> None:
    """Run a bot file as Python would; then call its `main()` if it started no run."""
    from tradenb.live.loop.supervisor import active_runs

    sys.argv = [str(file)]
    sys.path.insert(0, str(file.parent.absolute()))
    try:
        names = runpy.run_path(str(file), run_name="__main__")
    except SystemExit as ended:
        if ended.code not in (None, 0):
            raise
        return
    main = names.get("main")
    if not active_runs() and callable(main):
        found = main()
        if isinstance(found, Coroutine):
            import asyncio

            asyncio.run(found)


def _wait(file: Path, output: BotOutput) -> None:
    from tradenb.live.loop.supervisor import active_runs

    runs = active_runs()
    if not runs:
        raise UsageError(f"{file} started no live run; call tn.live.background(...) in it")
    _note_launch(file, runs)
    output.print(
        {"started": [item.id for item in runs]}, f"running {', '.join(map(_describe, runs))}"
    )
    while running := [item for item in active_runs() if item.status == "running"]:
        running[0].ended.wait(1.0)


def _note_launch(file: Path, runs: list[RunRecord]) -> None:
    """Note under the homes of the runs what started them, for `tradenb resume`."""
    from tradenb.live.started_by import note_started_by

    note_started_by(runs, file, ("-m", "tradenb", "run", str(file.absolute())))


def _describe(run: RunRecord) -> str:
    """Say which run it is, and what it goes on with."""
    from tradenb.live.status.run_status import holds

    kept = None if run.checkpoint is None or run.checkpoint.state.done else run.checkpoint.state
    return run.id if kept is None else f"{run.id} (resumed: {holds(kept)})"


def _failed(run: RunRecord) -> bool:
    return not run.saved or isinstance(run.error, StateError)


def _show_traceback() -> None:
    """Print the traceback of the bot file, from its own lines on."""
    kind, error, trace = sys.exc_info()
    ours = (str(Path(__file__)), runpy.__file__, "<frozen runpy>")
    while trace is not None and trace.tb_frame.f_code.co_filename in ours:
        trace = trace.tb_next
    traceback.print_exception(kind, error, trace)
