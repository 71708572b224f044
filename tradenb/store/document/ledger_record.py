"""The ledger of orders as a plain dict, and back: part of the document of a run with a broker.

Decimals are text, so that they stay exact; what has its default is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from tradenb.core.orders.ledger import OrderLedger


def ledger_to_record(ledger: OrderLedger) -> dict[str, Any]:
    """Return a ledger as a plain dict."""
    found: dict[str, Any] = _plain(ledger)
    return found


def ledger_from_record(record: Mapping[str, Any]) -> OrderLedger:
    """Return the ledger of a dict that `ledger_to_record` made.

    Raises
    ------
    ValueError
        When it is not one; the words name each field that is wrong.
    """
    found: OrderLedger = _adapter().validate_python(dict(record))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    defaults = getattr(value, "_field_defaults", None)
    if defaults is not None:
        return {
            name: _plain(own)
            for name, own in value._asdict().items()
            if name not in defaults or own != defaults[name]
        }
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value


@cache
def _adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(OrderLedger)
