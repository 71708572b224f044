"""The files of one run, read without disturbing it: how it is, and what has happened.

Reading changes nothing and takes no lock for longer than it takes to see that it is free.
"""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic, time
from typing import Any, Final

from tradenb.brokers.status.order_status import OrderStatus, order_status
from tradenb.clock import wall_ms
from tradenb.core.events import Event
from tradenb.core.lifecycle.state import State
from tradenb.core.orders.gate import PAPER, sends_orders
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.timeframe import iso
from tradenb.engine.serialise import events_of, from_record
from tradenb.engine.specs.registry import registry
from tradenb.errors import StateError
from tradenb.live.state.control_requests import command_of, standing
from tradenb.live.state.error_file import NotedError, noted_error
from tradenb.live.state.expected_band import kept_band
from tradenb.live.status.pending_commands import PendingCommand, pending
from tradenb.live.status.run_money import run_money
from tradenb.live.status.run_status import RunStatus, mode_of, status_of_document
from tradenb.statistics.expectation import Band
from tradenb.store.control import peek
from tradenb.store.document.glance import glance
from tradenb.store.document.plain_record import record_of
from tradenb.store.document.state_conflict import words_if_undecided
from tradenb.store.filesystem import DiskFilesystem, Filesystem, Stamp, stamp_of
from tradenb.store.journal.event_journal import Journal
from tradenb.store.journal.order_journal import OrderJournal
from tradenb.store.journal.recording import Recording
from tradenb.store.launch import Launch, launch_of
from tradenb.store.lock import Holder, holder_of
from tradenb.store.paths import Home, Key

_NEVER: Final = float("-inf")
_TOO_LITTLE: Final = 1_000_000


