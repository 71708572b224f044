"""`Permission`: whether entries of a run, or of an account, may be sent now, in words."""

from __future__ import annotations

from typing import NamedTuple

from tradenb.brokers.arming.arm_file import ArmReading, read_arm
from tradenb.core.orders.gate import Arm, ended
from tradenb.core.signal import Time
from tradenb.core.timeframe import iso
from tradenb.store.filesystem import Filesystem
from tradenb.store.paths import Home, decoded


class Permission(NamedTuple):
    """The permission of an account at one moment.

    Attributes
    ----------
    account : str
    arm : Arm or None
        What is on file, in force or not; None: nothing that can be read.
    why : str
        Why it is disarmed, with its cure; "" while it is armed.
    tripped_at : int or None
        When it ended before its time, ms UTC.
    by_hand : bool
        A person ended it.
    """

    account: str
    arm: Arm | None
    why: str = ""
    tripped_at: Time | None = None
    by_hand: bool = False

    @property
    def since(self) -> Time | None:
        """Since when entries are permitted, ms UTC; None: they are not."""
        return None if self.arm is None or self.why else self.arm.since

    @property
    def tripped(self) -> str:
        """Why it ended by itself; "" if it did not."""
        return "" if self.arm is None or self.by_hand else self.arm.tripped

    @property
    def words(self) -> str:
        """Until when, by whom and within which limits; or why not."""
        arm = self.arm
        if arm is None or self.why:
            return self.why
        by = f" by {arm.by}" if arm.by else ""
        limits = ("max_order", "max_total", "max_open", "max_daily_loss", "orders_an_hour")
        within = ", ".join(f"{name} {getattr(arm, name)}" for name in limits)
        return f"{self.account} until {iso(arm.until)} UTC{by}: {within}"


def permission_of(reading: ArmReading, account: str, now: Time) -> Permission:
    """Return what the file of an account permits; `now` is ms UTC."""
    why = reading.why or next((each.words for each in ended(reading.arm, account, now)), "")
    return Permission(account, reading.arm, why, reading.tripped_at, reading.by_hand)


def armed_accounts(filesystem: Filesystem, home: Home, now: Time) -> list[str]:
    """Return the accounts that are armed at a moment (ms UTC), whether or not a run has them."""
    try:
        names = filesystem.names(home.data / "arm")
    except (FileNotFoundError, NotADirectoryError):
        return []
    files = (name.removesuffix(".json") for name in names if name.endswith(".json"))
    accounts = [name for file in files if (name := decoded(file, "account")) is not None]
    return [
        account
        for account in accounts
        if permission_of(read_arm(filesystem, home, account), account, now).since is not None
    ]
