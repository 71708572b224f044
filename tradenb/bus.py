"""The subscribers of this process: `tn.subscribe`.

The bus only keeps the list and selects the subscribers of an event. The backtest and the live loop
call them, because they have the deadlines and know what to do with one that raises.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, get_args

from tradenb.call_errors import explained
from tradenb.core.events import KINDS, Event
from tradenb.core.orders.order_records import Order
from tradenb.errors import UsageError, unknown

Channel = Literal["events", "ticks", "errors", "performance", "orders", "alarms"]
CHANNELS: Final[tuple[Channel, ...]] = get_args(Channel)
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
        One tick of the live loop, one call of a strategy, one block of candles, or the whole run.
    strategy, exchange, symbol : str
        Names, comma-separated where there are several.
    """

    timestamp: int
    previous_timestamp: int | None
    metric_type: str
    duration_ms: float
    strategy: str
    exchange: str
    symbol: str
    backtest: bool


class OrderUpdate(NamedTuple):
    """An order of a live run that is new, or has another state or more fills.

    Attributes
    ----------
    timestamp : int
        ms UTC.
    symbol, strategy : str
    account : str
        Mode, exchange and key: "sandbox:loopback:1a2b3c4d".
    order : Order
        As the run knows it now; `run.orders()` has the same columns.
    """

    timestamp: int
    symbol: str
    strategy: str
    account: str
    order: Order


@dataclass(eq=False)
class Subscription:
    """A subscriber; `close` ends it. Usable in a `with` statement.

    Attributes
    ----------
    immediate : bool
        Whether the function only puts what it gets aside and never blocks: it is called on the
        loop itself, without a thread and a deadline of its own.
    """

    function: Callable[[Any], Any]
    channel: Channel
    mode: str | None
    kinds: frozenset[str] | None
    _bus: Bus = field(repr=False)
    immediate: bool = False

    def close(self) -> None:
        """End the subscription; a second call does nothing."""
        self._bus.remove(self)

    def __enter__(self) -> Subscription:
        """Return the subscription itself."""
        return self

    def __exit__(self, *reason: object) -> None:
        """Close it."""
        self.close()


class Bus:
    """The subscribers of one process.

    Attributes
    ----------
    subscriptions : tuple of Subscription
        In the order in which they came; replaced as a whole, so any thread may read it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.subscriptions: tuple[Subscription, ...] = ()

    def __repr__(self) -> str:
        return f"<Bus: {len(self.subscriptions)} subscribers>"

    def subscribe(
        self,
        function: Callable[[Any], object],
        *,
        mode: str | None = None,
        kinds: Iterable[str] | None = None,
        channel: Channel = "events",
        immediate: bool = False,
    ) -> Subscription:
        """Add a subscriber; see `subscribe` and, for `immediate`, `Subscription`."""
        if not callable(function):
            raise UsageError(f"a subscriber must be a function of one argument, was {function!r}")
        if channel not in CHANNELS:
            raise unknown("channel", channel, CHANNELS)
        if mode is not None and mode not in MODES:
            raise unknown("mode", mode, MODES)
        if kinds is not None and channel != "events":
            raise UsageError(f"kinds apply to the channel 'events' only, was channel {channel!r}")
        wanted = None if kinds is None else _kinds(kinds)
        subscription = Subscription(function, channel, mode, wanted, self, immediate)
        with self._lock:
            self.subscriptions += (subscription,)
        return subscription

    def remove(self, subscription: Subscription) -> None:
        """Remove a subscriber."""
        with self._lock:
            self.subscriptions = tuple(
                item for item in self.subscriptions if item is not subscription
            )

    def wants(self, channel: Channel, mode: str) -> tuple[Subscription, ...]:
        """Return the subscribers of a channel in a mode."""
        return tuple(
            item
            for item in self.subscriptions
            if item.channel == channel and item.mode in (None, mode)
        )

    def for_event(self, event: Event, mode: str | None = None) -> tuple[Subscription, ...]:
        """Return the subscribers of an event, on the channels events and errors.

        Parameters
        ----------
        mode : str, optional
            Default that of the event; a rehearsal's events are those of a live run.
        """
        found = self.wants("events", mode or event.mode)
        chosen = tuple(item for item in found if item.kinds is None or event.kind in item.kinds)
        errors = self.wants("errors", mode or event.mode) if event.kind == "error" else ()
        return chosen + errors


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
    """Call a function with everything that happens from now on.

    During a backtest only later events are delivered. Subscribe before it starts to get them all.

    Parameters
    ----------
    function : callable
        Takes one argument: an `Event` on the channels "events" and "errors", a `Performance` on
        "performance", a tick result on "ticks", an `OrderUpdate` on "orders". What it raises is
        logged and affects nothing else.
        An event of a live run is delivered at least once: after a restart those of the last tick
        may be delivered again, with the same `seq`.
    mode : {"backtest", "live", "rehearsal"}, optional
        Only runs of this mode; default all. The events of a rehearsal have the mode "live", like
        those of a real run; this setting tells the two apart.
    kinds : iterable of str, optional
        Only these kinds of events, such as {"opened", "closed"}.
    channel : {"events", "ticks", "errors", "performance", "orders", "alarms"}
        "ticks" carries the result of every tick of a live loop, "orders" each order of a run with a
        broker when it changes, "alarms" its alarms at once: events without a number, which come
        again on "events" when they are on disk.

    Returns
    -------
    Subscription
        Call `close()` to end it.

    Raises
    ------
    UnknownName
        When the channel, the mode or a kind does not exist.
    UsageError
        When the function is not callable, or kinds are given for another channel than "events".

    Examples
    --------
    >>> import tradenb as tn
    >>> @tn.strategy("overheard", every="1h")
    ... def overheard(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=1.5), minutes=240)
    >>> heard = []
    >>> with tn.subscribe(heard.append, mode="backtest", kinds={"closed"}):
    ...     market = tn.testing.random_walk(seed=7, days=2)
    ...     result = tn.backtest.run("BTCUSDT", strategy=overheard, exchange=market)
    >>> len(heard) == len(result.trades) > 0
    True
    """
    return bus.subscribe(function, mode=mode, kinds=kinds, channel=channel)


def _kinds(kinds: Iterable[str]) -> frozenset[str]:
    wanted = frozenset({kinds} if isinstance(kinds, str) else kinds)
    for kind in wanted:
        if kind not in KINDS:
            raise unknown("kind of event", kind, KINDS)
    return wanted
