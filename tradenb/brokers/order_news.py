"""`OrderNews`: tells of the alarms of one run and of its permission, each once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tradenb.brokers.arming.permission import Permission
from tradenb.core.events import Kind
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_alarms import Alarm, AlarmName, alarms
from tradenb.core.signal import Time

TellEvent = Callable[[Kind, str | None, str], bool]
"""Makes an event of a kind with an exit_reason and a note; who listens holds no order up. False:
nobody listens."""


class AlarmedRun(Protocol):
    """What it needs of a live run."""

    ledger: OrderLedger | None
    alarms: tuple[Alarm, ...]


class OrderNews:
    """What was told of one run.

    Parameters
    ----------
    run : AlarmedRun
        `alarms` is what is on now.
    tell : callable
    """

    def __init__(self, run: AlarmedRun, tell: TellEvent) -> None:
        self._run, self._tell = run, tell
        # Alarms of the order manager itself; the others follow from ledger and permission.
        self._own: dict[AlarmName, Alarm] = {}
        self._found: tuple[Alarm, ...] = ()

    def say(self, name: AlarmName, words: str, now: Time) -> None:
        """Raise an alarm of the order manager, which lasts until `end`."""
        if name not in self._own:
            self._own[name] = Alarm(name, words, now)
            self._tell("alarm", name, self._own[name].text)
            self._show()

    def end(self, *names: AlarmName) -> None:
        """End alarms of the order manager, if they are on."""
        for name in names:
            self._own.pop(name, None)
        self._show()

    def look(self, permission: Permission, now: Time) -> None:
        """Tell of alarms that are new, and of a permission that has begun or ended."""
        ledger = self._run.ledger
        if ledger is None:
            return
        found = () if ledger.market is None else alarms(ledger, ledger.market, now)
        if permission.tripped:
            words = f"{permission.account} was disarmed: {permission.tripped}"
            found += (Alarm("tripped", words, permission.tripped_at),)
        before = {each.key for each in self._found}
        self._found = found
        self._show()
        for each in found:
            if each.key not in before:
                self._tell("alarm", each.name, each.text)
        if permission.since != ledger.armed_since:
            kind: Kind = "disarmed" if permission.since is None else "armed"
            if self._tell(kind, None, permission.words):
                self._run.ledger = ledger._replace(armed_since=permission.since)

    def _show(self) -> None:
        self._run.alarms = (*self._own.values(), *self._found)
