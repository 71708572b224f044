"""What subscribers are told of a backtest: its events, and how long things took."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from tradenb.backtest.plan import Plan
from tradenb.bus import Bus, Channel, Performance, Subscription
from tradenb.clock import wall_ms
from tradenb.core.events import Event
from tradenb.engine.call import Call, Pump, StrategyTimeout

log = logging.getLogger("tradenb")

_CHANNELS: Final[tuple[Channel, ...]] = ("events", "errors", "performance")


class Publisher:
    """Calls the subscribers of one backtest; those that hang are called no more."""

    def __init__(self, plan: Plan, bus: Bus) -> None:
        self._plan = plan
        self._bus = bus
        self._times: list[tuple[str, str, float]] = []
        self._measured_at: int | None = None
        self._hung: set[Subscription] = set()
        self._failed: set[Subscription] = set()

    def is_heard(self) -> bool:
        """Tell whether anybody subscribed to what happens on the way."""
        return any(self._bus.wants(channel, "backtest") for channel in _CHANNELS)

    @property
    def measures(self) -> bool:
        """Whether anybody subscribed to how long things take."""
        return bool(self._bus.wants("performance", "backtest"))

    def publish(self, events: list[Event]) -> Pump:
        """Tell subscribers what has happened."""
        if not self._bus.wants("events", "backtest") and not self._bus.wants("errors", "backtest"):
            return
        for event in events:
            for subscription in self._bus.for_event(event):
                yield from self._notify(subscription, event)

    def note_time(self, strategy: str, symbol: str, duration_ms: float) -> None:
        """Note how long a call of a strategy took, for the next `measure`."""
        self._times.append((strategy, symbol, duration_ms))

    def measure(self, metric: str, began: float) -> Pump:
        """Tell how long the calls of strategies took since the last time, and then all of it."""
        times, self._times = self._times, []
        if not self.measures:
            return
        for strategy, symbol, duration_ms in times:
            yield from self._report("backtest_signal", duration_ms, strategy, symbol)
        strategies = ",".join(spec.name for spec in self._plan.strategies)
        passed_ms = (time.perf_counter() - began) * 1000
        yield from self._report(metric, passed_ms, strategies, ",".join(self._plan.symbols))

    def _report(self, metric: str, duration_ms: float, strategy: str, symbol: str) -> Pump:
        now = wall_ms()
        measured = Performance(
            timestamp=now,
            previous_timestamp=self._measured_at,
            metric_type=metric,
            duration_ms=duration_ms,
            strategy=strategy,
            exchange=self._plan.source.name,
            symbol=symbol,
            backtest=True,
        )
        self._measured_at = now
        for subscription in self._bus.wants("performance", "backtest"):
            yield from self._notify(subscription, measured)

    def _notify(self, subscription: Subscription, what: Any) -> Pump:
        if subscription in self._hung:
            return
        symbol = getattr(what, "symbol", "")
        try:
            yield Call(subscription.function, (what,), "a subscriber", symbol)
        except StrategyTimeout as error:
            self._hung.add(subscription)
            log.error("a subscriber %s; this backtest does not call it again", error)
        except Exception:
            if subscription not in self._failed:
                self._failed.add(subscription)
                words = (
                    "a subscriber failed on %s; its other failures in this backtest are not logged"
                )
                log.exception(words, what)
