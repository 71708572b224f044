"""Orders and their fills as DataFrames, whose dtypes do not depend on the rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_records import Fill, Order, fees_in

if TYPE_CHECKING:
    import pandas


ORDER_COLUMNS: Final = {
    "signal_id": "str", "role": "str", "attempt": "int64", "side": "str", "type": "str",
    "quantity": "float64", "price": "float64", "trigger": "float64", "state": "str",
    "ending": "str", "filled": "float64", "average": "float64", "fee": "float64",
    "fee_pieces": "float64", "reason": "str", "why": "str", "sent_at": "time", "seen_at": "time",
    "exchange_id": "str", "id": "str",
}  # fmt: skip
EXECUTION_COLUMNS: Final = {
    "at": "time", "signal_id": "str", "role": "str", "side": "str", "quantity": "float64",
    "price": "float64", "fee": "float64", "fee_in": "str", "trade_id": "str", "order_id": "str",
}  # fmt: skip


def order_frame(ledger: OrderLedger | None) -> pandas.DataFrame:
    """Tabulate orders, oldest first: those of positions that live, and the last ones before.

    Returns
    -------
    DataFrame
        Columns `ORDER_COLUMNS`; times are datetime64[ms, UTC]. fee is in quote currency, fee_pieces
        in pieces, both of the trades that are known.
    """
    kept = () if ledger is None else (*ledger.past, *ledger.orders)
    rows = [_order_row(order) for order in _sent(kept)]
    return _frame(rows, ORDER_COLUMNS)


def execution_frame(orders: Iterable[Order]) -> pandas.DataFrame:
    """Tabulate the trades of the exchange, in order of time."""
    rows = [_fill_row(order, fill) for order in _sent(orders) for fill in order.fills]
    return _frame(sorted(rows, key=lambda row: row["at"]), EXECUTION_COLUMNS)


def _sent(orders: Iterable[Order]) -> Iterator[Order]:
    return (order for order in orders if order.role not in ("dust", "outside"))


def _order_row(order: Order) -> dict[str, Any]:
    own = {name: getattr(order, name, None) for name in ORDER_COLUMNS}
    return own | {
        "average": order.value / order.filled if order.filled else None,
        "fee": fees_in(order, "quote"),
        "fee_pieces": fees_in(order, "base"),
        "sent_at": order.sent_at or None,
    }


def _fill_row(order: Order, fill: Fill) -> dict[str, Any]:
    own = {name: getattr(fill, name, None) for name in EXECUTION_COLUMNS}
    return own | {
        "signal_id": order.signal_id,
        "role": order.role,
        "trade_id": fill.id,
        "order_id": order.id,
    }


def _frame(rows: Iterable[dict[str, Any]], columns: dict[str, str]) -> pandas.DataFrame:
    import pandas as pd

    found = list(rows)
    made = {}
    for name, kind in columns.items():
        values = [_plain(row[name]) for row in found]
        if kind == "time":
            made[name] = pd.to_datetime(
                pd.Series(values, dtype="Int64"), unit="ms", utc=True
            ).astype("datetime64[ms, UTC]")
        else:
            made[name] = pd.Series(values, dtype=kind)
    return pd.DataFrame(made)


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
