"""What a backtest does from loading to the last candle, as one pump for a worker."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tradenb.backtest.fast.exits import Outcomes
from tradenb.backtest.fast.fast_vectorised import Chase, chased, suits_table
from tradenb.backtest.period import Span, intake_warnings, span_of
from tradenb.backtest.plan import Plan
from tradenb.backtest.watched_worker import timed
from tradenb.bus import Bus, Channel, Performance, Subscription
from tradenb.core.candles.arrays import Candles
from tradenb.core.candles.intake import Intake
from tradenb.core.events import Event
from tradenb.core.lifecycle.commands import give
from tradenb.core.lifecycle.state import State
from tradenb.core.timeframe import DAY
from tradenb.engine.call import Call, Pump, StrategyTimeout
from tradenb.engine.context import Context
from tradenb.engine.history.indicators import ClosedCandles, Indicators
from tradenb.engine.history.windows import Histories
from tradenb.engine.session.instance import Instance, Numbering
from tradenb.engine.session.pump import Session
from tradenb.engine.session.vectorised import answers_of
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import StrategyError, TradenbError

log = logging.getLogger("tradenb")

BLOCK: Final = 7 * DAY


@dataclass
class Work:
    """A backtest under way.

    Attributes
    ----------
    plan : Plan
    events : list of Event
    session : Session or None
        None until the candles are loaded.
    stage : str
        What is being done, for people.
    jumps : bool
        Whether a vectorised strategy that is alone may be run by jumps.
    chase : Chase or None
        Those jumps, which make the events when they are wanted; `events` is empty then.
    """

    plan: Plan
    bus: Bus
    stage: str = "loading"
    loaded: float = 0.0
    jumps: bool = False
    events: list[Event] = field(default_factory=list)
    chase: Chase | None = None
    candles: dict[str, Candles] = field(default_factory=dict)
    intake: dict[str, Intake] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    session: Session | None = None
    asks: list[tuple[str, str, float]] = field(default_factory=list)
    measured_at: int | None = None
    left_behind: set[Subscription] = field(default_factory=set)
    elapsed_s: float = 0.0

    @property
    def start(self) -> int:
        """First moment of the run, over all symbols."""
        return min(span.start for span in self.spans.values())

    @property
    def end(self) -> int:
        """Last moment of the run, over all symbols."""
        return max(span.end for span in self.spans.values())

    @property
    def candle_count(self) -> int:
        """Candles consumed, over all symbols."""
        return sum((span.end - span.start) // 60_000 for span in self.spans.values())

    def pump(self) -> Pump:
        """Load, then let everything happen block by block; publish after each."""
        began = time.perf_counter()
        for symbol in self.plan.symbols:
            self._load(symbol)
        session = self.session = self._session()
        yield from self._prepare(session)
        self.stage = "running"
        self._jump(session)
        for until in _blocks(self.start, self.end) if self.chase is None else ():
            block_began = time.perf_counter()
            yield from session.pump(until)
            fresh, session.events = session.events, []
            self.events += fresh
            yield from self._publish(fresh)
            yield from self._measure("backtest_block", block_began)
        yield from self._measure("backtest_total", began)
        self.elapsed_s = time.perf_counter() - began
        self.stage = "done"

    def _jump(self, session: Session) -> None:
        """Run a vectorised strategy by jumps, if nobody is to be told of anything on the way."""
        if not self.jumps or self._is_heard():
            return
        instance, *others = session.instances
        signals = instance.signals
        if others or signals is None or not suits_table(instance, signals.table):
            return
        outcomes = Outcomes(instance.candles, instance.rules)
        chase = chased(instance, signals.table, outcomes)
        if self._is_heard():
            return  # somebody came meanwhile: the machine tells it all
        self.chase = chase
        session.trades = self.chase.trades()
        instance.state = self.chase.last_state()
        session.now = instance.state.cursor

    def _is_heard(self) -> bool:
        """Tell whether anybody listens to what happens on the way."""
        channels: tuple[Channel, ...] = ("events", "errors", "performance")
        return any(self.bus.wants(channel, "backtest") for channel in channels)

    def _load(self, symbol: str) -> None:
        plan, before = self.plan, self.loaded

        def note(done: int, all_: int) -> None:
            self.loaded = before + done / max(1, all_)

        candles, intake = plan.source.load(plan.request(symbol, note))
        span, clipped = span_of(symbol, candles, plan.start, plan.end)
        self.warnings += [*clipped, *intake_warnings(symbol, intake)]
        self.candles[symbol], self.intake[symbol], self.spans[symbol] = candles, intake, span
        self.loaded = before + 1

    def _session(self) -> Session:
        histories, numbering = self._histories(), Numbering()
        instances = [
            self._instance(spec, symbol, place, histories, numbering)
            for place, (spec, symbol) in enumerate(
                (spec, symbol) for spec in self.plan.strategies for symbol in self.plan.symbols
            )
        ]
        return Session(instances)

    def _histories(self) -> Histories:
        histories = Histories(self._other)
        for symbol, candles in self.candles.items():
            histories.add(symbol, candles)
        return histories

    def _closed(self, histories: Histories, symbol: str) -> ClosedCandles:
        return ClosedCandles(histories, symbol)

    def _prepare(self, session: Session) -> Pump:
        """Compute indicators and vectorised signals, each once over all candles of the run."""
        for instance in session.instances:
            symbol, name = instance.state.symbol, instance.spec.name
            if instance.signals is not None:
                yield from self._compute(instance.signals.compute, f"signals of {name}", symbol)
            elif instance.spec.declared:
                compute = instance.context.indicators.compute
                yield from self._compute(compute, f"indicators of {name}", symbol)

    def _compute(self, compute: Callable[[int], None], what: str, symbol: str) -> Pump:
        try:
            yield Call(compute, (self.spans[symbol].end,), what, symbol)
        except TradenbError:
            raise
        except Exception as error:
            words = f"{what} failed: {type(error).__name__}: {error}"
            raise StrategyError(words, symbol=symbol) from error

    def _instance(
        self,
        spec: StrategySpec,
        symbol: str,
        place: int,
        histories: Histories,
        numbering: Numbering,
    ) -> Instance:
        span = self.spans[symbol]
        state = State(symbol=symbol, strategy=spec.name, every=spec.every_ms, cursor=span.start)
        for order in self.plan.orders:
            if order.symbol in (None, symbol) and order.strategy in (None, spec.name):
                state = give(state, order.command)

        closed = self._closed(histories, symbol)
        indicators = Indicators(spec.declared, closed)

        def make_context(saved: str) -> Context:
            return Context(symbol, "backtest", self.plan.rules, histories, saved, indicators)

        if self.bus.wants("performance", "backtest"):
            note = functools.partial(self._note_ask, spec.name, symbol)
            spec = spec.model_copy(update={"function": timed(spec.function, note)})
        candles = self.candles[symbol]
        consumed = candles.rows(0, candles.index(span.end) + 1)
        return Instance(
            spec,
            state,
            consumed,
            place,
            make_context,
            rules=self.plan.rules,
            numbering=numbering,
            signals=answers_of(spec, closed),
        )

    def _other(self, symbol: str) -> Candles:
        """Load a symbol that is not traded but looked at."""
        request = replace(self.plan.request(symbol), start=self.start, end=self.end)
        return self.plan.source.load(request).candles

    def _publish(self, events: list[Event]) -> Pump:
        if not self.bus.wants("events", "backtest") and not self.bus.wants("errors", "backtest"):
            return
        for event in events:
            for subscription in self.bus.for_event(event):
                yield from self._tell(subscription, event)

    def _note_ask(self, strategy: str, symbol: str, duration_ms: float) -> None:
        self.asks.append((strategy, symbol, duration_ms))

    def _measure(self, metric: str, began: float) -> Pump:
        """Tell how long the asks took since the last time, and then all of it."""
        asks, self.asks = self.asks, []
        if not self.bus.wants("performance", "backtest"):
            return
        for strategy, symbol, duration_ms in asks:
            yield from self._report("backtest_signal", duration_ms, strategy, symbol)
        strategies = ",".join(spec.name for spec in self.plan.strategies)
        passed_ms = (time.perf_counter() - began) * 1000
        yield from self._report(metric, passed_ms, strategies, ",".join(self.plan.symbols))

    def _report(self, metric: str, duration_ms: float, strategy: str, symbol: str) -> Pump:
        now = time.time_ns() // 1_000_000
        measured = Performance(
            timestamp=now,
            previous_timestamp=self.measured_at,
            metric_type=metric,
            duration_ms=duration_ms,
            strategy=strategy,
            exchange=self.plan.source.name,
            symbol=symbol,
            backtest=True,
        )
        self.measured_at = now
        for subscription in self.bus.wants("performance", "backtest"):
            yield from self._tell(subscription, measured)

    def _tell(self, subscription: Subscription, what: Any) -> Pump:
        """Tell one subscriber; one that hangs is told nothing more in this backtest."""
        if subscription in self.left_behind:
            return
        symbol = getattr(what, "symbol", "")
        try:
            yield Call(subscription.function, (what,), "a subscriber", symbol)
        except StrategyTimeout as error:
            self.left_behind.add(subscription)
            log.error("a subscriber %s; this backtest tells it nothing more", error)
        except Exception:
            log.exception("a subscriber failed on %s", what)


def _blocks(start: int, end: int) -> Iterator[int]:
    """Cut a run into weeks; the events do not depend on it."""
    yield from range(start + BLOCK, end, BLOCK)
    yield end
