"""`tn.notify`: be told what live runs do, on a phone, by mail or in a chat."""

from __future__ import annotations

import atexit
import re
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tradenb.bus import Subscription, bus
from tradenb.call_errors import explained
from tradenb.core.events import KINDS
from tradenb.errors import UsageError, shown, unknown
from tradenb.live.notifications.news import News
from tradenb.live.notifications.sender import Sender
from tradenb.live.notifications.service_url import Heartbeat, ServiceUrl, check_reference
from tradenb.live.notifications.status_watch import StatusWatch

EXIT_S: Final = 2.0
ALARM: Final = "alarm"
DEFAULT_KINDS: Final = frozenset({"opened", "closed", "error", ALARM})
_TIME: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


class Notifications:
    """Messages to one service, until `close`; made by `notify`.

    Attributes
    ----------
    settings : dict
        What `notify` was called with; secrets are references.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = dict(settings)
        reference, kinds = settings["url"], frozenset(settings["kinds"])
        heartbeat = settings["heartbeat"]
        self._news = News(reference, kinds)
        self._sender = Sender(reference, ServiceUrl(reference), self._news.lines)
        self._watch = StatusWatch(
            self._sender.offer,
            self._news.marks,
            alarms=ALARM in kinds,
            summary_minute=_minute_of(settings["summary"]),
            beat=None if heartbeat is None else Heartbeat(heartbeat).beat,
        )
        self._subscriptions: list[Subscription] = []

    @property
    def sent(self) -> int:
        """How many messages the service took."""
        return self._sender.sent

    @property
    def dropped(self) -> int:
        """How many were left out because the service was too slow."""
        return self._sender.dropped

    @property
    def failed(self) -> int:
        """How many could not be delivered."""
        return self._sender.failed

    def close(self, seconds: float = 0.0) -> None:
        """End the messages; what waits is still sent.

        Parameters
        ----------
        seconds : float
            How long to wait for that.
        """
        for subscription in self._subscriptions:
            subscription.close()
        self._watch.close()
        self._sender.close(seconds)
        with _lock:
            if _active.get(self.settings["url"]) is self:
                del _active[self.settings["url"]]

    def __repr__(self) -> str:
        lost = self.dropped + self.failed
        more = f", {lost} lost" if lost else ""
        kinds = ", ".join(self.settings["kinds"])
        return f"<notifies {self.settings['url']} of {kinds}: {self.sent} sent{more}>"

    def _start(self) -> None:
        self._sender.start()
        self._watch.start(self.settings["url"])
        kinds = set(self.settings["kinds"]) - {ALARM}
        offer = self._sender.offer
        if kinds:
            self._subscriptions = [bus.subscribe(offer, mode="live", kinds=kinds, immediate=True)]
        if ALARM in self.settings["kinds"]:  # those of orders, which wait for no look and no disk
            self._subscriptions += [
                bus.subscribe(offer, mode="live", channel="alarms", immediate=True)
            ]


@explained("tn.notify")
def notify(
    url: str,
    *,
    kinds: Iterable[str] = DEFAULT_KINDS,
    summary: str | None = None,
    heartbeat: str | None = None,
) -> Notifications:
    """Send messages about the live runs of this process to a phone, a mailbox or a chat.

    By apprise, which knows more than a hundred services (`pip install 'tradenb[notify]'`). The
    messages leave from a thread of their own: a service that hangs delays no tick. Each event is
    sent at most once, also over restarts; rehearsals and backtests send nothing. Calling it again
    with the same `url` replaces the settings. Exported scripts and `process=True` runs take over
    what is active when they are written.

    Parameters
    ----------
    url : str
        Where apprise's URL is: "env:NAME" or "keyring:SERVICE/USER".
    kinds : iterable of str
        Kinds of events, and "alarm": an open position that nothing watches, a run that is silent
        or whose state is not on disk, a loop that was started again, and what docs/orders.md lists
        of orders.
    summary : str, optional
        Time of the day, UTC, such as "22:00", at which the trades of the last day are sent.
    heartbeat : str, optional
        Where the URL of a dead-man service is, as for `url`. It gets a plain GET once a minute
        while runs tick, and none while one is silent or none runs.

    Returns
    -------
    Notifications
        Call `close()` to end them.

    Raises
    ------
    UsageError
        When a URL is passed in plain text or is not there, or apprise does not know its service.
    UnknownName
        When a kind does not exist.

    Examples
    --------
    >>> import os
    >>> import tradenb as tn
    >>> os.environ["PHONE"] = "json://localhost/"  # such as tgram://TOKEN/CHAT
    >>> told = tn.notify("env:PHONE", kinds={"opened", "closed", "alarm"}, summary="22:00")
    >>> told
    <notifies env:PHONE of alarm, closed, opened: 0 sent>
    >>> told.close()
    """
    wanted = frozenset({kinds} if isinstance(kinds, str) else kinds)
    for kind in sorted(wanted - {ALARM, *KINDS}):
        raise unknown("kind of notification", kind, {ALARM, *KINDS})
    _minute_of(summary)
    reference = check_reference("url", url)
    settings = {
        "url": reference,
        "kinds": sorted(wanted),
        "summary": summary,
        "heartbeat": None if heartbeat is None else check_reference("heartbeat", heartbeat),
    }
    made = Notifications(settings)
    with _lock:
        before = _active.pop(reference, None)
        _active[reference] = made
    if before is not None:
        before.close()
    made._start()
    return made


def active_settings() -> list[dict[str, Any]]:
    """Return the settings of the notifications of this process."""
    with _lock:
        return [dict(each.settings) for each in _active.values()]


def close_all(seconds: float = EXIT_S) -> None:
    """End all notifications of this process; wait at most so long for what is to be sent."""
    with _lock:
        found = [*_active.values()]
    for each in found:
        each.close(seconds)


def _minute_of(summary: object) -> int | None:
    if summary is None:
        return None
    found = _TIME.fullmatch(summary) if isinstance(summary, str) else None
    if found is None:
        raise UsageError(f"summary must be a time of the day such as '22:00', was {shown(summary)}")
    return 60 * int(found[1]) + int(found[2])


_lock: Final = threading.RLock()
_active: Final[dict[str, Notifications]] = {}
atexit.register(close_all)
