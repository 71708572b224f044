"""`OrderJournal`: what a run sent and heard, a line each, on disk before a request leaves.

    {"wall": ..., "run": ..., "order": {...}}     an order that is new, or has changed, whole
    {"wall": ..., "run": ..., "report": {...}}    what the lifecycle was told
    {"wall": ..., "run": ..., "carried": {...}}   the first line of a file that continues another

It is evidence and never the truth: what it knows and a document does not is asked of the exchange.
A torn line is skipped. It is rotated as the journal of events is, and no file is ever removed. A
file that continues another begins with all orders of positions that live, so a start reads the
last file alone, unless its document is older than that file. So does one that somebody removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from tradenb.core.orders.client_ids import is_ours
from tradenb.core.orders.gate import sends_orders
from tradenb.core.orders.ledger import OrderLedger, changed_orders
from tradenb.core.orders.order_records import Order
from tradenb.core.timeframe import iso
from tradenb.errors import StateCorrupt, StateError, StateWriteError
from tradenb.store.document.ledger_record import (
    ledger_from_record,
    ledger_to_record,
    order_from_record,
    to_plain,
)
from tradenb.store.filesystem import Filesystem, size_of
from tradenb.store.journal.recording import Recording
from tradenb.store.journal.rotation import ROTATE_BYTES, JournalFiles

_OVER: Final = frozenset({"exited", "not_entered"})


class Journalled(NamedTuple):
    """What a journal says of one run.

    Attributes
    ----------
    orders : dict of str to Order
        The last form of each, by client id, in the order in which they came.
    over : dict of str to int
        Signals that were told to have ended, with the `seq` of that report.
    """

    orders: dict[str, Order]
    over: dict[str, int]

    @property
    def left(self) -> list[Order]:
        """Orders of signals that are not over, as far as it knows."""
        return [order for order in self.orders.values() if order.signal_id not in self.over]


class OrderJournal:
    """The journal of one run. Reading needs no lock, noting has the run's.

    Parameters
    ----------
    path : Path
        `Home.orders(key)`.
    rotate_bytes : int
        A file of this size is continued in a new one.
    """

    def __init__(
        self, filesystem: Filesystem, path: Path, *, rotate_bytes: int = ROTATE_BYTES
    ) -> None:
        self.path = path
        self._filesystem, self._rotate_bytes = filesystem, rotate_bytes
        self._file, self._files = Recording(filesystem, path), JournalFiles(filesystem, path)
        self._noted, self._news = OrderLedger(""), ""

    def begun(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the body of a document that is loaded, with orders of ours that it lacks.

        Raises
        ------
        StateError
            When the journal cannot be read.
        """
        if not sends_orders(body["account"]):
            return body
        body, record = self.recovered(body), body.get("ledger")
        self._noted = OrderLedger("") if record is None else ledger_from_record(record)
        return body

    def note(self, ledger: OrderLedger, wall: int) -> None:
        """Write down what has changed since the last time; synced if an order is to be sent.

        Parameters
        ----------
        wall : int
            Wall-clock time, ms UTC.

        Raises
        ------
        OSError
            When it could not be written; the next time it is written again.
        """
        if ledger is self._noted:
            return
        orders = changed_orders(self._noted, ledger, trades=True)
        told = {report.seq for report in self._noted.reports}
        reports = [report for report in ledger.reports if report.seq not in told]
        head = {"wall": wall, "run": ledger.run}
        lines = [
            *({**head, "order": to_plain(order)} for order in orders),
            *({**head, "report": to_plain(report)} for report in reports),
        ]
        size = size_of(self._filesystem, self.path)
        is_gone = size < 0 and bool(self._noted.orders)
        if lines or is_gone:
            if size >= self._rotate_bytes:
                self._files.rotate()
                size = -1
            if is_gone or (size < 0 and self._files.numbers()):
                living = OrderLedger(
                    ledger.run, ledger.orders, (), ledger.reports, ledger.reports_made
                )
                lines.insert(0, {**head, "carried": ledger_to_record(living)})
            is_sent = any(order.state == "sending" for order in orders)
            self._file.append(lines, sync=is_gone or is_sent)
        if is_gone:
            self._news = (
                f"{self.path} was gone and was written anew, with the orders of what is held now; "
                "do not remove it while its run holds something"
            )
        self._noted = ledger

    def take_news(self) -> str:
        """Return once what is to be told of it."""
        news, self._news = self._news, ""
        return news

    def read(self, since: OrderLedger | None = None) -> dict[str, Journalled]:
        """Return what it says, by run.

        Parameters
        ----------
        since : OrderLedger, optional
            Leave out files that hold nothing but what this ledger knows, or knows to be over.

        Raises
        ------
        StateError
            When it is there and cannot be read.
        """
        try:
            return self._files.steadily(lambda files: self._read(files, since))
        except OSError as error:
            words = f"{self.path} cannot be read ({error.strerror or error})"
            raise StateError(f"{words}; repair the disk and start again") from error
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            words = f"{self.path} has a line that is none of its own ({error!s:.200})"
            raise StateError(
                f"{words}; look at what the run has at the exchange, and move the file away"
            ) from error

    def _read(self, files: list[Path], since: OrderLedger | None) -> dict[str, Journalled]:
        found: dict[str, Journalled] = {}
        for line in self._lines(files if since is None else self._later(files, since)):
            known = found.setdefault(str(line.get("run")), Journalled({}, {}))
            carried = line.get("carried", {})
            own = [line["order"]] if "order" in line else []
            for record in (*carried.get("orders", ()), *own):
                order = order_from_record(record)
                known.orders[order.id] = order
            for report in (*carried.get("reports", ()), line.get("report", {})):
                if report.get("kind") in _OVER:
                    known.over[str(report.get("signal_id"))] = int(report["seq"])
        return found

    def _later(self, files: list[Path], since: OrderLedger) -> list[Path]:
        """Return the last files, from one on that begins with no report that `since` lacks."""
        first = len(files)
        while first > 0:
            first -= 1
            line: dict[str, Any] = next(self._lines(files[first : first + 1]), {})
            told = line.get("carried", {}).get("reports_made", 0)
            if "carried" in line and line["run"] == since.run and told <= since.reports_made:
                break
        return files[first:]

    def forgotten(self, ledger: OrderLedger) -> tuple[Order, ...]:
        """Return the orders of a run that its document keeps no more.

        Raises
        ------
        StateError
            When the journal cannot be read.
        """
        found = self.read().get(ledger.run)
        kept = {order.id for order in (*ledger.past, *ledger.orders)}
        orders = () if found is None else found.orders.values()
        return tuple(order for order in orders if order.id not in kept)

    def recovered(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body of a document with the orders that it does not know and were sent.

        It may be an older generation. They are in doubt, and are asked of the exchange; those of a
        signal that the state does not know either are sold, and a person is asked.
        """
        name = "{account} {symbol} {strategy} {start}".format(**body)
        record = body.get("ledger")
        ledger = OrderLedger(name) if record is None else ledger_from_record(record)
        found = self.read(since=ledger).get(ledger.run)
        lacking = () if found is None else tuple(_lacking(ledger, found))
        if not lacking:
            return {**body}
        signals = dict.fromkeys(order.signal_id for order in lacking)
        strange = [signal for signal in signals if signal not in body["state"]["ids"]]
        if strange:
            words = f"the document is older than its orders: {', '.join(strange)} came back"
            ledger = ledger._replace(unexplained=(*ledger.unexplained, words))
        ledger = ledger._replace(orders=(*ledger.orders, *lacking), check_due=True)
        return {**body, "ledger": ledger_to_record(ledger)}

    def refuse_to_forget(self, document: Path) -> None:
        """Raise if there is no document, but orders that were sent and are not over.

        Raises
        ------
        StateCorrupt
        """
        left = [order for found in self.read().values() for order in found.left]
        if not left:
            return
        last = left[-1]
        raise StateCorrupt(
            f"{document} and its .bak are gone, but {self.path} says that {last.role} order "
            f"{last.id} was sent at {iso(last.sent_at)} UTC and its position is not over. Put the "
            "document back from a backup; or look at the exchange, sell what is left (`tradenb "
            f"kill --by-tag`), and move {self.path} out of its folder to begin anew",
            path=str(document),
            moved_to="",
        )

    def _lines(self, files: list[Path]) -> Iterator[dict[str, Any]]:
        for path in files:
            rows = Recording(self._filesystem, path).read()
            yield from (line for line in rows if isinstance(line, dict))


@contextmanager
def noted(journal: OrderJournal, ledger: OrderLedger, wall: int) -> Iterator[None]:
    """Write a ledger down before it is committed; a failure is raised once that is done.

    Reducing orders are sent all the same then, and entries are not.

    Raises
    ------
    StateWriteError
    """
    failed: OSError | None = None
    try:
        journal.note(ledger, wall)
    except OSError as error:
        failed = error
    yield
    if failed is not None:
        words = f"{journal.path} could not be written ({failed.strerror or failed})"
        raise StateWriteError(words) from failed


def _lacking(ledger: OrderLedger, found: Journalled) -> Iterator[Order]:
    """Give the orders that were sent and that a ledger neither knows nor has forgotten.

    It forgets whole signals whose end it has told, the oldest first, and not before it has 50
    orders of later ones. A sale by somebody else comes along: its pieces are gone, and what the
    account has by now is the owner's.
    """
    kept = (*ledger.past, *ledger.orders)
    ids, signals = {order.id for order in kept}, {order.signal_id for order in kept}
    oldest = min((order.sent_at for order in ledger.past if order.sent_at), default=0)
    ended = {signal for signal, seq in found.over.items() if seq <= ledger.reports_made}
    for order in found.orders.values():
        matters = order.role == "outside" or (is_ours(order.id) and order.ending != "not_sent")
        recent = order.sent_at >= oldest and order.signal_id not in ended
        if matters and (recent or order.signal_id in signals) and order.id not in ids:
            yield order
