"""The disk of one live run: lock, document, journal, views and requests behind one object."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from tradenb.core.events import Event
from tradenb.core.money.account import KEPT, Account
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.rules import Rules
from tradenb.core.signal import Trade
from tradenb.engine.serialise import event_to_row, events_of, to_record
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import StateError
from tradenb.live.state import loaded_document
from tradenb.live.state.checkpoint import Checkpoint, checkpoint_from
from tradenb.live.state.control_requests import Decision, RequestFiles
from tradenb.live.state.error_file import ErrorFile
from tradenb.live.state.shared_books import PeerCache, SharedBooks
from tradenb.store import control
from tradenb.store.codec import Generation, SealedDict, SealedDicts
from tradenb.store.document.document_store import DocumentStore
from tradenb.store.document.ledger_record import LedgerDicts
from tradenb.store.document.load import Found
from tradenb.store.document.migrations import VERSION
from tradenb.store.document.read import read_document
from tradenb.store.filesystem import DiskFilesystem, Filesystem
from tradenb.store.journal.event_journal import Journal
from tradenb.store.journal.order_journal import OrderJournal, noted
from tradenb.store.journal.recording import Recording
from tradenb.store.paths import Home, Key
from tradenb.store.view_files import run_views, write_views

log = logging.getLogger("tradenb")

PAPER: Final = "paper"


class DiskStorage(RequestFiles):
    """What a run keeps under a home.

    Parameters
    ----------
    revision : int
        How many versions of the strategy this process has seen; 0 if it was never registered.
    durable : bool
        Wait for the drive.
    alone : bool
        Its risk books are those of its group alone: for rehearsals, each with a time of its own.
    end : int, optional
        Close time at which a rehearsal ends, ms UTC.
    account : Account, optional
        Whose money it is.
    orders_of : str, default "paper"
        Whose orders it sends; "paper" sends none.
    """

    def __init__(
        self,
        home: Home,
        symbol: str,
        spec: StrategySpec,
        exchange: str,
        *,
        revision: int = 1,
        now: Callable[[], int],
        filesystem: Filesystem | None = None,
        durable: bool = True,
        alone: bool = False,
        end: int | None = None,
        account: Account | None = None,
        orders_of: str = PAPER,
    ) -> None:
        disk = filesystem or DiskFilesystem(durable=durable)
        super().__init__(disk, home, Key(spec.name, symbol), now)
        self.home = home.root
        self.orders_of = orders_of
        self._home = home
        self._spec = spec
        self._exchange = exchange
        self._revision = revision
        self._document = DocumentStore(disk, home.document(self._key), guard=self.lock.assure)
        self.journal = Journal(disk, home.journal(self._key))
        self._recording = Recording(disk, home.recording(self._key))
        self.order_journal = OrderJournal(disk, home.orders(self._key))
        self.errors = ErrorFile(disk, home.error(self._key), self.lock.is_ours)
        self._views = home.views(self._key)
        self._shown: tuple[Any, ...] | None = None
        self._alone = alone
        self._end = end
        self._money = None if account is None else {n: getattr(account, n) for n in KEPT}
        self._body: dict[str, Any] = {}
        self._trades, self._ledgers = SealedDicts(Trade._asdict), LedgerDicts()
        self._rules: tuple[Rules | None, SealedDict | None] = None, None
        self._others = PeerCache()

    @property
    def filesystem(self) -> Filesystem:
        """What it is kept on."""
        return self._filesystem

    @property
    def files(self) -> Home:
        """Where the files of its home are."""
        return self._home

    @property
    def generation(self) -> Generation:
        """The last commit."""
        return Generation(self._document.seq, self._body, VERSION)

    @property
    def unkept(self) -> Generation | None:
        """What the run had when another program wrote its document, while that is in no file."""
        return self._document.unkept

    def books(
        self,
        rules: Iterable[str],
        own: Iterable[tuple[str, str]],
        unkept: Sequence[Generation] = (),
        *,
        accounts: Iterable[str] = (),
    ) -> SharedBooks:
        """Return the books of a group of runs under this home."""
        keys, disk = [Key(strategy, symbol) for symbol, strategy in own], self._filesystem
        return SharedBooks(
            disk, self._home, rules, accounts, keys, self._others, unkept, alone=self._alone
        )

    def accounts(self, name: str, own: tuple[str, str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield the runs under this home that name an account, and what they know of it.

        Those of which no document can be read are left out: they stop every entry later.
        """
        for key in self._home.keys(self._filesystem):
            if (key.symbol, key.strategy) == own:
                continue
            generation = self._others.read(self._filesystem, self._home.document(key))
            money = None if generation is None else generation.body.get("money")
            if money is not None and money["name"] == name:
                yield key.id, money

    def sending_on(self, symbol: str) -> Iterator[str]:
        """Yield the other runs under this home that send orders for a symbol of its account."""
        for key in self._home.keys(self._filesystem):
            if key.symbol != symbol or key == self._key:
                continue
            generation = self._others.read(self._filesystem, self._home.document(key))
            body = {} if generation is None else generation.body
            if body.get("account") == self.orders_of and not body["state"]["done"]:
                yield key.id

    def open(self) -> Checkpoint | None:
        """Lock, load the newest valid document, and bring journal and views in order.

        Raises
        ------
        StateLocked
            When another process holds the run.
        StateError
            When what is there cannot be used; see `DocumentStore.load`.
        """
        self.lock.acquire_patiently()
        try:
            with contextlib.suppress(OSError):  # a request is left without it, but not by a page
                control.prepare(self._filesystem, self._home, self._key)
            return self._begun_with(self._document.load())
        except BaseException:
            self.lock.release()
            raise

    def commit(self, checkpoint: Checkpoint) -> bool:
        """Replace the document, or raise StateWriteError; tell whether it survives a power loss."""
        body = self._body_of(checkpoint)
        synced = self._commit(body)
        self._taken_on_disk = body["taken"]
        return synced

    def commit_ledger(self, ledger: OrderLedger) -> bool:
        """Put orders on disk beside the state that was committed last; tell if they are synced.

        Not called while a commit of the run is under way, nor before its first one.
        """
        self.lock.refuse_lost()
        now = self.now()
        with noted(self.order_journal, ledger, now):
            body = {**self._body, "ledger": self._ledgers.of(ledger), "saved_at": now}
            return self._commit(body)

    def _commit(self, body: dict[str, Any]) -> bool:
        committed = self._document.commit(body)
        if committed.renewed:
            path = self._document.path
            log.error("%s was missing or damaged; it was written again from memory", path)
        self._body = body
        return committed.synced

    def decision(self) -> Decision | None:
        """Return what was decided from outside about a document that another program wrote."""
        decision = super().decision()
        # What the run had is written beside it if it could not be before.
        if self.lock.is_ours():
            with contextlib.suppress(OSError):  # there may be room again
                self._document.keep_aside()
        return decision

    def keep_ours(self) -> None:
        """Let the next commit replace what another program wrote, which is kept."""
        self.lock.refuse_lost()
        other = self._document.keep_ours()
        log.warning("%s: kept our state; the other one is saved as %s", self._document.path, other)

    def take_theirs(self) -> Checkpoint | None:
        """Load what another program wrote, as `open` does; one of another account is refused."""
        self.lock.refuse_lost()
        loaded_document.refuse_account(
            read_document(self._filesystem, self._document.path), self.orders_of
        )
        found = self._document.take_theirs()
        log.warning("%s: took the other state; ours is saved beside it", self._document.path)
        return self._begun_with(found)

    def announce(self) -> Exception | None:
        """Bring the events of the last commit to the journal, and the views up to date.

        Returns
        -------
        Exception or None
            Why the journal did not take them: the document keeps them until it does.
        """
        failure = None
        try:
            self.lock.assure()
            self.journal.append(self._body["outbox"])
        except Exception as error:  # noqa: BLE001 - the commit holds, whatever this is
            failure = error
        self._write_views()
        return failure

    def append_recording(self, lines: Sequence[object], *, sync: bool) -> None:
        """Append lines to the record of what the run went through."""
        self.lock.assure()
        self._recording.append(lines, sync=sync)

    def recording(self, since: int = 0) -> Iterator[list[Any] | dict[str, Any]]:
        """Read that record, without the candles that open before a moment."""
        return self._recording.read(since)

    def _write_views(self) -> None:
        """Write the views of an own run if they show something else now; never read as truth."""
        state = self._body["state"]
        shown = state["signal"], state["scheduled"], state["milestones"]
        if shown == self._shown:
            return
        try:
            if self.lock.is_ours():
                write_views(self._filesystem, run_views(self._views, self.generation))
                self._shown = shown
        except (StateError, OSError) as error:
            log.warning("%s", error)

    def start_over(self) -> None:
        """Set the journal aside: what happens from now on is another story."""
        last = loaded_document.last_number(self.journal)
        self.journal.set_aside()
        self._recording.set_aside(f"before-{last}")

    def events(self, limit: int | None = None) -> list[Event]:
        """Return the newest events of the journal, oldest first."""
        rows = self.journal.read() if limit is None else self.journal.tail(limit)
        return events_of(rows, self.journal.path)

    def close(self, *, told: bool = False) -> None:
        """Bring the views up to date, and give the lock back.

        Parameters
        ----------
        told : bool
            Journal and subscribers have all events: the next start tells none of them again.
        """
        self._shown = None
        try:
            if told and self._body.get("outbox"):
                self._commit({**self._body, "outbox": []})
        except (StateError, OSError) as error:
            log.warning("%s; the next start tells its last events again", error)
        finally:
            if self._body:
                self._write_views()
            self.lock.release()

    def _begun_with(self, found: Found) -> Checkpoint | None:
        """Bring journal and views in order with what was loaded."""
        loaded_document.say_moved(found)
        if found.generation is None:
            if not self._alone:
                loaded_document.refuse_to_forget(self.journal, self._document.path)
                self.order_journal.refuse_to_forget(self._document.path)
            return None
        self._body = body = self.order_journal.begun(found.generation.body)
        self._taken, self._taken_on_disk = list(body["taken"]), body["taken"]
        path, journal = self._document.path, self.journal
        loaded_document.put_in_order(self._filesystem, path, found.generation, journal, self._views)
        return checkpoint_from(body, last_seq=loaded_document.last_number(self.journal))

    def _body_of(self, checkpoint: Checkpoint) -> dict[str, Any]:
        rules = checkpoint.rules
        if rules is not self._rules[0]:
            made = None if rules is None else SealedDict(rules.model_dump(mode="json"))
            self._rules = rules, made
        return {
            "account": self.orders_of,
            "exchange": self._exchange,
            "symbol": self._key.symbol,
            "strategy": self._key.strategy,
            "revision": self._revision,
            "order": checkpoint.place,
            "risk": [rule.name for rule in self._spec.risk],
            "start": checkpoint.start,
            "history_start": checkpoint.history_start,
            "state": SealedDict(
                to_record(checkpoint.state._replace(trades=())),
                trades=self._trades.of(checkpoint.state.trades),
            ),
            "last_event_seq": checkpoint.last_seq,
            "outbox": [event_to_row(event) for event in checkpoint.outbox],
            "user_state": checkpoint.user_state,
            "taken": list(self._taken),
            "saved_at": self.now(),
            "price": checkpoint.price,
            "end": self._end,
            "reads": list(checkpoint.reads),
            "rules": self._rules[1],
            "money": self._money,
            "ledger": None if checkpoint.ledger is None else self._ledgers.of(checkpoint.ledger),
        }
