"""How a live run is now: one record, wherever the run is.

`status_of_run` makes it from a run of this process, `RunFiles.status` (run_files.py) from the files
of any run. List, card, command line, doctor, dashboard and report only render it: what is running,
starting, failing, silent, stopping, unwatched, idle or done is decided here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any, Final, Literal

from tradenb.core.timeframe import DAY, MINUTE, iso, next_after
from tradenb.errors import StateError
from tradenb.store.paths import REHEARSAL
from tradenb.view.conduct.ask_words import answer_words, idle_wait_words, waited_idly
from tradenb.view.formatting import duration, price

if TYPE_CHECKING:
    from tradenb.brokers.status.order_status import OrderStatus
    from tradenb.core.candles.arrays import Intake
    from tradenb.core.events import Event
    from tradenb.core.lifecycle.state import State
    from tradenb.core.rules import Rules
    from tradenb.live.loop.record import Status
    from tradenb.live.status.pending_commands import PendingCommand
    from tradenb.live.status.run_money import RunMoney
    from tradenb.statistics.expectation import Band

Mode = Literal["live", "rehearsal"]

SILENT_S: Final = 180.0
# An error that so many events have followed is over.
NEWEST_EVENTS: Final = 250
THIS_KERNEL: Final = "this kernel"
_CLOSING: Final = frozenset({"cancel", "flatten", "close"})


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
    unknown : bool
        Whether it cannot be known if a process runs it; `error` says why.
    held_by : str
        Which other process runs it, in words.
    state : State or None
        The one on disk; None before the first commit, or when it cannot be read.
    given_rules : Rules or mapping
        Those of the run, or what its document says of them; see `rules`.
    saved : bool
        Whether the last state is on disk.
    stopping : bool
        Whether a stop was given and the run has not ended yet.
    pending_commands : tuple of PendingCommand
        The commands that have not acted yet, in the order in which they were given.
    starting : bool
        Whether it has not ticked yet since it was started: its first candles are being fetched.
    stale : bool
        Whether the strategy was registered again with other code since the run started.
    code_at : int or None
        When the process that runs it took its code, ms UTC.
    note : str
        What the user should know about how it began: that the run before it was stopped.
    resume : str
        What a resume would start: a bot file, or "this kernel"; empty if that is not known.
    by_cron : bool
        Whether it makes one tick each time that cron starts it.
    price : float or None
        Market price at the cursor of the state.
    money : RunMoney or None
        What it made of the money of its account.
    band : Band or None
        Where its backtest lets its trades go; see `run.expect`.
    risk : tuple of str
        Names of its risk rules.
    orders : OrderStatus or None
        How its orders at an exchange are; None: it sends none.
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
    reads : tuple of str
        Symbols that it only reads.
    warnings : tuple of str
        What is wrong with its candles now: they come late, or are changed after they were acted on.
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
    unknown: bool = False
    exchange: str = ""
    held_by: str = ""
    state: State | None = None
    given_rules: Rules | Mapping[str, Any] | None = None
    saved: bool = True
    stopping: bool = False
    pending_commands: tuple[PendingCommand, ...] = ()
    starting: bool = False
    stale: bool = False
    code_at: int | None = None
    note: str = ""
    resume: str = ""
    by_cron: bool = False
    price: float | None = None
    money: RunMoney | None = None
    band: Band | None = None
    risk: tuple[str, ...] = ()
    orders: OrderStatus | None = None
    started: int | None = None
    last_tick: int | None = None
    age_s: float | None = None
    ticks: int | None = None
    lateness_s: tuple[float, ...] = ()
    clock_ahead_ms: int | None = None
    intake: Intake | None = None
    reads: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
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
    def rules(self) -> Rules:
        """The rules of the run; the default ones when its files say nothing of them."""
        from tradenb.core.rules import Rules

        given = self.given_rules
        return given if isinstance(given, Rules) else Rules(**(given or {}))

    @property
    def cursor(self) -> int | None:
        """The newest candle that is on disk, close time in ms UTC."""
        return None if self.state is None else self.state.cursor

    @property
    def silent(self) -> bool:
        """Whether it runs and has not ticked for minutes: exits are not being watched."""
        return self.status == "running" and self.age_s is not None and self.age_s > SILENT_S

    @property
    def unwatched(self) -> bool:
        """Whether it holds an open position that no process follows; a rehearsal risks nothing."""
        idle = self.mode == "live" and self.status == "idle" and not self.unknown
        if self.by_cron and (self.age_s or 0) <= SILENT_S:
            return False
        return idle and self._is_held and not self.sold

    @property
    def _is_held(self) -> bool:
        """Whether something is open, or an entry was sent that no candle has told of yet."""
        if self.state is None or self.state.signal is None:
            return False
        sent = self.orders is not None and (self.orders.shields or self.orders.in_doubt)
        return self.state.is_open or bool(sent)

    @property
    def sold(self) -> bool:
        """Whether what it holds by its state is over at the exchange, which it has yet to tell."""
        held = None if self.state is None else self.state.signal
        if held is None or self.orders is None or not self.orders.sold:
            return False
        return any(order.signal_id == held.id for order in self.orders.orders)

    @property
    def label(self) -> str:
        """How it is, in a word or two: running, starting, failing, unwatched long, ..."""
        if self.unwatched and self.state is not None and self.state.signal is not None:
            return f"unwatched {self.state.signal.position}"
        if self.status != "running":
            return "unknown" if self.unknown else self.status
        if self.orders is not None and self.orders.alarms:
            return "alarm"
        if self.error:
            return "failing"
        if self.silent:
            return "silent"
        if self.starting:
            return "starting"
        return "stopping" if self.stopping else "running"

    @property
    def trouble(self) -> str:
        """Why it needs the user now, in a sentence; empty while it does not."""
        if self.unwatched and self.saved:
            guard = (
                "" if self.orders is None else "; until then tradenb guard looks after its orders"
            )
            return f"{self.holds}: {self._not_watched} {self.way_on}{guard}"
        if self.orders is not None and self.orders.alarms:
            return self.orders.trouble
        if self.error:
            return self.error
        if self.silent:
            return f"no tick for {self.age_s or 0:.0f} s: exits are not being watched"
        return ""

    @property
    def _not_watched(self) -> str:
        """Say what nobody watches; an order that rests at an exchange is there all the same."""
        shields = () if self.orders is None else self.orders.shields
        there = "".join(f"; at the exchange {shield}" for shield in shields)
        return f"no process watches its stop and target{there}."

    @property
    def way_on(self) -> str:
        """How to go on with a run that no process runs."""
        if self.resume == THIS_KERNEL:
            return f"Go on with it: tn.live.background({self.symbol!r}, ...)"
        if self.resume:
            return f"Go on with it: tradenb resume {self.id} (starts {self.resume})"
        return (
            "Go on with it: run the cell or the bot file that starts it "
            f"(tn.live.background({self.symbol!r}, strategy={self.strategy!r}, ...))"
        )

    @property
    def old_code(self) -> str:
        """Say that it runs older code than the one registered now, and what takes the new."""
        if not self.stale or self.status != "running":
            return ""
        since = f"the code of {moment(self.code_at)}" if self.code_at else "older code"
        return f"runs {since}; release and start again to take the new"

    @property
    def status_text(self) -> str:
        """The label with what is under way: "running, stopping", "failing, stopping", ..."""
        stopping = ["stopping"] if self.stopping else []
        first = self.status if self.label == "stopping" else self.label
        return ", ".join(dict.fromkeys((first, *stopping, *self._under_way())))

    def _under_way(self) -> Iterator[str]:
        """Say what was asked of it and is not done, at the exchange either."""
        bought = self.orders is not None and bool(self.orders.shields)
        for command in self.pending_commands:
            if command.kind == "cancel" and bought:
                yield "its entry has filled; closing the position"
            elif command.kind not in _CLOSING or not self.sold:
                yield str(command)

    @property
    def holds(self) -> str:
        """What it holds, in a line."""
        if not self.sold:
            return holds(self.state)
        when = "next candle" if self.status == "running" else "next start"
        return f"{holds(self.state)}, over at the exchange: told at its {when}"


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
    what = stage(state) if opened is None else f"since {iso(opened)}"
    want = "hold" if state.execution is None else state.execution.want
    leaving = ", exiting" if want == "exit" and opened is not None else ""
    return f"{signal.position} {what} at {price(signal.entry)}{leaving}"


def stage(state: State) -> str:
    """Return "open", "scheduled", or "entering" where the exchange has its entry."""
    if state.is_open:
        return "open"
    return "entering" if state.execution and state.execution.want == "enter" else "scheduled"


def outlook_words(status: RunStatus) -> list[str]:
    """Say what the asks came to last, when the next one is, and what ends or waits by itself.

    All of it as of the state on disk; the manage function of a run elsewhere is not known.
    """
    from tradenb.engine.specs.risks import locks

    state = status.state
    if state is None:
        return []
    now, found = state.cursor, [_left(state, status.rules)]
    if state.signal is not None and waited_idly(state.signal, state.opened_at):
        found.append(idle_wait_words(state.signal.wait))
    if state.asks:
        found.append(f"last answer: {answer_words(state.asks[-1])}")
    if status.status == "running" and not state.done:
        every = state.every if state.signal is None else state.manage_every
        found.append(f"next ask {moment(next_after(now, every), now)}" if every else "")
    if state.signal is None and status.risk:
        locked = locks(status.risk, state.trades, now)
        found += [f"{name} until {moment(until, now)}" for name, until in locked]
    return [words for words in found if words]


def _left(state: State, rules: Rules) -> str:
    """Say how long a position or a waiting entry has left, if it ends by itself."""
    from tradenb.core.lifecycle.missing import expires_at
    from tradenb.core.lifecycle.scheduled import times_out_at

    signal, opened = state.signal, state.opened_at
    if signal is None or (state.execution is not None and state.execution.want == "enter"):
        return ""
    ends = times_out_at(signal, rules) if opened is None else expires_at(signal, opened)
    if ends is None:
        return ""
    left = duration(max(0, ends - state.cursor) / MINUTE)
    what = "it waits" if opened is None else "it lasts"
    return f"{what} until {moment(ends, state.cursor)} ({left})"


def not_running(status: RunStatus, kind: str) -> str:
    """Say why a run takes no command, and how to go on if its position is not watched."""
    words = f"{status.id} is {status.status}; only a running run takes {kind}"
    held = status.state is not None and status.state.signal is not None
    if status.status != "idle" or status.mode != "live" or not held:
        return words
    return f"{words}. It holds {status.holds}. {status.way_on}"


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


def moment(at: int, now: int | None = None) -> str:
    """Write when something was, to the minute; of the day of `now` (default today) only the time.

    Examples
    --------
    >>> moment(1_704_116_340_000, now=1_704_116_400_000)
    '13:39 UTC'
    >>> moment(1_704_116_340_000, now=1_704_216_400_000)
    '2024-01-01 13:39 UTC'
    """
    at = at // MINUTE * MINUTE
    today = (round(time() * 1000) if now is None else now) // DAY == at // DAY
    return f"{iso(at)[-5:] if today else iso(at)} UTC"