class RunFiles:
    """Reads the files of one run; a document that has not changed is not read again.

    Which process holds the run is checked at most every `lock_every_s` seconds.
    """

    def __init__(self, home: Home, key: Key, *, lock_every_s: float = 0.0) -> None:
        self.home = home
        self.key = key
        self.journal = Journal(DiskFilesystem(durable=False), home.journal(key))
        self.failure: StateError | None = None
        self._disk = DiskFilesystem(durable=False)
        self.recording = Recording(self._disk, home.recording(key))
        self.orders = OrderJournal(self._disk, home.orders(key))
        self._path = home.document(key)
        self._lock_every_s = lock_every_s
        self._stamp: Stamp = None
        self._body: dict[str, Any] = {}
        self._state: State | None = None
        self._ledger: OrderLedger | None = None
        self._locked_at = _NEVER
        self._locked = False
        self._holder: Holder | None = None
        self._undecided = ""
        self._lock_words = ""
        self._disk_words = ""
        self._noted: NotedError | None = None
        self._launch: Launch | None = None
        self.band: Band | None = None

    def order_ledger(self) -> OrderLedger | None:
        """Return the orders of the run; None: it sends none."""
        self._read_document()
        return self._ledger

    def status(self) -> RunStatus:
        """Return how the run is; a document that cannot be read is an error in words."""
        self._read_document()
        if monotonic() - self._locked_at >= self._lock_every_s:
            self._read_lock()
        body, state, commands = self._body, self._state, self._pending()
        done, stopping = state is not None and state.done, state is not None and state.stopping
        error, money = self._error(), body.get("money")
        holder, launch = self._holder, self._launch
        started = 0 if holder is None else holder.started
        return RunStatus(
            self.key.symbol,
            self.key.strategy,
            mode_of(self.home.root),
            str(self.home.root),
            status_of_document(body, locked=self._locked),
            unknown=bool(self._lock_words),
            exchange=body.get("exchange", ""),
            held_by="" if holder is None else str(holder),
            state=state,
            saved=not self._undecided,
            stopping=not done and (stopping or any(each.kind == "stop" for each in commands)),
            pending_commands=commands,
            starting=holder is not None and body.get("saved_at", 0) < started,
            stale=holder is not None and launch is not None and _is_stale(self.key, launch),
            code_at=started or None,
            resume="" if launch is None else launch.file,
            by_cron=launch is not None and launch.once,
            given_rules=body.get("rules"),
            price=body.get("price"),
            band=self.band,
            risk=tuple(body.get("risk", ())),
            money=run_money(money, state, body.get("price")) if money else None,
            orders=self._orders(),
            started=body.get("start"),
            last_tick=body.get("saved_at"),
            age_s=self._age_s(),
            warnings=self._warnings(),
            reads=tuple(body.get("reads", ())),
            error=error,
            last_error=error or self._noted_before(),
            last_event_seq=int(body.get("last_event_seq", 0)),
        )

    def required(self) -> RunStatus:
        """Return the same, or raise a StateError if the run has no state that can be read."""
        found = self.status()
        if self.failure is not None:
            raise self.failure
        if found.state is None:
            raise StateError(f"{found.id} has no state under {self.home.root}")
        return found

    def events(self, limit: int | None = None) -> list[Event]:
        """Return the events of the journal, oldest first; the newest `limit` of them."""
        rows = self.journal.read() if limit is None else self.journal.tail(limit)
        return events_of(rows, self.journal.path)

    def forget_lock(self) -> None:
        """Check at the next call which process holds the run, however recent the last check is."""
        self._locked_at = _NEVER

    def _pending(self) -> tuple[PendingCommand, ...]:
        """Return the commands that have not acted: in the document, or still in their files."""
        state = self._state
        known = [] if state is None or state.done else [*state.commands]
        if self._locked or known:
            taken = self._body.get("taken", [])
            waiting = peek(self._disk, self.home.control(self.key), self.key)
            known = standing(
                [*known, *(command_of(each) for each in waiting if each.id not in taken)]
            )
        if not known:
            return ()
        replayed = mode_of(self.home.root) == "rehearsal"
        cursor = 0 if state is None else state.cursor
        return pending(known, cursor, None if replayed else wall_ms())

    def _orders(self) -> OrderStatus | None:
        account = self._body.get("account", PAPER)
        if not sends_orders(account):
            return None
        replayed = mode_of(self.home.root) == "rehearsal"
        at = self._body.get("saved_at", 0) if replayed else wall_ms()
        return order_status(account, self._ledger, at)

    def _read_document(self) -> None:
        stamp = stamp_of(self._path)
        if stamp is not None and stamp == self._stamp:
            return
        try:
            found = glance(self._disk, self._path, _what_is_shown)
        except StateError as error:
            # The state that was read before stays: a damaged file closes no position.
            self.failure = error
            return
        self.failure = None if found is not None else self._lost()
        if found is not None:
            self._body, self._state, self._ledger = found
        # Last: read again after an interrupt, never half read for good.
        self._stamp = stamp

    def _lost(self) -> StateError | None:
        """Say of a run without a document why no start goes on with it; None: it never had one."""
        try:
            self.orders.refuse_to_forget(self._path)
            names = self._disk.names(self._path.parent)
        except StateError as error:
            return error
        except OSError:
            return None
        if not any(name.startswith(f"{self._path.name}.corrupt-") for name in names):
            return None
        return StateError(
            f"{self._path} has no valid generation left, so what it holds is not known; "
            "`tradenb doctor` lists those that were kept, `tradenb doctor --accept FILE` takes one"
        )

    def _read_lock(self) -> None:
        self._locked_at = monotonic()
        lock = self.home.lock(self.key)
        self._lock_words = ""
        try:
            self._locked = is_locked(self._disk, lock)
        except OSError as error:
            words = error.strerror or error
            self._locked = False
            self._lock_words = (
                f"{lock} cannot be read ({words}), so it is not known whether a process runs it; "
                "repair it, or look from a user who may read it"
            )
        self._holder = holder_of(self._disk, lock) if self._locked else None
        self._noted = noted_error(self._disk, self.home.error(self.key))
        self._launch = launch_of(self._disk, self.home, self.key)
        self.band = kept_band(self._disk, self.home, self.key)
        self._undecided = words_if_undecided(self._disk, self._path)
        self._disk_words = _disk_words(self.home.root) if self._locked else ""

    def _error(self) -> str:
        """Return what is wrong now; what the run noted counts while its process lives."""
        if self._undecided or self.failure is not None:
            return self._undecided or str(self.failure)
        if self._lock_words:
            return self._lock_words
        noted, holder = self._noted, self._holder
        if noted is None or holder is None or noted.last < holder.started:
            return self._disk_words
        return noted.error or self._disk_words

    def _warnings(self) -> tuple[str, ...]:
        """Return what is wrong with its candles, while its process lives."""
        noted, holder = self._noted, self._holder
        if noted is None or holder is None or noted.last < holder.started:
            return ()
        return noted.warnings

    def _noted_before(self) -> str:
        """Return what the run noted last, with its time."""
        noted = self._noted
        return f"{iso(noted.last)} {noted.error}" if noted is not None and noted.error else ""

    def _age_s(self) -> float | None:
        """Return the seconds since a sign of life; a rehearsal's own clock does not say that.

        A time to come is not fresh: a clock was wrong then, or is now.
        """
        if self._stamp is None:
            return None
        if mode_of(self.home.root) == "rehearsal":
            return abs(time() - self._stamp[0] / 1e9)
        signs: list[int] = [self._body.get("saved_at", 0)]
        signs += [] if self._noted is None else [self._noted.last]
        signs += [] if self._holder is None else [self._holder.started]
        return min(abs(time() - sign / 1e3) for sign in signs)


def _what_is_shown(body: dict[str, Any]) -> tuple[dict[str, Any], State, OrderLedger | None]:
    ledger = body.get("ledger")
    orders = None if ledger is None else record_of(OrderLedger, ledger)
    return body, from_record(body["state"]), orders


def _is_stale(key: Key, launch: Launch) -> bool:
    """Tell whether a strategy of this process is newer than the code of a run elsewhere."""
    current = registry.known("strategy", key.strategy)
    return bool(launch.code) and current is not None and current.fingerprint != launch.code


def _disk_words(folder: Path) -> str:
    """Say why a run cannot write; where it cannot, it cannot note that either."""
    found = os.statvfs(folder)
    if found.f_flag & os.ST_RDONLY:
        return f"{folder} is read-only, so the run cannot save its state; remount its disk"
    free = found.f_bavail * found.f_frsize
    if not found.f_blocks or free >= _TOO_LITTLE:
        return ""
    words = f"the disk of {folder} has room for {free:,} bytes"
    return f"{words}: a save of the state may fail; make room"


def is_locked(disk: Filesystem, path: Path) -> bool:
    """Tell whether a process has a run.

    One that only looks after its orders (`tradenb guard`) gives the lock up, and does not count.
    """
    return disk.is_locked(path) and not holder_of(disk, path).yields
