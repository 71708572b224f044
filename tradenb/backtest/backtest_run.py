"""`BacktestRun`: a backtest from loading to the last candle, as one pump for a driver.

It puts the parts of `assembly` together, runs them block by block, and tells subscribers what
happened. A vectorised strategy that is alone and unheard goes the fast way of `fast`.
"""

from __future__ import annotations

import itertools
import time
from typing import Literal

from tradenb.backtest.assembly import assemble, histories_of, load_period, prepare
from tradenb.backtest.fast.fast_portfolio import FastPortfolio, run_portfolio
from tradenb.backtest.fast.fast_vectorised import suits_vectorised
from tradenb.backtest.period import LoadedPeriod
from tradenb.backtest.plan import Plan
from tradenb.backtest.publisher import Publisher
from tradenb.bus import Bus
from tradenb.core.events import Event, numbered
from tradenb.core.timeframe import iso
from tradenb.engine.call import Pump, words_of
from tradenb.engine.session.pump import Session
from tradenb.engine.session.queues import Taken
from tradenb.engine.specs.risk_spec import old_rules
from tradenb.errors import NotEnoughCandles, StrategyError

OnError = Literal["record", "raise"]
"""What a function that raises does to a backtest: make an `error` event, or end it."""


class BacktestRun:
    """A backtest under way.

    Attributes
    ----------
    stage : {"loading", "running", "done"}
    loaded : float
        How many symbols are loaded.
    period : LoadedPeriod
        Empty until the candles are loaded.
    session : Session or None
        None until the candles are loaded.
    taken : list of Taken
        The events; empty if `fast` has the trades. What nobody has heard has no number yet.
    warnings : list of str
        What is to be said about the strategies as they were when it was started.
    fast : FastPortfolio or None
        The trades of the fast way; its events are made when somebody looks at them.
    """

    def __init__(self, plan: Plan, bus: Bus, on_error: OnError = "record") -> None:
        self.plan = plan
        self.on_error = on_error
        self.stage = "loading"
        self.loaded = 0.0
        self.period = LoadedPeriod()
        self.warnings = [
            words for spec in plan.strategies for words in old_rules(spec.name, spec.risk)
        ]
        self.session: Session | None = None
        self.taken: list[Taken] = []
        self.fast: FastPortfolio | None = None
        self.elapsed_s = 0.0
        self._publisher = Publisher(plan, bus)

    def pump(self) -> Pump:
        """Load, then let everything happen block by block; publish after each."""
        began = time.perf_counter()
        publisher = self._publisher
        self.period = load_period(self.plan, loaded=self._note_loaded)
        note_time = publisher.note_time if publisher.measures else None
        histories = histories_of(self.plan, self.period)
        instances = assemble(self.plan, self.period, histories, note_time=note_time)
        session = self.session = Session(instances, numbers=False)
        yield from prepare(instances, self.period.ends)
        self.stage = "running"
        self._run_fast(session)
        for until in self.period.blocks() if self.fast is None else ():
            block_began = time.perf_counter()
            pump = session.pump(until)
            yield from pump if self.on_error == "record" else raising(pump, session)
            self.period.check()
            self.taken.append(session.take_events())
            if publisher.is_heard():
                yield from publisher.publish(self._numbered())
            yield from publisher.measure("backtest_block", block_began)
        yield from publisher.measure("backtest_total", began)
        self.elapsed_s = time.perf_counter() - began
        self.stage = "done"

    def _numbered(self) -> list[Event]:
        """Give the events of the newest block their numbers, and return them."""
        *before, newest = [each.make() for each in self.taken]
        events = [*itertools.chain(*before)]
        fresh = numbered(newest, itertools.count(len(events) + 1))
        self.taken = [Taken.of(events + fresh)]
        return fresh

    def _note_loaded(self, symbols: float) -> None:
        self.loaded = symbols

    def _run_fast(self, session: Session) -> None:
        """Run vectorised strategies the fast way if nobody subscribed and nothing else acts."""
        publisher, instances = self._publisher, session.instances
        if publisher.is_heard():
            return
        tables = [each.signals.table for each in instances if each.signals is not None]
        if len(tables) < len(instances) or not all(
            suits_vectorised(each, table, shares=True)
            for each, table in zip(instances, tables, strict=True)
        ):
            return
        fast = run_portfolio(instances, tables)
        if fast is None or publisher.is_heard():
            return  # somebody subscribed meanwhile: the machine tells it everything
        self.fast = fast
        session.trades = fast.trades()
        fast.put_last_states()
        session.now = max(instance.state.cursor for instance in instances)


def raising(pump: Pump, session: Session) -> Pump:
    """Drive a pump until a user function fails; raise StrategyError from what that raised.

    A function that found too little history has not failed.
    """
    try:
        call = next(pump)
        while True:
            try:
                reply = yield call
            except NotEnoughCandles as error:
                call = pump.throw(error)
            except Exception as error:  # noqa: BLE001 - the user's code
                at = call.args[0].now if call.asks else session.now
                raise StrategyError(
                    f"{call.what} on {call.symbol} failed at {iso(at)} UTC: {words_of(error)}",
                    at=at,
                    symbol=call.symbol,
                ) from (error.__cause__ or error)
            else:
                call = pump.send(reply)
    except StopIteration:
        return
