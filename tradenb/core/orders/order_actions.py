"""The one next thing to do: the outputs of `next_action`."""

from __future__ import annotations

from typing import NamedTuple

from tradenb.core.orders.order_records import Order, ReportKind
from tradenb.core.signal import Time


class Submit(NamedTuple):
    """Send an order; its ledger entry is committed first, and synced."""

    order: Order


class Query(NamedTuple):
    """Ask for one order by its client id."""

    order: Order


class Cancel(NamedTuple):
    """Ask for the end of one order."""

    order: Order


class QueryOpen(NamedTuple):
    """Read the open orders of the symbol; `trades`: and its newest trades."""

    trades: bool = False


class Reconcile(NamedTuple):
    """Read open orders, trades since a moment and the balance."""

    since: Time


class Tell(NamedTuple):
    """Make a report for the lifecycle; needs no exchange, `apply` takes it as it is."""

    kind: ReportKind
    signal_id: str
    reason: str = ""
    words: str = ""


class Wait(NamedTuple):
    """Nothing to do before this moment, ms UTC, unless an answer or a candle comes."""

    until: Time


OrderAction = Submit | Query | Cancel | QueryOpen | Reconcile | Tell | Wait
