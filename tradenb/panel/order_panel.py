"""What a dashboard shows of real orders: a banner for each account, a table of orders, shields.

Plain values and words; how long something lasts is left to the view, which has a clock. Runs
without a broker have none of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from tradenb.brokers.status.order_account import OrderAccount, order_accounts
from tradenb.brokers.status.order_status import DONE_SHOWN, OrderStatus
from tradenb.core.orders.order_records import Order
from tradenb.live.status.run_status import RunStatus
from tradenb.store.filesystem import DiskFilesystem
from tradenb.store.paths import Home
from tradenb.view.formatting import plural
from tradenb.view.order_rows import order_row

_MOST_LIVE: Final = 50
_LONGEST: Final = 300

OrderPanel = dict[str, list[dict[str, Any]]]


def order_panel(runs: Sequence[RunStatus]) -> OrderPanel:
    """Return the accounts of runs, and their orders: those that live, then the last that are done.

    `since`, `checked` and `sent` are ms UTC.
    """
    by_home: dict[str, list[OrderStatus]] = {}
    for run in runs:
        if run.orders is not None:
            by_home.setdefault(run.home, []).append(run.orders)
    disk = DiskFilesystem(durable=False)
    accounts = [
        _account(account, home)
        for home, found in by_home.items()
        for account in order_accounts(disk, Home(Path(home)), found, max(each.at for each in found))
    ]
    return {"accounts": accounts, "rows": _rows(runs)}


def note_accounts(health: dict[str, Any], panel: OrderPanel) -> None:
    """Say in the health line how many accounts a rule has disarmed."""
    count = sum(each["level"] == "bad" for each in panel["accounts"])
    if count:
        health["words"].append(f"{plural(count, 'account')} disarmed by a rule")
        health["level"] = "bad" if health["level"] == "bad" else "doubt"


def shields_of(orders: OrderStatus) -> list[dict[str, Any]]:
    """Return what protects the positions of a run, and which of its orders are in doubt."""
    doubts = (
        {"level": "doubt", "words": f"{order.role} order unknown", "since": order.sent_at}
        for order in orders.in_doubt
    )
    shields = (
        {"level": each.level, "words": each.head, "since": each.since} for each in orders.shields
    )
    return [*shields, *doubts]


def _account(account: OrderAccount, home: str) -> dict[str, Any]:
    arm = account.permission.arm
    return {
        "name": account.name,
        "home": home,
        "mode": account.mode,
        "armed": account.armed,
        "level": "good" if account.armed else "bad" if account.tripped else "doubt",
        "state": account.state[:_LONGEST],
        "used": list(account.used) if arm is not None or account.share.positions else [],
        "balance": account.balance,
        "checked": account.checked_at,
        "killed": account.kill is not None,
    }


def _rows(runs: Iterable[RunStatus]) -> list[dict[str, Any]]:
    every = [(run, order) for run in runs if run.orders is not None for order in run.orders.orders]
    newest = sorted(every, key=lambda each: each[1].sent_at, reverse=True)
    live = [each for each in newest if not each[1].is_done][:_MOST_LIVE]
    done = [each for each in newest if each[1].is_done][:DONE_SHOWN]
    return [_row(run, order) for run, order in (*live, *done)]


def _row(run: RunStatus, order: Order) -> dict[str, Any]:
    sent, role, words, state, filled, note = order_row(order)
    level = "doubt" if order.is_in_doubt else "done" if order.is_done else "live"
    return {
        "id": order.id,
        "run": f"{run.strategy} on {run.symbol}"[:90],
        "sent": sent,
        "role": role,
        "order": words,
        "state": state,
        "since": order.sent_at if order.is_in_doubt else None,
        "filled": filled,
        "note": note[:_LONGEST],
        "level": level,
    }
