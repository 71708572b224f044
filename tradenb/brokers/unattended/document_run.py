"""`DocumentRun`: the orders of a document that no process has, without strategy and candles.

It is to an order manager what a live run is, and it never enters: candles decide that. What the
exchange does is left in the document as reports, which the next start of the run gives to its
strategy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from tradenb.brokers.broker import Broker
from tradenb.brokers.day_result import day_result
from tradenb.core.lifecycle.exchange_route import desired_position
from tradenb.core.lifecycle.state import State
from tradenb.core.orders.gate import sends_orders
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_alarms import Alarm
from tradenb.core.orders.order_records import ZERO, DesiredPosition
from tradenb.core.timeframe import MINUTE
from tradenb.engine.ports import Clock
from tradenb.engine.serialise import from_record
from tradenb.errors import StateError
from tradenb.store.control import kill_switch
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.document.ledger_record import ledger_from_record, ledger_to_record
from tradenb.store.filesystem import Filesystem
from tradenb.store.journal.order_journal import OrderJournal, noted
from tradenb.store.lock import FileLock
from tradenb.store.paths import Home, Key

Reason = Literal["flattened", "time_expired"]


class DocumentRun:
    """A run that is followed by its document alone; a context manager that has its lock.

    Parameters
    ----------
    filesystem : Filesystem
    home : Home
    key : Key
    clock : Clock
    quiet_ms : int, default 0
        So long nothing was sent for it before now, ms.
    yields : bool, default False
        It looks whether another process wants the lock, and gives it up.
    leaves : bool, default False
        Whatever is held is sold, as by a kill switch that says flatten.

    Attributes
    ----------
    doubt : str
        Why its order journal tells nothing, else empty. It is evidence: without it what is held is
        followed all the same.

    Raises
    ------
    StateLocked
        On entering, when another process has it.
    StateError
        On entering, when there is no document that sends orders, or it cannot be used.
    """

    def __init__(
        self,
        filesystem: Filesystem,
        home: Home,
        key: Key,
        clock: Clock,
        *,
        quiet_ms: int = 0,
        yields: bool = False,
        leaves: bool = False,
    ) -> None:
        self.filesystem, self.files, self.key = filesystem, home, key
        self.symbol, self.strategy, self.id = key.symbol, key.strategy, key.id
        self.quiet_ms, self._leaves = quiet_ms, leaves
        self.doubt = ""
        self.storage: Any = self  # where its orders are committed
        self.broker: Broker | None = None
        self.wake_orders: Callable[[], None] | None = None
        self.ledger: OrderLedger | None = None
        self.alarms: tuple[Alarm, ...] = ()
        self.commit_lock = asyncio.Lock()
        self.lock = FileLock(
            filesystem, home.lock(key), started=clock.now(), what=key.id, yields=yields
        )
        self._clock = clock
        self._store = DocumentStore(filesystem, home.document(key), guard=self.lock.assure)
        self.order_journal = OrderJournal(filesystem, home.orders(key))
        self._body: dict[str, Any] = {}
        self._state: State | None = None

    def __enter__(self) -> DocumentRun:
        """Take the lock and load the document."""
        self.lock.acquire_patiently()
        try:
            generation = self._store.load().generation
            if generation is None or not sends_orders(generation.body["account"]):
                raise StateError(f"{self.id} has no orders under {self.files.root}")
            self._body = self._begun(generation.body)
            self._state = from_record(generation.body["state"])
        except BaseException:
            self.lock.release()
            raise
        return self

    def __exit__(self, *reason: object) -> None:
        """Give the lock back."""
        self.lock.release()

    @property
    def account(self) -> str:
        """Whose orders it sends."""
        return str(self._body["account"])

    @property
    def known_ledger(self) -> OrderLedger | None:
        """Its orders; before a manager has begun those of the document."""
        if self.ledger is not None:
            return self.ledger
        record = self._body.get("ledger")
        return None if record is None else ledger_from_record(record)

    def now(self) -> int:
        """Return the time, ms UTC."""
        return self._clock.now()

    @property
    def has_looked(self) -> bool:
        """Whether a manager has reconciled everything since it began."""
        return self.ledger is not None and not self.ledger.check_due

    @property
    def desired(self) -> DesiredPosition | None:
        """What is wanted at the exchange; never to enter.

        The kill switch and the end of its time close without a candle.
        """
        if self._state is None:
            return None
        wanted, ledger = desired_position(self._state), self.known_ledger
        if wanted.want == "enter":  # what was sent is followed, nothing else is
            if ledger is None or not ledger.of(wanted.signal_id, "entry"):
                return wanted._replace(want="exit", quantity=ZERO, reason="flattened")
            wanted = wanted._replace(want="hold", quantity=ZERO)
        reason = self._why_leave() if wanted.want == "hold" else None
        if reason is None:
            return wanted
        return wanted._replace(want="exit", since=self._clock.now(), reason=reason)

    @property
    def heard(self) -> int:
        """The last report of orders that acted in the state on disk."""
        state = self._state
        return 0 if state is None or state.execution is None else state.execution.heard

    @property
    def last_price(self) -> float | None:
        """Market price when the run saw its last candle."""
        found: float | None = self._body.get("price")
        return found

    @property
    def ledger_name(self) -> str | None:
        """What no other run has, in the ids of its orders."""
        return f"{self.account} {self.symbol} {self.strategy} {self._body['start']}"

    def day_result(self, now: int) -> float:
        """Return what it made since midnight UTC, realised and open, quote currency."""
        return day_result(self._state, self.known_ledger, self.last_price, now)

    def commit_ledger(self, ledger: OrderLedger) -> bool:
        """Put orders on disk beside the state; tell whether they survive a power loss.

        `saved_at` stays what it was: it tells when the run itself was last at work.
        """
        self.lock.refuse_lost()
        with noted(self.order_journal, ledger, self._clock.now()):
            body = {**self._body, "ledger": ledger_to_record(ledger)}
            committed = self._store.commit(body)
            self._body = body
        return committed.synced

    def _begun(self, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return self.order_journal.begun(body)
        except StateError as error:
            self.doubt = str(error)
            return {**body}

    def _why_leave(self) -> Reason | None:
        """Return why what is held is left, though its document wants to hold it."""
        if self._leaves or kill_switch(self.filesystem, self.files.kill) == "flatten":
            return "flattened"
        state, ledger = self._state, self.known_ledger
        signal = None if state is None else state.signal
        if state is None or signal is None or ledger is None or signal.minutes is None:
            return None
        entered = (
            report.at
            for report in ledger.reports
            if report.signal_id == signal.id and report.kind == "entered"
        )
        opened_at = state.opened_at or next(entered, None)
        if opened_at is None or self._clock.now() < opened_at + signal.minutes * MINUTE:
            return None
        return "time_expired"
