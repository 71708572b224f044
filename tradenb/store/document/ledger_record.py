"""The ledger of orders as a plain dict, and back: part of the document of a run with a broker.

Decimals are text, so that they stay exact; what has its default is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from itertools import chain, islice
from typing import Any, Final

from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_records import Order
from tradenb.store.codec import SealedDict, SealedDicts

_ROWS: Final = ("orders", "past", "reports")
_NO: Final = object()


class LedgerDicts:
    """Makes the dicts of the ledgers of one run; a row that stays is made and checked once.

    Most rows are orders that are over, and each step of an order is a commit.
    """

    def __init__(self) -> None:
        self._sealed = SealedDicts(to_plain)

    def of(self, ledger: OrderLedger) -> dict[str, Any]:
        """Return what `ledger_to_record` does."""
        every = [row for name in _ROWS for row in getattr(ledger, name)]
        rows = iter(self._sealed.of(every))
        return {
            name: [*islice(rows, len(value))] if name in _ROWS else to_plain(value)
            for name, value in _told(ledger)
        }


def ledger_to_record(ledger: OrderLedger) -> dict[str, Any]:
    """Return a ledger as a plain dict."""
    found: dict[str, Any] = to_plain(ledger)
    return found


def ledger_from_record(record: Mapping[str, Any]) -> OrderLedger:
    """Return the ledger of a dict that `ledger_to_record` made.

    Raises
    ------
    ValueError
        When it is not one; the words name each field that is wrong.
    """
    found: OrderLedger = _adapter(OrderLedger).validate_python(dict(record))
    return found


def check_ledger(record: Mapping[str, Any]) -> None:
    """Refuse what is no ledger as `ledger_from_record` does; sealed rows are looked at once."""
    new = {
        name: [row for row in rows if getattr(row, "checked", None) is None]
        for name in _ROWS
        if isinstance(rows := record.get(name), list)
    }
    ledger_from_record({**record, **new})
    for row in chain.from_iterable(new.values()):
        if isinstance(row, SealedDict):
            row.checked = True


def order_from_record(record: Mapping[str, Any]) -> Order:
    """Return the order of a dict that `to_plain` made, or raise ValueError."""
    found: Order = _adapter(Order).validate_python(dict(record))
    return found


def to_plain(value: Any) -> Any:
    """Return a ledger, or a record in one, as what JSON can hold."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, tuple):
        if hasattr(value, "_fields"):
            return {name: to_plain(own) for name, own in _told(value)}
        return [to_plain(each) for each in value]
    return value


def _told(record: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a record that have another value than their default."""
    defaults = record._field_defaults
    for name, value in zip(record._fields, record, strict=True):
        default = defaults.get(name, _NO)
        if value is not default and value != default:
            yield name, value


@cache
def _adapter(kind: type[tuple[Any, ...]]) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
