"""A handle on a run of another process: read from its files, asked through control files."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradenb.clock import wall_ms
from tradenb.core.events import Event
from tradenb.core.rules import Rules
from tradenb.errors import StateError
from tradenb.live.command_methods import CommandMethods
from tradenb.live.state.control_requests import (
    abandon_price,
    check_abandon,
    check_withdrawal,
)
from tradenb.live.state.expected_band import keep_band
from tradenb.live.status.pending_commands import PendingCommand
from tradenb.live.status.report_methods import ReportMethods
from tradenb.live.status.run_files import RunFiles
from tradenb.live.status.run_status import RunStatus, not_running, with_last_error
from tradenb.store.control import RequestKind, send
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.lock import FileLock
from tradenb.store.ownership import refuse_foreign
from tradenb.store.paths import Home, Key, find_home

if TYPE_CHECKING:
    import pandas as pd

    from tradenb.core.lifecycle.state import CommandKind, State
    from tradenb.core.orders.ledger import OrderLedger
    from tradenb.live.loop.record import Status
    from tradenb.live.status.run_fills import Written
    from tradenb.live.status.run_report import RunReport
    from tradenb.statistics.expectation import Band
    from tradenb.store.journal.order_journal import OrderJournal

log = logging.getLogger("tradenb")

_LOOK_EVERY_S: Final = 0.1


class AttachedRun(CommandMethods, ReportMethods):
    """A live run that another process holds, or held.

    Attributes
    ----------
    symbol, strategy : str
    home : Path

    Examples
    --------
    >>> import tempfile
    >>> import tradenb as tn
    >>> @tn.strategy("from elsewhere", every="5m")
    ... def from_elsewhere(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=1.5), minutes=10)
    >>> market, home = tn.testing.random_walk(seed=7, days=1), tempfile.mkdtemp()
    >>> given = {"strategy": from_elsewhere, "exchange": market, "home": home}
    >>> run = tn.live.rehearse("BTCUSDT", end="2024-01-01T00:30", speed=None, **given)
    >>> run.wait(60)
    True
    >>> (other,) = tn.live.attach(home, ended=True)
    >>> other
    <attached rehearsal BTCUSDT:from elsewhere done>
    >>> other.trades().equals(run.trades())
    True
    """

    def __init__(self, home: Home, key: Key) -> None:
        self.symbol, self.strategy = key.symbol, key.strategy
        self.home = home.root
        self._files = RunFiles(home, key)
        self._disk = DiskFilesystem()

    def __repr__(self) -> str:
        found = self._files.status()
        what = "rehearsal " if found.mode == "rehearsal" else ""
        shields = () if found.orders is None else found.orders.shields
        more = [*map(str, shields), *([f"held by {found.held_by}"] if found.held_by else [])]
        return f"<attached {what}{self.id} {', '.join([found.label, *more])}>"

    def _repr_html_(self) -> str | None:
        from tradenb.live.status.status_card import HINTS_ELSEWHERE, status_card

        try:
            found = self._files.required()
        except StateError:
            return None  # the plain form is all there is to show
        return status_card(with_last_error(found, self._files.events), hints=HINTS_ELSEWHERE)

    @property
    def id(self) -> str:
        """Symbol and strategy."""
        return f"{self.symbol}:{self.strategy}"

    @property
    def status(self) -> Status:
        """Running while a process holds the lock; idle if a start would resume it; else done.

        A run is done when it was ended by `stop`, a rehearsal also when it came to its end.
        """
        return self._status().status

    @property
    def stopping(self) -> bool:
        """Whether a graceful stop was given and the run has not ended yet."""
        return self._status().stopping

    @property
    def pending_commands(self) -> tuple[PendingCommand, ...]:
        """The commands that have not acted yet: what, when each acts, and its id for `withdraw`."""
        return self._status().pending_commands

    @property
    def body(self) -> dict[str, Any]:
        """The document as it is on disk."""
        found = read_document(self._disk, self._files.home.document(self._files.key))
        return {} if found is None else found.body

    def withdraw(self, id: str | None = None) -> None:
        """Take back commands that have not acted yet: all, or the one with this id.

        Raises
        ------
        StateError
            When no command waits for its candle; what has acted cannot be taken back.
        """
        waiting = [command.id for command in self.pending_commands]
        check_withdrawal(self.id, waiting, id)
        self._send("withdraw", request_id=id)

    def abandon(self, price: float) -> None:
        """End what it holds at a price, where its symbol gives no candle any more.

        A run that no process holds is changed on disk, at once.

        Raises
        ------
        StateError
            When candles still come, or it holds nothing.
        """
        price, found = abandon_price(price), self._status()
        if found.status == "running":
            if found.mode == "live":
                check_abandon(self.id, found.cursor or 0, wall_ms())
            self._send("abandon", price=price)
            return
        from tradenb.live.state.abandoned import abandon_on_disk

        home, key = self._files.home, self._files.key
        with FileLock(self._disk, home.lock(key), what=self.id) as lock:
            abandon_on_disk(self._disk, home, key, lock, price, now=wall_ms())

    def release(self) -> None:
        """Ask it to leave the run, keeping the position."""
        self._send("release")

    def keep_ours(self) -> None:
        """Keep the state of the run over one that another program wrote."""
        self._send("keep_ours")

    def take_theirs(self) -> None:
        """Let the run go on from the state that another program wrote."""
        self._send("take_theirs")

    def events(self, limit: int | None = None) -> pd.DataFrame:
        """Return the events of the journal, oldest first; the newest `limit` of them."""
        from tradenb.view.event_frames import event_frame

        return event_frame(self.event_list(limit))

    def event_list(self, limit: int | None = None) -> list[Event]:
        """Return the same as records; no pandas needed."""
        return self._files.events(limit)

    def lived(self, since: int = 0) -> Iterator[list[Any] | dict[str, Any]]:
        """Read the record of what it went through; candles only since then, ms UTC."""
        return self._files.recording.read(since)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until no process runs it, at most `timeout` seconds; return whether that came."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.status == "running":
            if deadline is not None and time.monotonic() >= deadline:
                return False
            time.sleep(_LOOK_EVERY_S)
        return True

    def _written(self) -> Written:
        from tradenb.live.status.run_fills import Written, booked_by

        status = self._status()
        booked, in_money = booked_by(status.state), status.money is not None
        return Written(self.event_list(), self.lived, Rules(), booked, in_money)

    def _band(self) -> Band | None:
        return self._status().band

    def _keep_band(self, band: Band) -> None:
        refuse_foreign(self._files.home)
        keep_band(self._disk, self._files.home, self._files.key, band)
        self._files.band = band

    def _order_ledger(self) -> OrderLedger | None:
        return self._files.order_ledger()

    def _order_journal(self) -> OrderJournal:
        return self._files.orders

    def _run_report(self, *, with_candles: bool) -> RunReport:
        """Tell what the files say; candles are those of its exchange, kept or fetched."""
        from tradenb.live.status.chart_candles import add_candles
        from tradenb.live.status.run_report import report_of_files

        report = report_of_files(self._files, trades=with_candles)
        return add_candles(report, self.home) if with_candles else report

    def _state(self) -> State | None:
        return self._status().state

    def _status(self) -> RunStatus:
        found = self._files.status()
        if self._files.failure is not None and found.status != "running":
            raise self._files.failure
        return found

    def _command(
        self,
        kind: CommandKind,
        id: str | None = None,
        cancel_id: str | None = None,
        values: dict[str, object] | None = None,
    ) -> None:
        if kind == "stop" and self.status == "done":
            return  # twice is once
        self._send(kind, id, cancel_id, values=values)

    def _send(
        self,
        kind: RequestKind,
        id: str | None = None,
        cancel_id: str | None = None,
        request_id: str | None = None,
        price: float | None = None,
        values: dict[str, object] | None = None,
    ) -> None:
        if self.status != "running":
            raise StateError(not_running(self._files.status(), kind))
        refuse_foreign(self._files.home)
        now = wall_ms()
        home, key = self._files.home, self._files.key
        given = {"signal_id": id, "cancel_id": cancel_id, "request_id": request_id}
        send(self._disk, home, key, kind, wall=now, price=price, values=values, **given)


def attached(home: str | Path | None = None, *, ended: bool = False) -> list[AttachedRun]:
    """Return the runs and rehearsals under a home that a process holds now; or all there are."""
    disk, place = DiskFilesystem(), find_home(home)
    runs = [
        AttachedRun(each, key)
        for each in (place, place.rehearsal)
        for key in each.keys(disk, locks=True)
    ]
    return [run for run in runs if _is_wanted(run, ended=ended)]


def _is_wanted(run: AttachedRun, *, ended: bool) -> bool:
    try:
        return run.status == "running" or (ended and run._status().state is not None)
    except StateError as error:  # no process holds it; the others must stay within reach
        log.warning("%s is left out: %s", run.id, error)
        return False
