"""`OrderAccount`: an account that runs send orders to, over all its runs under one home.

Read from its permission, from what its runs have left on disk, and from their ledgers; nothing
here asks an exchange.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from tradenb.brokers.status.order_status import OrderStatus, age
from tradenb.core.orders.gate import HOUR
from tradenb.core.orders.order_records import ZERO, Balance
from tradenb.core.signal import Time
from tradenb.core.timeframe import iso
from tradenb.store.control import kill_switch
from tradenb.store.filesystem import DiskFilesystem, Filesystem
from tradenb.store.paths import Home
from tradenb.view.formatting import number

if TYPE_CHECKING:
    from tradenb.brokers.arming.account_share import RunShare
    from tradenb.brokers.arming.permission import Permission


@dataclass(frozen=True, slots=True)
class OrderAccount:
    """An account at one moment.

    Attributes
    ----------
    permission : Permission
    share : RunShare
        What all its runs have together.
    unreadable : tuple of str
        Runs whose share cannot be read: they stop the entries of all.
    kill : str or None
        What the kill switch of the home says.
    balances : tuple of Balance
        As the newest reconciliation of each asset saw them.
    balanced_at : int or None
        When that was, ms UTC; what was bought or sold since is not in it.
    checked_at : int or None
        The oldest of the last good reconciliations of its runs, ms UTC.
    at : int
        Of what moment this is, ms UTC.
    """

    permission: Permission
    share: RunShare
    unreadable: tuple[str, ...]
    kill: str | None
    balances: tuple[Balance, ...]
    balanced_at: Time | None
    checked_at: Time | None
    at: Time

    @property
    def name(self) -> str:
        """Mode, exchange and key."""
        return self.permission.account

    @property
    def mode(self) -> str:
        """Sandbox or live."""
        return self.name.partition(":")[0]

    @property
    def armed(self) -> bool:
        """Whether entries may be sent."""
        return self.permission.since is not None and self.kill is None and not self.unreadable

    @property
    def state(self) -> str:
        """Armed until when and by whom; or why not."""
        if self.kill is not None:
            may = "not armed" if self.permission.since is None else f"still {self.permitted}"
            return f"kill switch on ({self.kill}): no entries; {may}"
        arm = self.permission.arm
        if arm is None or self.permission.since is None:
            return self.permission.why
        if self.unreadable:
            return f"no entries: the share of {', '.join(self.unreadable)} cannot be read"
        return self.permitted

    @property
    def permitted(self) -> str:
        """Until when it is armed, and by whom, kill switch or not; empty if it is not."""
        arm = self.permission.arm
        if arm is None or self.permission.since is None:
            return ""
        by = f" by {arm.by}" if arm.by else ""
        return f"armed until {iso(arm.until)} UTC{by}"

    @property
    def used(self) -> tuple[str, ...]:
        """How much of each limit is used; without a permission what there is."""
        share, arm = self.share, self.permission.arm
        loss = max(-share.day_result, ZERO)
        lately = sum(1 for at in share.sent if at > self.at - HOUR)
        found = (
            ("invested", share.invested, None if arm is None else arm.max_total, self.quote),
            ("loss today", loss, None if arm is None else arm.max_daily_loss, ""),
            ("open", share.positions, None if arm is None else arm.max_open, ""),
            ("orders this hour", lately, None if arm is None else arm.orders_an_hour, ""),
        )
        return tuple(
            " ".join(filter(None, (name, _plain(value), _of(limit), unit)))
            for name, value, limit, unit in found
        )

    @property
    def quote(self) -> str:
        """Name of the quote currency, if it is known."""
        return self.balances[-1].asset if self.balances else ""

    @property
    def balance(self) -> str:
        """What the account had of each asset and what resting orders held, and when that was."""
        if self.balanced_at is None:
            return "not known yet"
        words = (
            f"{_plain(each.free + each.locked)} {each.asset}"
            + (f" ({_plain(each.locked)} in orders)" if each.locked else "")
            for each in self.balances
        )
        return f"{', '.join(words)} at {iso(self.balanced_at // 1_000 * 1_000)[11:]} UTC"

    @property
    def checked(self) -> str:
        """When all its runs were reconciled last."""
        if self.checked_at is None:
            return "not reconciled yet"
        return f"reconciled {age(self.at - self.checked_at)} ago"

    @property
    def tripped(self) -> bool:
        """Whether a rule ended its permission."""
        return bool(self.permission.tripped)

    def record(self) -> dict[str, object]:
        """Return it as a JSON-plain dict."""
        arm = self.permission.arm
        limits = None if arm is None else {n: str(v) for n, v in arm._asdict().items()}
        return {
            "account": self.name, "mode": self.mode, "armed": self.armed, "state": self.state,
            "tripped": self.permission.tripped, "permission": limits, "used": list(self.used),
            "invested": str(self.share.invested), "positions": self.share.positions,
            "day_result": str(self.share.day_result), "in_doubt": self.share.in_doubt,
            "balances": {each.asset: [str(each.free), str(each.locked)] for each in self.balances},
            "checked_at": self.checked_at, "kill": self.kill, "unreadable": list(self.unreadable),
        }  # fmt: skip


def order_accounts(
    filesystem: Filesystem, home: Home, runs: Iterable[OrderStatus], now: Time
) -> list[OrderAccount]:
    """Return the accounts of runs under a home, and those that are armed or have a share."""
    by_account: dict[str, list[OrderStatus]] = {}
    for run in runs:
        by_account.setdefault(run.account, []).append(run)
    if not by_account and not filesystem.exists(home.shares.parent):
        return []
    from tradenb.brokers.arming.account_share import every_share, summed
    from tradenb.brokers.arming.arm_file import read_arm
    from tradenb.brokers.arming.permission import armed_accounts, permission_of

    for account in armed_accounts(filesystem, home, now):
        by_account.setdefault(account, [])
    shares: dict[str, list[tuple[str, RunShare | None]]] = {}
    for account, name, share in every_share(filesystem, home):
        shares.setdefault(account, []).append((name, share))
    kill = kill_switch(filesystem, home.kill)
    return [
        OrderAccount(
            permission=permission_of(read_arm(filesystem, home, account), account, now),
            share=summed([each for _, each in shares.get(account, []) if each is not None], now),
            unreadable=tuple(name for name, each in shares.get(account, []) if each is None),
            kill=kill,
            balances=_balances(by_account.get(account, [])),
            balanced_at=max(_checks(by_account.get(account, [])), default=None),
            checked_at=_oldest(by_account.get(account, [])),
            at=now,
        )
        for account in dict.fromkeys((*by_account, *shares))
    ]


def _balances(runs: Sequence[OrderStatus]) -> tuple[Balance, ...]:
    """Return the newest balance of each asset, the quote currency last."""
    found: dict[str, Balance] = {}
    for run in sorted(runs, key=lambda each: each.checked_at or 0):
        for balance in run.balances:
            found.pop(balance.asset, None)
            found[balance.asset] = balance
    return tuple(found.values())


def _checks(runs: Sequence[OrderStatus]) -> list[Time]:
    return [run.checked_at for run in runs if run.checked_at is not None]


def _oldest(runs: Sequence[OrderStatus]) -> Time | None:
    known = _checks(runs)
    return min(known, default=None) if len(known) == len(runs) else None


def _of(limit: Decimal | int | None) -> str:
    return "" if limit is None else f"of {_plain(limit)}"


def account_lines(orders: OrderStatus, home: str) -> tuple[str, ...]:
    """Say how the orders of one run are, and what its account permits; alarms are not said here."""
    found = order_accounts(DiskFilesystem(durable=False), Home(Path(home)), [orders], orders.at)
    (account,) = (each for each in found if each.name == orders.account)
    return (
        f"{account.mode} orders, account {account.name}: {account.state}",
        ", ".join(account.used),
        *orders.words,
    )


def _plain(value: Decimal | int) -> str:
    size = float(value)
    if size.is_integer():
        return number(size, 0)
    return number(size, 2 if abs(size) >= 10 else 4).rstrip("0").rstrip(".")
