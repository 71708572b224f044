"""The ledger of orders as a plain dict, and back: part of the document of a run with a broker.

Decimals are text, so that they stay exact; what has its default is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_records import Order


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


def order_from_record(record: Mapping[str, Any]) -> Order:
    """Return the order of a dict that `to_plain` made, or raise ValueError."""
    found: Order = _adapter(Order).validate_python(dict(record))
    return found


def to_plain(value: Any) -> Any:
    """Return a ledger, or a record in one, as what JSON can hold."""
    if isinstance(value, Decimal):
        return str(value)
    defaults = getattr(value, "_field_defaults", None)
    if defaults is not None:
        return {
            name: to_plain(own)
            for name, own in value._asdict().items()
            if name not in defaults or own != defaults[name]
        }
    if isinstance(value, tuple):
        return [to_plain(each) for each in value]
    return value


@cache
def _adapter(kind: type[tuple[Any, ...]]) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
