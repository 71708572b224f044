"""Who wants to hear what: `tn.subscribe`.

The bus keeps the list of subscribers and answers who should be told; calling them is the driver's
business, which has the deadlines and knows what to do with one that raises.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

from tradenb.call_errors import explained
from tradenb.core.events import KINDS, Event
from tradenb.errors import UsageError, unknown

Channel = Literal["events", "ticks", "errors", "performance"]
CHANNELS: Final = ("events", "ticks", "errors", "performance")
MODES: Final = ("backtest", "live", "rehearsal")


class Performance(NamedTuple):
    """How long something took.

    Attributes
    ----------
    timestamp : int
        When it ended, ms UTC.
    previous_timestamp : int or None
        The same of the one before it.
    metric_type : {"live_tick", "backtest_signal", "backtest_block", "backtest_total"}
        One pass of the live loop; one ask of a strategy; one stretch of candles; the whole run.
    duration_ms : float
    strategy, exchange, symbol : str
        Names, comma-separated where there are several.
    backtest : bool
    """

    timestamp: int
    previous_timestamp: int | None
    metric_type: str
    duration_ms: float
    strategy: str
    exchange: str
    symbol: str
    backtest: bool


@dataclass(eq=False)
class Subscription:
    """A subscriber; `close` ends it. Usable in a `with` statement."""

    function: Callable[[Any], Any]
    channel: Channel
    mode: str | None
    kinds: frozenset[str] | None
    _bus: Bus = field(repr=False)

    def close(self) -> None:
        """Stop being told; closing twice is closing once."""
        self._bus.remove(self)

    def __enter__(self) -> Subscription:
        """Return the subscription itself."""
        return self

    def __exit__(self, *reason: object) -> None:
        """Close it."""
        self.close()


class Bus:
    """The subscribers of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: tuple[Subscription, ...] = ()

    def subscribe(
        self,
        function: Callable[[Any], object],
        *,
        mode: str | None = None,
        kinds: Iterable[str] | None = None,
        channel: Channel = "events",
    ) -> Subscription:
        """Add a subscriber; see `subscribe`."""
        if not callable(function):
            raise UsageError(f"a subscriber must be a function of one argument, was {function!r}")
        if channel not in CHANNELS:
            raise unknown("channel", channel, CHANNELS)
        if mode is not None and mode not in MODES:
            raise unknown("mode", mode, MODES)
        if kinds is not None and channel != "events":
            raise UsageError(f"kinds select from the channel 'events', was channel {channel!r}")
        wanted = None if kinds is None else _kinds(kinds)
        subscription = Subscription(function, channel, mode, wanted, self)
        with self._lock:
            self._subscriptions += (subscription,)
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """Take a subscriber away."""
        with self._lock:
            self._subscriptions = tuple(
                kept for kept in self._subscriptions if kept is not subscription
            )

    def wants(self, channel: Channel, mode: str) -> tuple[Subscription, ...]:
        """Return the subscribers of a channel in a mode."""
        return tuple(
            item
            for item in self._subscriptions
            if item.channel == channel and item.mode in (None, mode)
        )

    def for_event(self, event: Event, mode: str | None = None) -> tuple[Subscription, ...]:
        """Return who should be told of an event, on the channels events and errors.

        Parameters
        ----------
        event : Event
        mode : str, optional
            Default that of the event; a rehearsal's events are those of a live run.
        """
        found = self.wants("events", mode or event.mode)
        told = tuple(item for item in found if item.kinds is None or event.kind in item.kinds)
        return told + self.wants("errors", mode or event.mode) if event.kind == "error" else told


bus = Bus()
"""The bus of this process."""


@explained("tn.subscribe")
def subscribe(
    function: Callable[[Any], object],
    *,
    mode: str | None = None,
    kinds: Iterable[str] | None = None,
    channel: Channel = "events",
) -> Subscription:
    """Be told what happens from now on.

    Of a backtest that is going on, a subscriber hears what it has yet to tell; of one that is about
    to return that may be nothing. Subscribe first to hear everything.

    Parameters
    ----------
    function : callable
        Takes one argument: an `Event` on the channels "events" and "errors", a `Performance` on
        "performance", a tick result on "ticks". What it raises is logged and disturbs nobody. An
        event of a live run comes at least once: after a restart those of the last tick may come
        again, with the same `seq`.
    mode : {"backtest", "live", "rehearsal"}, optional
        Only runs of this mode; default all. The events of a rehearsal say "live", as those of the
        run that it rehearses would; this setting tells them apart.
    kinds : iterable of str, optional
        Only these kinds of events, such as {"opened", "closed"}.
    channel : {"events", "ticks", "errors", "performance"}
        "ticks" carries the result of every pass of a live loop.

    Returns
    -------
    Subscription
        Call its `close()` to end it.

    Raises
    ------
    UnknownName
        When the channel, the mode or a kind does not exist.
    UsageError
        When the function is none, or kinds are given for another channel than "events".
    """
    return bus.subscribe(function, mode=mode, kinds=kinds, channel=channel)


def _kinds(kinds: Iterable[str]) -> frozenset[str]:
    wanted = frozenset({kinds} if isinstance(kinds, str) else kinds)
    for kind in wanted:
        if kind not in KINDS:
            raise unknown("kind of event", kind, KINDS)
    return wanted
