"""`tradenb run FILE`: a bot file, until its runs have ended or somebody wants the process to go.

SIGTERM, SIGHUP and Ctrl-C release: the loop ends after the commit that is under way, position and
cursor stay, the next start resumes. A second signal ends the process at once, which loses nothing
either.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import inspect
import os
import runpy
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from tradenb.cli.words import add_home, add_json, printable, show_json
from tradenb.errors import StateError, TradenbError, UsageError

if TYPE_CHECKING:
    from tradenb.core.events import Event
    from tradenb.live.run import LiveRun

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SHOWN: Final = frozenset({"scheduled", "opened", "closed", "cancelled", "rejected", "error"})


class Leave(BaseException):  # no Exception: the bot's own `except` must not keep the process
    """A signal asked the process to go."""


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "run",
        help="run a bot file until its runs have ended",
        description="Run a Python file that calls tn.live.background(...), at its top or in "
        "main(), and wait until its runs have ended. SIGTERM and Ctrl-C release them: positions "
        "stay, the next start resumes.",
    )
    parser.add_argument("file", type=Path, metavar="FILE")
    add_home(parser)
    add_json(parser, "print one JSON object a line: started, each event, ended")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the file; 1 if it raised or the state could not be saved."""
    file: Path = options.file
    if not file.is_file():
        raise UsageError(f"{file} is no file")
    if options.home:
        os.environ["TRADENB_HOME"] = str(Path(options.home).absolute())
    from tradenb.live.living import leave_all, living

    reader = _Reader(json=options.json)
    with reader.listening(), _signals():
        try:
            _execute(file)
            _wait(file, reader)
        except Leave as asked:
            reader.say({"signal": str(asked)}, f"{asked}: leaving, positions stay")
        except TradenbError:
            raise
        except Exception:  # noqa: BLE001 - the user's file
            _show_traceback()
            return 1
        finally:
            left = leave_all()
    reader.end(living())
    return 0 if left and not any(map(_failed, living())) else 1


def _execute(file: Path) -> None:
    """Run a bot file as Python would; a `main()` that nobody called is called."""
    from tradenb.live.living import living

    sys.argv = [str(file)]
    sys.path.insert(0, str(file.parent.absolute()))
    try:
        names = runpy.run_path(str(file), run_name="__main__")
    except SystemExit as ended:
        if ended.code not in (None, 0):
            raise
        return
    main = names.get("main")
    if not living() and callable(main):
        found = main()
        if inspect.iscoroutine(found):
            asyncio.run(found)


def _wait(file: Path, reader: _Reader) -> None:
    from tradenb.live.living import living

    runs = living()
    if not runs:
        raise UsageError(f"{file} started no live run; it has to call tn.live.background(...)")
    reader.say({"started": [item.id for item in runs]}, f"running {', '.join(map(_id, runs))}")
    while running := [item for item in living() if item.status == "running"]:
        running[0].wait(1.0)


def _id(run: LiveRun) -> str:
    return run.id


def _failed(run: LiveRun) -> bool:
    return not run.saved or isinstance(run.error, StateError)


def _show_traceback() -> None:
    """Show what the bot file raised, from its own lines on."""
    kind, error, trace = sys.exc_info()
    ours = (str(Path(__file__)), runpy.__file__, "<frozen runpy>")
    while trace is not None and trace.tb_frame.f_code.co_filename in ours:
        trace = trace.tb_next
    traceback.print_exception(kind, error, trace)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """Let signals raise `Leave`, once; the next one of any kind has its usual effect."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def leave(number: int, _: FrameType | None) -> None:
        for other in _SIGNALS:
            signal.signal(other, signal.SIG_DFL)
        raise Leave(signal.Signals(number).name)

    for number in _SIGNALS:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Reader:
    """Whoever reads what the bot says; the bot goes on when he leaves."""

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._gone = False

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Hear the events of all runs."""
        from tradenb.bus import bus

        with (
            bus.subscribe(self.hear, mode="live", kinds=_SHOWN),
            bus.subscribe(self.hear, mode="rehearsal", kinds=_SHOWN),
        ):
            yield

    def hear(self, event: Event) -> None:
        """Show an event."""
        from tradenb.core.timeframe import iso

        facts = {
            name: getattr(event, name)
            for name in ("seq", "at", "symbol", "strategy", "kind", "price", "pnl_percent")
        }
        more = [event.exit_reason, _gain(event.pnl_percent), event.note]
        words = f"{iso(event.at)} {event.symbol}:{event.strategy} {event.kind}"
        words += "" if event.price is None else f" at {event.price:g}"
        words += "".join(f", {item}" for item in more if item)
        facts |= {"exit_reason": event.exit_reason, "note": event.note}
        self.say({"event": facts}, words)

    def end(self, runs: list[LiveRun]) -> None:
        """Say how the runs stand at the end."""
        facts = [
            {"id": run.id, "status": run.status, "state": run.describe(), "saved": run.saved}
            for run in runs
        ]
        words = "\n".join(f"{run.id}: {run.status}, {run.describe()}" for run in runs)
        self.say({"ended": facts}, words)

    def say(self, facts: dict[str, Any], words: str) -> None:
        """Say something, in words or as JSON."""
        if self._gone:
            return
        try:
            if self._json:
                show_json(facts)
            else:
                print("\n".join(map(printable, words.split("\n"))), flush=True)
        except (BrokenPipeError, OSError, ValueError):
            self._gone = True
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for good


def _gain(pnl_percent: float | None) -> str | None:
    return None if pnl_percent is None else f"{pnl_percent:+.2f} %"
