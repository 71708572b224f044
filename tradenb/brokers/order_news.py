"""`OrderNews`: tells of the alarms of one run and of its permission, each once.

One that comes and goes is told again after some minutes at the earliest, with how often it came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from tradenb.brokers.arming.permission import Permission
from tradenb.core.events import Kind
from tradenb.core.orders.ledger import OrderLedger
from tradenb.core.orders.order_alarms import Alarm, AlarmName, alarms
from tradenb.core.signal import Time
from tradenb.core.timeframe import iso

AGAIN_MS: Final = 300_000
"""An alarm that was over and comes again is told after so long."""
BY_HAND: Final[frozenset[AlarmName]] = frozenset(
    {"tripped", "stopped", "unexplained", "key_refused"}
)
"""Those that a person alone can end; if they come again, that is news."""
TellEvent = Callable[[Kind, str | None, str], bool]
"""Makes an event of a kind with an exit_reason and a note; who listens holds no order up. False:
nobody listens."""


class AlarmedRun(Protocol):
    """What it needs of a live run."""

    ledger: OrderLedger | None
    alarms: tuple[Alarm, ...]


class _Told(NamedTuple):
    """When an alarm was told, and how often it came since."""

    alarm: Alarm
    at: Time
    more: int = 0


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
        self._told: dict[tuple[str, str, str], _Told] = {}

    def say(self, name: AlarmName, words: str, now: Time) -> None:
        """Raise an alarm of the order manager, which lasts until `end`."""
        if name not in self._own:
            self._own[name] = Alarm(name, words, now)
            self._tell_of(self._own[name], now)
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
                self._tell_of(each, now)
        self._tell_again(now)
        if permission.since != ledger.armed_since:
            kind: Kind = "disarmed" if permission.since is None else "armed"
            if self._tell(kind, None, permission.words):
                self._run.ledger = ledger._replace(armed_since=permission.since)

    def _tell_of(self, alarm: Alarm, now: Time) -> None:
        """Tell of an alarm that has come, or count it where it was told a moment ago."""
        key = (*alarm.key, alarm.words)
        told = self._told.get(key)
        lately = told is not None and told.at <= now < told.at + AGAIN_MS
        if told is not None and lately and alarm.name not in BY_HAND:
            self._told[key] = told._replace(alarm=alarm, more=told.more + 1)
            return
        self._tell("alarm", alarm.name, alarm.text)
        self._told[key] = _Told(alarm, now)

    def _tell_again(self, now: Time) -> None:
        """Tell what was only counted, once it may be told."""
        for key, told in [*self._told.items()]:
            if told.at <= now < told.at + AGAIN_MS:
                continue
            del self._told[key]
            if told.more:
                times = "once more" if told.more == 1 else f"{told.more} more times"
                words = f"{told.alarm.text}; it came {times} since {iso(told.at)} UTC"
                self._tell("alarm", told.alarm.name, words)
                self._told[key] = _Told(told.alarm, now)

    def _show(self) -> None:
        self._run.alarms = (*self._own.values(), *self._found)
