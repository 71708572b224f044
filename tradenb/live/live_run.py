"""`LiveRun`: the handle on one live run, safe to use from any thread and cell."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4
from weakref import WeakKeyDictionary, ref

from tradenb.brokers.broker import Broker
from tradenb.core.lifecycle.state import Command, CommandKind, State
from tradenb.errors import StateError, UsageError
from tradenb.live.command_methods import CommandMethods
from tradenb.live.loop.record import RunRecord, Status
from tradenb.live.loop.tick_result import tick_frame
from tradenb.live.state.control_requests import (
    Abandon,
    Decision,
    Withdrawal,
    abandon_price,
    check_abandon,
    check_withdrawal,
)
from tradenb.live.state.expected_band import keep_band
from tradenb.live.status.report_methods import ReportMethods
from tradenb.store.journal.order_journal import OrderJournal
from tradenb.store.paths import Key

if TYPE_CHECKING:
    import pandas as pd

    from tradenb.core.orders.ledger import OrderLedger
    from tradenb.live.status.pending_commands import PendingCommand
    from tradenb.live.status.run_fills import Written
    from tradenb.live.status.run_report import RunReport
    from tradenb.statistics.expectation import Band

_HEARTBEAT_S: Final = 0.1


class LiveRun(CommandMethods, ReportMethods):
    """A live run of one strategy on one symbol; `tn.live.background` and `rehearse` return it.

    Examples
    --------
    >>> import tempfile
    >>> import tradenb as tn
    >>> @tn.strategy("rehearsed once", every="5m")
    ... def rehearsed_once(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=1.5), minutes=10)
    >>> market, home = tn.testing.random_walk(seed=7, days=1), tempfile.mkdtemp()
    >>> given = {"strategy": rehearsed_once, "exchange": market, "home": home}
    >>> run = tn.live.rehearse("BTCUSDT", end="2024-01-01T00:30", speed=None, **given)
    >>> run.wait(60)
    True
    >>> run
    <live BTCUSDT:rehearsed once done, long since 2024-01-01 00:25 at 41,975.10>
    >>> run.trades()[["exit_reason", "pnl_percent"]].tail(2).round(2)
        exit_reason  pnl_percent
    0  time_expired         -0.4
    1  time_expired         -0.4
    >>> len(run.events()), run.error is None
    (6, True)
    """

    def __init__(self, record: RunRecord) -> None:
        self._record = record

    def __repr__(self) -> str:
        from tradenb.live.status.status_of_run import status_of_run

        found = status_of_run(self._record)
        what = "" if self._record.held is None else f", {found.holds}"
        shields = () if found.orders is None else found.orders.shields
        what += "".join(f", {shield}" for shield in shields)
        saved = "" if self.saved else ", UNSAVED"
        failed = "" if self.error is None else f", error: {self.error}"
        return f"<live {self.id} {found.label}{what}{saved}{failed}>"

    def _repr_html_(self) -> str:
        from tradenb.live.status.run_status import with_last_error
        from tradenb.live.status.status_card import status_card
        from tradenb.live.status.status_of_run import status_of_run

        status = status_of_run(self._record)
        return status_card(with_last_error(status, self._record.storage.events))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """Return both forms at once; the front end chooses."""
        del include, exclude
        return {"text/plain": repr(self), "text/html": self._repr_html_()}

    @property
    def id(self) -> str:
        """Symbol and strategy."""
        return self._record.id

    @property
    def symbol(self) -> str:
        """Symbol, as the exchange names it."""
        return self._record.symbol

    @property
    def strategy(self) -> str:
        """Name of the strategy."""
        return self._record.strategy

    @property
    def home(self) -> Path:
        """Folder that its state is under."""
        return Path(self._record.storage.home)

    @property
    def broker(self) -> Broker | None:
        """Where its orders go; None: candles fill it."""
        return self._record.broker

    @property
    def status(self) -> Status:
        """idle: not running, a start resumes it; running; done: ended by `stop` or at its end."""
        return self._record.status

    @property
    def saved(self) -> bool:
        """Whether the last state is on disk."""
        return self._record.saved

    @property
    def undecided(self) -> bool:
        """Whether another program wrote its document: `keep_ours` or `take_theirs` decides."""
        return self._record.undecided

    @property
    def error(self) -> BaseException | None:
        """What went wrong last; None after a good tick."""
        return self._record.error

    @property
    def stopping(self) -> bool:
        """Whether a graceful stop was given and the run has not ended yet."""
        return self._record.stopping

    @property
    def pending_commands(self) -> tuple[PendingCommand, ...]:
        """The commands that have not acted yet: what, when each acts, and its id for `withdraw`."""
        from tradenb.live.status.status_of_run import pending_of_run

        return pending_of_run(self._record)

    def withdraw(self, id: str | None = None) -> None:
        """Take back commands that have not acted yet: all, or the one with this id.

        Raises
        ------
        StateError
            When no command waits for its candle; what has acted cannot be taken back.
        """
        waiting = [command.request or "" for command in self._record.pending_commands]
        check_withdrawal(self.id, waiting, id)
        self._record.accept(Withdrawal(self._record.clock.now(), id))

    def abandon(self, price: float) -> None:
        """End what it holds at a price, where its symbol gives no candle any more.

        The position is closed as of the newest candle (`abandoned`), a waiting entry is cancelled.
        The price counts as one paid at market: slippage and fee apply.

        Raises
        ------
        StateError
            When candles still come, or the run is not running; `tradenb retire NAME --abandon
            PRICE` ends the position of one that no process runs.
        """
        price, record = abandon_price(price), self._record
        if record.status != "running":
            raise StateError(
                f"{self.id} is {self.status}; end its position with: "
                f"tradenb retire {self.id} --abandon PRICE"
            )
        state = record.checkpoint.state if record.state is None and record.checkpoint else None
        cursor = record.cursor if state is None else state.cursor
        check_abandon(self.id, cursor, record.clock.now())
        record.accept(Abandon(record.clock.now(), price))

    def release(self) -> None:
        """Leave the run, keeping its position; the next start resumes it."""
        self._record.release()

    def keep_ours(self) -> None:
        """Keep the state of this run; the one that another program wrote is kept beside it."""
        self._decide("keep_ours")

    def take_theirs(self) -> None:
        """Go on from the state that another program wrote; that of this run is kept beside it."""
        self._decide("take_theirs")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the run has ended, at most `timeout` seconds; return whether it has.

        Raises
        ------
        UsageError
            In an async callback or strategy, which would wait for itself.
        """
        if self._record.on_loop():
            raise UsageError(f"wait() would block the loop of {self.id} itself; remove it here")
        waited = 0.0
        while not self._record.ended.wait(_HEARTBEAT_S):
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
        from tradenb.view.event_frames import event_frame

        return event_frame(self._record.storage.events(limit))

    def ticks(self) -> pd.DataFrame:
        """Return the results of the last ticks, one row each."""
        return tick_frame([*self._record.last_ticks])

    def _state(self) -> State | None:
        return self._record.state

    def _written(self) -> Written:
        from tradenb.live.status.run_fills import Written, booked_by

        record, storage = self._record, self._record.storage
        rules, booked = record.rules_in_force, booked_by(record.state)
        in_money = record.account is not None
        return Written(storage.events(), storage.recording, rules, booked, in_money)

    def _band(self) -> Band | None:
        return self._record.band

    def _keep_band(self, band: Band) -> None:
        record = self._record
        storage, key = record.storage, Key(record.strategy, record.symbol)
        keep_band(storage.filesystem, storage.files, key, band)
        record.band = band

    def _order_ledger(self) -> OrderLedger | None:
        return self._record.known_ledger

    def _order_journal(self) -> OrderJournal:
        record = self._record
        storage, key = record.storage, Key(record.strategy, record.symbol)
        return OrderJournal(storage.filesystem, storage.files.orders(key))

    def _run_report(self, *, with_candles: bool) -> RunReport:
        from tradenb.live.status.run_report import report_of_run

        # Its candles are here anyway; the trades are for the page that shows them.
        return report_of_run(self._record, trades=with_candles)

    def _decide(self, decision: Decision) -> None:
        if not self.undecided:
            raise StateError(
                f"{self.id}: no other program wrote its state; there is nothing to decide"
            )
        self._record.decide(decision)

    def _command(
        self,
        kind: CommandKind,
        id: str | None = None,
        cancel_id: str | None = None,
        values: dict[str, object] | None = None,
    ) -> None:
        if kind == "stop" and self.status == "done":
            return  # twice is once
        if self.status != "running":
            raise StateError(self._not_running(kind))
        now = self._record.clock.now()
        self._record.accept(Command(now, kind, id, cancel_id, uuid4().hex[:12], values))

    def _not_running(self, kind: CommandKind) -> str:
        from tradenb.live.status.run_status import not_running
        from tradenb.live.status.status_of_run import status_of_run

        return not_running(status_of_run(self._record), kind)

    async def _until_ended(self) -> None:
        while not self._record.ended.is_set():  # noqa: ASYNC110 - it is set on another thread
            await asyncio.sleep(_HEARTBEAT_S)


# A record has one handle for as long as it is referenced: the same run is the same object. Neither
# is held by this: what a strategy knows may lead back to the run that it is of.
_handles: WeakKeyDictionary[RunRecord, ref[LiveRun]] = WeakKeyDictionary()


def handle_of(record: RunRecord) -> LiveRun:
    """Return the handle on a run."""
    known = _handles.get(record)
    handle = None if known is None else known()
    if handle is None:
        handle = LiveRun(record)
        _handles[record] = ref(handle)
    return handle


def record_of(run: LiveRun) -> RunRecord:
    """Return what the loop knows of a run, for the modules that show or export it."""
    return run._record
