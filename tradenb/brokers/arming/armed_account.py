"""`ArmedAccount`: whether a run may send an entry, judged over all runs of its account.

The account is locked from the question until the answer is committed, so that two runs cannot
take the last of a limit both.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from tradenb.brokers.arming.account_share import RunShare, other_shares, summed, write_share
from tradenb.brokers.arming.arm_file import ArmReading, read_arm, trip
from tradenb.brokers.arming.trips import Findings, trips
from tradenb.brokers.checking.venue_file import venue_trouble
from tradenb.core.orders.gate import AccountFacts, Arm, gate
from tradenb.core.orders.order_records import DesiredPosition
from tradenb.core.signal import Time
from tradenb.core.values import Problem
from tradenb.errors import StateError, StateLocked, StateWriteError
from tradenb.store.control import kill_switch
from tradenb.store.filesystem import Filesystem
from tradenb.store.lock import FileLock
from tradenb.store.paths import Home, Key

log = logging.getLogger("tradenb")

LOCK_S: Final = 10.0
_WAIT_S: Final = 0.02


class ArmedAccount:
    """An account of an exchange as one process sees it.

    Parameters
    ----------
    filesystem : Filesystem
    home : Home
    account : str
        Mode, exchange and key: "sandbox:loopback:1a2b3c4d".
    wait : callable
        Waits a number of seconds.
    """

    def __init__(
        self,
        filesystem: Filesystem,
        home: Home,
        account: str,
        *,
        wait: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.account = account
        self._filesystem = filesystem
        self._home = home
        self._wait = wait
        self._ended_at: Time | None = None
        self._ended = ""

    def __repr__(self) -> str:
        return f"<ArmedAccount {self.account}>"

    def reading(self) -> ArmReading:
        """Read the permission; one that ended in this process stays so until a later one."""
        reading = read_arm(self._filesystem, self._home, self.account)
        arm = reading.arm
        if arm is None or arm.tripped or self._ended_at is None or arm.since > self._ended_at:
            return reading
        return reading._replace(arm=arm._replace(tripped=self._ended), tripped_at=self._ended_at)

    @asynccontextmanager
    async def deciding(self, run: Key) -> AsyncIterator[Decision]:
        """Hold the account while an entry of a run is judged and its intent committed.

        An account that cannot be locked within 10 s refuses entries; nothing is raised.
        """
        lock = FileLock(
            self._filesystem,
            self._home.arm_lock(self.account),
            what=f"account {self.account}",
        )
        words = await self._locked(lock)
        try:
            yield Decision(self, run, words)
        finally:
            lock.release()

    def share(self, run: Key, share: RunShare) -> None:
        """Write what a run has in the account now, for its other runs; call it after each commit.

        What could not be written is logged; the run's own entries wait, see `Decision.reserve`.
        """
        try:
            self.write(run, share, durable=False)
        except StateWriteError as error:
            log.warning("%s; other runs of %s go by what was there", error, self.account)

    def write(self, run: Key, share: RunShare, *, durable: bool) -> None:
        """Write a share, or raise StateWriteError."""
        write_share(self._filesystem, self._home, self.account, run, share, durable=durable)

    def others(self, run: Key, now: Time) -> RunShare:
        """Return the sum of what all other runs have, or raise StateError."""
        return summed(other_shares(self._filesystem, self._home, self.account, run), now)

    def venue_trouble(self, now: Time) -> str:
        """Say why the exchange does not count as checked; "" if it does."""
        return venue_trouble(self._filesystem, self._home, self.account, now)

    def killed(self) -> bool:
        """Tell whether the kill switch is on; one that cannot be read is."""
        return kill_switch(self._filesystem, self._home.kill) is not None

    def trip(self, why: str, now: Time) -> bool:
        """End the permission; the first reason is kept. Tell whether there was one.

        What the disk does not take is remembered by this process and logged.
        """
        arm = self.reading().arm
        if arm is None or not arm.tripped:
            self._ended, self._ended_at = why, now
        try:
            return trip(self._filesystem, self._home, self.account, why, now, wait_s=0.0)
        except StateWriteError as error:
            log.error("%s: disarmed in this process alone (%s): %s", self.account, why, error)
            return True

    def check(self, run: Key, findings: Findings, now: Time) -> tuple[str, ...]:
        """End the permission if the findings of a run say so; return why, the first reason first.

        Parameters
        ----------
        findings : Findings
            Of this run alone; those of the other runs are added.
        now : int
            ms UTC.
        """
        arm = self.reading().arm
        if arm is None or arm.tripped:
            return ()
        try:
            others = self.others(run, now)
        except StateError:
            others = RunShare(now)  # entries are refused for it anyway
        found = trips(
            arm,
            findings._replace(
                day_result=findings.day_result + others.day_result,
                sent=(*findings.sent, *others.sent),
                unknown=(*findings.unknown, *others.unknown),
            ),
            now,
        )
        if found:
            self.trip("; ".join(found), now)
        return found

    async def _locked(self, lock: FileLock) -> str:
        """Take the lock; return "", or why not."""
        for _ in range(round(LOCK_S / _WAIT_S)):
            try:
                lock.acquire()
            except StateLocked:
                await self._wait(_WAIT_S)
            except StateError as error:
                return str(error)
            else:
                return ""
        return f"account {self.account} is locked by another run for {LOCK_S:.0f} s; wait for it"


class Decision:
    """The account while it is locked for one entry; made by `ArmedAccount.deciding`."""

    def __init__(self, account: ArmedAccount, run: Key, not_locked: str) -> None:
        self._account = account
        self._run = run
        self._not_locked = not_locked

    @property
    def arm(self) -> Arm | None:
        """The permission as it is on disk."""
        return self._account.reading().arm

    def problems(
        self, entry: DesiredPosition, facts: AccountFacts, now: Time
    ) -> tuple[Problem, ...]:
        """Return all reasons why the entry may not be sent now; empty: it may.

        Parameters
        ----------
        facts : AccountFacts
            What this run alone has and knows; the other runs, the kill switch and the check of the
            exchange are added.
        now : int
            ms UTC.
        """
        if self._not_locked:
            return (Problem("account_lock", self._not_locked),)
        reading = self._account.reading()
        unchecked = self._account.venue_trouble(now)
        extra: tuple[Problem, ...] = ()
        try:
            others = self._account.others(self._run, now)
        except StateError as error:
            others, extra = RunShare(now), (Problem("account_book", str(error)),)
        whole = facts._replace(
            invested=facts.invested + others.invested,
            positions=facts.positions + others.positions,
            day_result=facts.day_result + others.day_result,
            sent=(*facts.sent, *others.sent),
            in_doubt=facts.in_doubt + others.in_doubt,
            killed=facts.killed or self._account.killed(),
            venue_checked=reading.unchecked or not unchecked,
        )
        words = {"venue_check": unchecked} | ({"armed": reading.why} if reading.why else {})
        found = (
            Problem(each.name, words.get(each.name, each.words))
            for each in gate(reading.arm, entry, whole, now)
        )
        return (*found, *extra)

    def reserve(self, share: RunShare) -> None:
        """Write the share of the run with the entry in it, so that a power loss keeps it.

        Called before the intent is committed: other runs must not miss it afterwards.

        Raises
        ------
        StateWriteError
            When it could not be written; then the entry is not sent.
        """
        if self._not_locked:
            raise StateWriteError(self._not_locked)
        self._account.write(self._run, share, durable=True)
