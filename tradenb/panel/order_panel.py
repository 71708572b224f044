"""What a dashboard shows of real orders: a banner for each account, a table of orders, shields.

Plain values and words; how long something lasts is left to the view, which has a clock. Runs
without a broker have none of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tradenb.brokers.status.order_account import OrderAccount, order_accounts
from tradenb.brokers.status.order_status import DONE_SHOWN, OrderStatus
from tradenb.clock import wall_ms
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

    `since` and `checked` are ms UTC.
    """
    by_home: dict[str, list[RunStatus]] = {}
    for run in runs:
        if run.orders is not None:
            by_home.setdefault(run.home, []).append(run)
    return {
        "accounts": [row for home, found in by_home.items() for row in _accounts(home, found)],
        "rows": _rows(runs),
    }


def _accounts(home: str, runs: Sequence[RunStatus]) -> Iterator[dict[str, Any]]:
    orders = [run.orders for run in runs if run.orders is not None]
    now, ahead = max(each.at for each in orders), max(map(_ahead, runs))
    disk = DiskFilesystem(durable=False)
    for account in order_accounts(disk, Home(Path(home)), orders, now):
        yield _account(account, home, ahead)


def _ahead(run: RunStatus) -> int:
    """Return how far the wall clock, by which the view counts, is ahead of the run's, ms."""
    if run.orders is None or run.mode == "live":
        return 0
    return wall_ms() - run.orders.at


def note_accounts(health: dict[str, Any], panel: OrderPanel) -> None:
    """Say in the health line how many accounts a rule has disarmed."""
    count = sum(each["level"] == "bad" for each in panel["accounts"])
    if count:
        health["words"].append(f"{plural(count, 'account')} disarmed by a rule")
        health["level"] = "bad" if health["level"] == "bad" else "doubt"


def shields_of(run: RunStatus, orders: OrderStatus) -> list[dict[str, Any]]:
    """Return what protects the positions of a run, and which of its orders are in doubt."""
    ahead = _ahead(run)
    doubts = (
        {"level": "doubt", "words": f"{order.role} order unknown", "since": order.sent_at + ahead}
        for order in orders.in_doubt
    )
    shields = (
        {
            "level": each.level,
            "words": each.head,
            "since": None if each.since is None else each.since + ahead,
        }
        for each in orders.shields
    )
    return [*shields, *doubts]


def _account(account: OrderAccount, home: str, ahead: int) -> dict[str, Any]:
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
        "checked": None if account.checked_at is None else account.checked_at + ahead,
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
        "since": order.sent_at + _ahead(run) if order.is_in_doubt else None,
        "filled": filled,
        "note": note[:_LONGEST],
        "level": level,
    }
