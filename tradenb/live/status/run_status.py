"""How a live run is now: one record, wherever the run is.

`status_of_run` makes it from a run of this process, `RunFiles.status` (run_files.py) from the files
of any run. List, card, command line, dashboard and report only render it: what is idle, running,
done, stopping, stale or silent is decided here and nowhere else.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from tradenb.core.lifecycle.commands import acts_at
from tradenb.core.rules import Rules
from tradenb.core.timeframe import MINUTE, iso
from tradenb.engine.specs.registry import registry
from tradenb.errors import StateError
from tradenb.store.paths import REHEARSAL
from tradenb.view.formatting import price

if TYPE_CHECKING:
    from tradenb.core.candles.intake import Intake
    from tradenb.core.events import Event
    from tradenb.core.lifecycle.state import Command, State
    from tradenb.live.loop.record import RunRecord, Status

Mode = Literal["live", "rehearsal"]

SILENT_S: Final = 180.0
LATEST_TICKS: Final = 60
# An error that so many events have followed is over.
NEWEST_EVENTS: Final = 250


class PendingCommand(NamedTuple):
    """A command that was given and has not acted yet.

    Attributes
    ----------
    id : str
        For `withdraw`; empty where it is not known.
    kind : {"stop", "flatten", "cancel"}
    given, acts_at : int
        When it was given, and the close of the candle that it acts on, ms UTC.
    in_s : float or None
        Seconds until that close, below 0 where the candle is overdue; None in a rehearsal of
        another process, whose clock is not known here.
    """

    id: str
    kind: str
    given: int
    acts_at: int
    in_s: float | None

    def __str__(self) -> str:
        if self.kind == "stop":
            return "stopping"
        what = "flattening" if self.kind == "flatten" else "cancelling the entry"
        if self.in_s is None:
            return f"{what} at the next close"
        if self.in_s < 0:
            return f"{what} at the next candle ({-self.in_s:.0f} s overdue)"
        return f"{what} at the next close ({self.in_s:.0f} s)"


@dataclass(frozen=True, slots=True)
class RunStatus:
    """A run at one moment.

    Attributes
    ----------
    mode : {"live", "rehearsal"}
    home : str
        The folder that its state is under.
    status : {"idle", "running", "done"}
        idle: a start resumes it; done: ended by `stop`, or a rehearsal that came to its end.
    held_by : str
        Which other process runs it, in words.
    state : State or None
        The one on disk; None before the first commit, or when it cannot be read.
    rules : Rules
        Those of the run; the default ones when only its files are known.
    saved : bool
        Whether the last state is on disk.
    stopping : bool
        Whether a stop was given and the run has not ended yet.
    pending_commands : tuple of PendingCommand
        The commands that have not acted yet, in the order in which they were given.
    stale : bool
        Whether the strategy was registered again with other code since the run started.
    price : float or None
        Market price at the cursor of the state.
    started, last_tick : int or None
        When it began (candle time) and when it ticked or saved last (wall time), ms UTC.
    age_s : float or None
        Seconds since then.
    ticks : int or None
        How many ticks are known; None when only the files are.
    lateness_s : tuple of float
        How long after their candles had closed the last ticks ended, oldest first; live only.
    clock_ahead_ms : int or None
        How far the clock of this machine is ahead of the exchange's, if that was measured.
    intake : Intake or None
        What was missing from the candles that it saw.
    error, trace : str
        What is wrong now, and its traceback; empty while nothing is wrong.
    last_error : str
        The same, else the last error that the run went past; see `with_last_error`.
    last_event_seq : int
        Number of the last event that the journal has, or will have.
    loop_restarts : int
        How often the loop died under the run and was started again.
    """

    symbol: str
    strategy: str
    mode: Mode
    home: str
    status: Status
    exchange: str = ""
    held_by: str = ""
    state: State | None = None
    rules: Rules = Rules()  # noqa: RUF009 - frozen
    saved: bool = True
    stopping: bool = False
    pending_commands: tuple[PendingCommand, ...] = ()
    stale: bool = False
    price: float | None = None
    started: int | None = None
    last_tick: int | None = None
    age_s: float | None = None
    ticks: int | None = None
    lateness_s: tuple[float, ...] = ()
    clock_ahead_ms: int | None = None
    intake: Intake | None = None
    error: str = ""
    trace: str = ""
    last_error: str = ""
    last_event_seq: int = 0
    loop_restarts: int = 0

    @property
    def id(self) -> str:
        """Symbol and strategy."""
        return f"{self.symbol}:{self.strategy}"

    @property
    def key(self) -> str:
        """Mode and id: unique among the runs under one home."""
        return f"{self.mode}:{self.id}"

    @property
    def cursor(self) -> int | None:
        """The newest candle that is on disk, close time in ms UTC."""
        return None if self.state is None else self.state.cursor

    @property
    def silent(self) -> bool:
        """Whether it runs and has not ticked for minutes: exits are not being watched."""
        return self.status == "running" and self.age_s is not None and self.age_s > SILENT_S

    @property
    def status_text(self) -> str:
        """The status with what is under way: "running", "running, stopping", ..."""
        stopping = ["stopping"] if self.stopping else []
        under_way = [*stopping, *map(str, self.pending_commands)]
        return ", ".join([self.status, *dict.fromkeys(under_way)])

    @property
    def holds(self) -> str:
        """What it holds, in a line."""
        return holds(self.state)


def status_of_run(run: RunRecord) -> RunStatus:
    """Return how a run of this process is; reads memory only."""
    mode = mode_of(run.storage.home)
    ticks = len(run.last_ticks)
    latest = list(islice(run.last_ticks, max(0, ticks - LATEST_TICKS), None))
    error = "" if run.error is None else str(run.error) or repr(run.error)
    late = ((tick.wall - tick.at) / 1000 for tick in latest if tick.candles == 1)
    return RunStatus(
        run.symbol,
        run.strategy,
        mode,
        str(run.storage.home),
        run.status,
        exchange=run.source.name,
        state=run.state,
        rules=run.rules,
        saved=run.saved,
        stopping=run.stopping,
        pending_commands=pending_of_run(run),
        stale=_is_stale(run),
        price=latest[-1].price if latest else None,
        started=run.start or None,
        last_tick=latest[-1].wall if latest else None,
        age_s=monotonic() - run.last_tick_s if run.status == "running" else None,
        ticks=ticks,
        lateness_s=tuple(late) if mode == "live" else (),
        clock_ahead_ms=getattr(run.source, "clock_ahead_ms", None),
        intake=None if run.feed is None else run.feed.intake,
        error=error,
        trace=_trace(run.error),
        last_error=error,
        last_event_seq=run.published_seq,
        loop_restarts=run.loop_restarts,
    )


def pending_of_run(run: RunRecord) -> tuple[PendingCommand, ...]:
    """Return the commands of a run of this process that have not acted yet."""
    commands = run.pending_commands
    return pending(commands, run.cursor, run.clock.now()) if commands else ()


def pending(
    commands: Iterable[Command], cursor: int, now: int | None
) -> tuple[PendingCommand, ...]:
    """Return commands with the close at which each acts; `now` is that of the run, ms UTC."""
    acting = [(command, acts_at(command, cursor + MINUTE)) for command in commands]
    return tuple(
        PendingCommand(
            command.request or "",
            command.kind,
            command.at,
            at,
            None if now is None else (at - now) / 1000,
        )
        for command, at in acting
    )


def with_last_error(
    status: RunStatus, newest_events: Callable[[int], Sequence[Event]]
) -> RunStatus:
    """Add the last error that the run went past, with its time, if nothing is wrong now.

    `newest_events` returns so many of the newest events, oldest first.
    """
    if status.error:
        return replace(status, last_error=status.error)
    try:
        events = newest_events(NEWEST_EVENTS)
    except (OSError, StateError):
        return status  # the doctor reports a journal that cannot be read
    since = status.started or 0
    errors = [event for event in events if event.kind == "error" and event.at >= since]
    return (
        replace(status, last_error=f"{iso(errors[-1].at)} {errors[-1].note}") if errors else status
    )


def holds(state: State | None) -> str:
    """Say in a line what a state holds.

    Examples
    --------
    >>> holds(None)
    'nothing open'
    """
    if state is None or state.signal is None:
        return "nothing open"
    signal, opened = state.signal, state.opened_at
    what = "scheduled" if opened is None else f"since {iso(opened)}"
    return f"{signal.position} {what} at {price(signal.entry)}"


def mode_of(root: Path) -> Mode:
    """Tell what a run is by the folder of its state."""
    return "rehearsal" if root.name == REHEARSAL else "live"


def status_of_document(body: Mapping[str, Any] | None, *, locked: bool) -> Status:
    """Return the status of a run by its document, and by whether a process holds its lock."""
    if locked:
        return "running"
    if not body:
        return "idle"
    state, end = body["state"], body.get("end")
    ended = bool(state["done"]) or (end is not None and state["cursor"] >= end)
    return "done" if ended else "idle"


def _is_stale(run: RunRecord) -> bool:
    current = registry.known("strategy", run.strategy)
    return current is not None and current.fingerprint != run.spec.fingerprint


def _trace(error: BaseException | None) -> str:
    found = error is not None and error.__traceback__
    return "".join(traceback.format_exception(error)) if found else ""
