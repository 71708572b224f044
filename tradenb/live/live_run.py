"""`LiveRun`: the handle on one live run, safe to use from any thread and cell."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Final, Literal

from tradenb.core.events import Event
from tradenb.core.lifecycle.state import Command, CommandKind, State
from tradenb.core.risk import Held
from tradenb.core.rules import Rules
from tradenb.core.timeframe import iso
from tradenb.engine.arguments import label_of
from tradenb.engine.history.windows import Histories
from tradenb.engine.ports import Clock, LiveSource
from tradenb.engine.session.instance import Instance
from tradenb.engine.session.pump import Callback
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import StateError, UsageError
from tradenb.live.loop.tick_result import Tick, tick_frame
from tradenb.live.state.recorder import Witness
from tradenb.live.state.storage import Decision, Kept, Shelf
from tradenb.live.status.run_report import Reported
from tradenb.view.formatting import price

if TYPE_CHECKING:
    import pandas as pd

    from tradenb.live.loop.feed import Feed
    from tradenb.live.status.run_files import Account

Status = Literal["idle", "running", "done"]
KEPT_TICKS: Final = 10_000
_HEARTBEAT_S: Final = 0.1


class LiveRun(Reported):
    """A live run of one strategy on one symbol.

    Attributes
    ----------
    symbol : str
    strategy : str
    status : {"idle", "running", "done"}
        idle: not running, a start resumes it; done: ended by `stop`, or a rehearsal that came to
        its end.
    saved : bool
        Whether the last state is on disk.
    undecided : bool
        Whether somebody else wrote its document: it stands still until `keep_ours` or
        `take_theirs`.
    error : BaseException or None
        What went wrong last; None after a good tick.
    """

    def __init__(
        self,
        symbol: str,
        spec: StrategySpec,
        source: LiveSource,
        rules: Rules,
        shelf: Shelf,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self.symbol = symbol
        self.spec = spec.model_copy()  # indicators declared later are those of the next start
        self.source = source
        self.rules = rules
        self.shelf = shelf
        self.witness = Witness(shelf)
        self.status: Status = "idle"
        self.saved = True
        self.error: BaseException | None = None
        self.instance: Instance | None = None
        self.feed: Feed | None = None
        self.histories = Histories(_unknown_symbol)
        self.history: deque[Tick] = deque(maxlen=KEPT_TICKS)
        self.commands: deque[Command] = deque()
        self.uncommitted: list[Command] = []
        self.outbox: list[Event] = []
        self.callbacks: list[Callback] = []
        self.told_seq = 0
        self.committed: State | None = None
        self.place = 0
        self.kept: Kept | None = None
        self.leaving = False
        self.undecided = False
        self.decision: Decision | None = None
        self.asked = False
        self.start = 0
        self.history_start = 0
        self.next_at = 0
        self.ticked = 0.0
        self.on_loop: Callable[[], bool] = _nowhere
        self._clock = clock
        self._wake = wake
        self._ended = threading.Event()

    def __repr__(self) -> str:
        held = self.position or self.scheduled
        what = "" if held is None else f", {held.position} at {price(held.entry)}"
        saved = "" if self.saved else ", UNSAVED"
        failed = "" if self.error is None else f", error: {self.error}"
        return f"<live {self.id} {self.status}{what}{saved}{failed}>"

    def _repr_html_(self) -> str:
        from tradenb.live.status.run_status import standing_of
        from tradenb.view.pages.live_html import standing_html

        return standing_html(standing_of(self))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return every form at once, for whoever shows it."""
        del include, exclude
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    @property
    def id(self) -> str:
        """Symbol and strategy."""
        return f"{self.symbol}:{self.spec.name}"

    @property
    def strategy(self) -> str:
        """Name of the strategy."""
        return self.spec.name

    @property
    def position(self) -> Held | None:
        """The open signal, or None."""
        return self._held(opened=True)

    @property
    def scheduled(self) -> Held | None:
        """The signal that waits for its entry, or None."""
        return self._held(opened=False)

    @property
    def stopping(self) -> bool:
        """Whether a graceful stop was taken and the position is being followed to its close."""
        state = None if self.instance is None else self.instance.state
        return state is not None and state.stopping and not state.done

    def stop(self) -> None:
        """End gracefully: no new signals; an open position is followed to its close."""
        self._command("stop")

    def cancel(self, id: str | None = None, *, cancel_id: str | None = None) -> None:
        """Cancel the scheduled signal, whichever it is or only the one with this id."""
        self._command("cancel", id, cancel_id)

    def flatten(self) -> None:
        """Close the open position at the market price of the next candle; the run goes on."""
        self._command("flatten")

    def release(self) -> None:
        """Leave the run, keeping its position; the next start resumes it."""
        self.leaving = True
        self._wake()

    def keep_ours(self) -> None:
        """Let the state of this run hold over one that somebody else wrote, which is kept."""
        self._decide("keep_ours")

    def take_theirs(self) -> None:
        """Go on from the state that somebody else wrote; that of this run is kept beside it."""
        self._decide("take_theirs")

    def look(self) -> None:
        """Look at once for requests that were left as files, not within the next second."""
        self.asked = True
        self._wake()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the run has ended, at most `timeout` seconds; tell whether it has.

        Raises
        ------
        UsageError
            In an async callback or strategy, which would wait for itself.
        """
        if self.on_loop():
            raise UsageError(f"wait() here would hold up {self.id} itself; leave it out")
        waited = 0.0
        while not self._ended.wait(_HEARTBEAT_S):
            waited += _HEARTBEAT_S
            if timeout is not None and waited >= timeout:
                return False
        return True

    def __await__(self) -> Generator[Any, None, None]:
        """Wait until the run has ended; an interrupt of the cell is felt at once."""
        return self._until_ended().__await__()

    def raise_if_failed(self) -> None:
        """Raise what went wrong last, if anything did.

        Raises
        ------
        StateError
            With the error as its cause.
        """
        if self.error is not None:
            raise StateError(f"{self.id} failed: {self.error}") from self.error

    def events(self, limit: int | None = None) -> pd.DataFrame:
        """Return the events of the journal, oldest first; the newest `limit` of them."""
        from tradenb.view.frames import event_frame

        return event_frame(self.shelf.events(limit))

    def ticks(self) -> pd.DataFrame:
        """Return the results of the last ticks, one row each."""
        return tick_frame([*self.history])

    def enter(self, status: Status) -> None:
        """Change the status; the engine's business."""
        self.status = status
        if status == "running":
            self._ended.clear()
        else:
            self._ended.set()

    def take(self, command: Command) -> None:
        """Take a command, which is obeyed at a tick that is made now; the engine's business."""
        self.commands.append(command)
        self.asked = True
        self._wake()

    @property
    def ending(self) -> bool:
        """Whether it is about to end: left, or told to stop with nothing to follow."""
        if self.status != "running" or self.leaving:
            return True
        state = None if self.instance is None else self.instance.state
        stops = any(command.kind == "stop" for command in [*self.commands])
        if state is None:
            return stops and (self.kept is None or self.kept.state.signal is None)
        return state.done or ((stops or state.stopping) and state.signal is None)

    def describe(self) -> str:
        """Say in one line what the run holds."""
        held = self.position or self.scheduled
        if held is None:
            return "nothing open"
        if held.opened_at is None:
            return f"{held.position} scheduled at {price(held.entry)}"
        return f"{held.position} since {iso(held.opened_at)} at {price(held.entry)}"

    def _account(self, *, charted: bool) -> Account:
        from tradenb.live.status.run_files import account_of_run

        del charted  # its candles are here
        return account_of_run(self)

    def _held(self, *, opened: bool) -> Held | None:
        state = self.committed  # what is on disk, once there was a commit
        if state is None and self.instance is not None:
            state = self.instance.state
        return state.held if state is not None and state.is_open == opened else None

    def _decide(self, decision: Decision) -> None:
        if not self.undecided:
            raise StateError(f"{self.id}: nobody else wrote its state; there is nothing to decide")
        self.decision, self.asked = decision, True
        self._wake()

    def _command(
        self, kind: CommandKind, id: str | None = None, cancel_id: str | None = None
    ) -> None:
        if kind == "stop" and self.status == "done":
            return  # twice is once
        if self.status != "running":
            raise StateError(f"{self.id} is {self.status}; only a running run takes {kind}")
        id, cancel_id = label_of(id, "id"), label_of(cancel_id, "cancel_id")
        self.take(Command(at=self._clock.now(), kind=kind, id=id, cancel_id=cancel_id))

    async def _until_ended(self) -> None:
        while not self._ended.is_set():  # noqa: ASYNC110 - it is set on another thread
            await asyncio.sleep(_HEARTBEAT_S)


def _unknown_symbol(symbol: str) -> Any:
    raise UsageError(f"{symbol} is not followed by this run")


def _nowhere() -> bool:
    return False
