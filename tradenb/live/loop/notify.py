"""`Notifier`: tells subscribers and the log what came of a tick, and raises alarms.

Everything it tells is on disk already, or is an error. A subscriber that raises or hangs disturbs
nobody.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary

from tradenb.bus import Bus, Channel, OrderUpdate, Performance, Subscription
from tradenb.core.events import Event, Kind, event_of
from tradenb.core.orders.order_records import Order
from tradenb.core.timeframe import floor_to
from tradenb.engine.call import StrategyTimeout, is_async
from tradenb.engine.ports import Clock, Workers
from tradenb.errors import TradenbError
from tradenb.live.loop.record import RunRecord
from tradenb.live.loop.tick_result import Tick

log = logging.getLogger("tradenb")

# A subscriber has ten seconds a minute; a tick waits no longer than that.
SUBSCRIBER_S: Final = 10.0
WINDOW_S: Final = 60.0
SHORTEST_S: Final = 1.0
# Subscribers get it as an event; a program that shows both shows it once.
_TOLD: Final = {"told": True}


class Notifier:
    """Tells subscribers, each within a deadline; it also carries the tools of a tick."""

    def __init__(self, clock: Clock, workers: Workers, bus: Bus) -> None:
        self.clock = clock
        self.workers = workers
        self.bus = bus
        self._mode = "rehearsal" if clock.stepped else "live"
        self._spent: WeakKeyDictionary[Subscription, tuple[float, float]] = WeakKeyDictionary()
        self._left: dict[Subscription, Callable[[], bool]] = {}
        self._soon: set[asyncio.Task[None]] = set()

    async def publish(self, events: Sequence[Event]) -> None:
        """Tell the subscribers of events that are on disk."""
        for event in events:
            for subscription in self.bus.for_event(event, self._mode):
                await self._call(subscription, event)

    async def publish_tick(self, run: RunRecord, tick: Tick | None, duration_ms: float) -> None:
        """Tell the result of a tick and how long it took."""
        if tick is not None:
            for subscription in self.bus.wants("ticks", self._mode):
                await self._call(subscription, tick)
        now = self.clock.now()
        measured = Performance(
            timestamp=now,
            previous_timestamp=run.measured_at,
            metric_type="live_tick",
            duration_ms=duration_ms,
            strategy=run.strategy,
            exchange=run.source.name,
            symbol=run.symbol,
            backtest=False,
        )
        run.measured_at = now
        for subscription in self.bus.wants("performance", self._mode):
            await self._call(subscription, measured)

    async def report_error(self, run: RunRecord, error: BaseException) -> None:
        """Note what went wrong; the loop goes on."""
        run.error = error
        log.warning("%s: %s", run.id, error, extra=_TOLD)
        await self.publish([self._event(run, error)])

    def alarm(self, run: RunRecord, error: Exception) -> None:
        """Report an error without the loop, which may be blocked; from any thread."""
        run.error = error
        log.error("%s: %s", run.id, error, extra=_TOLD)
        event = self._event(run, error)
        for subscription in self.bus.for_event(event, self._mode):
            threading.Thread(
                target=_call_quietly,
                args=(subscription.function, event),
                name="tradenb-alarm",
                daemon=True,
            ).start()

    def tell_of_orders(self, run: RunRecord, kind: Kind, reason: str | None, note: str) -> bool:
        """Have the next tick tell of an alarm or a permission; those on "alarms" hear it at once.

        That tick is made now. It may be held up by a strategy or a full disk: an alarm is not.
        """
        now = self.clock.now()
        event = event_of(run, floor_to(now), kind, exit_reason=reason, note=note[:500])
        event = event._replace(mode="live", wall=now)
        level = logging.INFO if kind == "armed" else logging.WARNING
        log.log(level, "%s: %s: %s", run.id, kind, note, extra=_TOLD)
        run.order_news.append(event)
        run.poll()
        if kind == "alarm":
            self._publish_soon("alarms", [event])
        return True

    def publish_orders(self, run: RunRecord, account: str, orders: tuple[Order, ...]) -> None:
        """Tell of orders that have changed; nobody waits for those who listen."""
        now = self.clock.now()
        updates = (OrderUpdate(now, run.symbol, run.strategy, account, each) for each in orders)
        if orders:
            self._publish_soon("orders", [*updates])

    def _publish_soon(self, channel: Channel, found: Sequence[Any]) -> None:
        for subscription in self.bus.wants(channel, self._mode):
            task = asyncio.ensure_future(self._call_each(subscription, found))
            self._soon.add(task)
            task.add_done_callback(self._soon.discard)

    async def _call_each(self, subscription: Subscription, found: Sequence[Any]) -> None:
        for each in found:
            await self._call(subscription, each)

    def _event(self, run: RunRecord, error: BaseException) -> Event:
        now = self.clock.now()
        words = str(error) if isinstance(error, TradenbError) else repr(error)
        at, note = floor_to(now), words[:500]
        return event_of(run, at, "error", note=note)._replace(mode="live", wall=now)

    async def _call(self, subscription: Subscription, what: Any) -> None:
        """Call one subscriber; one that hangs is not called again until it has returned."""
        if subscription.immediate:
            _call_quietly(subscription.function, what)
            return
        busy = self._left.get(subscription)
        if busy is not None and busy():
            return
        self._left.pop(subscription, None)
        began = self.clock.monotonic()
        since, spent = self._spent.get(subscription, (began, 0.0))
        if began - since >= WINDOW_S:
            since, spent = began, 0.0
        seconds = max(SHORTEST_S, SUBSCRIBER_S - spent)
        try:
            await self.workers.call(subscription.function, what, seconds=seconds)
        except StrategyTimeout as error:
            if error.busy is not None:
                self._left[subscription] = error.busy
            log.warning("a subscriber %s; it gets nothing more until it returns", error)
        except Exception:
            log.exception("a subscriber failed on %s", what)
        finally:
            self._spent[subscription] = since, spent + self.clock.monotonic() - began


def _call_quietly(function: Callable[[Any], Any], what: Any) -> None:
    try:
        if is_async(function):
            asyncio.run(function(what))
        else:
            function(what)
    except Exception:
        log.exception("a subscriber failed on %s", what)
