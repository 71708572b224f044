"""`ResultParts`: all that a `Result` is made of, of a run that has ended or of a folder."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, count
from typing import TYPE_CHECKING

from tradenb.backtest.results.caveats import caveats
from tradenb.backtest.results.strategy_alarms import alarms
from tradenb.core.events import numbered
from tradenb.core.signal import Signal
from tradenb.engine.ports import step_of
from tradenb.engine.session.queues import Taken

if TYPE_CHECKING:
    from tradenb.backtest.backtest_run import BacktestRun
    from tradenb.backtest.fast.fast_portfolio import FastPortfolio
    from tradenb.backtest.period import LoadedPeriod
    from tradenb.core.events import AskRow, Event
    from tradenb.core.lifecycle.state import Refusing, State
    from tradenb.core.money.account import Account
    from tradenb.core.rules import Rules
    from tradenb.core.signal import Trade
    from tradenb.engine.history.indicators import Computed, Coverage
    from tradenb.engine.session.instance import Instance
    from tradenb.engine.session.pump import Session
    from tradenb.engine.specs.strategy_spec import StrategySpec
    from tradenb.statistics.equity.money_curve import Changes
    from tradenb.statistics.equity.stretches import Key
    from tradenb.view.event_frames import Coverages, OpenRow

Refusals = list[tuple[str, str, "Refusing"]]
"""Symbol, strategy, and a row of refusals."""
Asks = list[tuple[str, str, "AskRow"]]
"""Symbol, strategy, and a row of asks."""
Asked = list[tuple[str, str, Sequence["AskRow"]]]
"""Symbol, strategy, and rows of their asks."""


@dataclass(frozen=True)
class ResultParts:
    """What a run found, before anything is made of it.

    Attributes
    ----------
    exchange, step : str, int
        Where the candles are from, and how long one is, ms.
    notes : dict of str to str
        How each strategy is asked, in words.
    recorded : list of Taken
        The events; empty where `fast` makes them.
    refused, asked : list
        Empty where `fast` knows them.
    fast : FastPortfolio or None
        The trades of the fast way, which makes events when somebody looks at them.
    ask_count, asks_failed : int
    asks_lost_by, funding, coverage : dict
        By (strategy, symbol): asks with too little history, what was paid, indicators.
    computed : dict
        By (strategy, symbol): the values of indicators that charts draw.
    said, alarms : list of str
        What should be known before the figures are trusted.
    """

    symbols: tuple[str, ...]
    strategies: tuple[str, ...]
    rules: Rules
    account: Account | None
    exchange: str
    step: int
    notes: Mapping[str, str]
    period: LoadedPeriod
    states: list[State]
    recorded: list[Taken]
    fast: FastPortfolio | None
    trades: list[Trade]
    open: list[OpenRow]
    refused: Refusals
    asked: Asked
    ask_count: int
    asks_failed: int
    asks_lost_by: Mapping[Key, int]
    coverage: Coverages
    computed: Mapping[Key, list[Computed]]
    funding: Mapping[Key, Changes]
    elapsed_s: float
    said: list[str]
    alarms: list[str]

    @cached_property
    def events(self) -> list[Event]:
        """The events, in their order."""
        if self.fast is not None:
            return self.fast.events()
        events = numbered(chain.from_iterable(each.make() for each in self.recorded), count(1))
        self.recorded[:] = [Taken.of(events)]
        return events

    @property
    def told(self) -> list[Event]:
        """The events; milestones are left out that nobody has looked at yet."""
        return [event for each in self.recorded for event in each.told]

    def events_of(self, symbols: Collection[str]) -> list[Event]:
        """Return what happened to the positions of some symbols; not numbered, without money."""
        if self.fast is None or "events" in self.__dict__:
            return [event for event in self.events if event.symbol in symbols]
        return self.fast.events_of(symbols)

    @property
    def refusals(self) -> Refusals:
        """The rows of refusals."""
        return self.refused if self.fast is None else self.fast.refusals()

    @cached_property
    def ask_rows(self) -> Asks:
        """What the asks came to, in the order of their first."""
        asked = self.asked if self.fast is None else self.fast.asked()
        rows = [(symbol, strategy, row) for symbol, strategy, own in asked for row in own]
        return sorted(rows, key=lambda each: each[2].first)

    @property
    def troubled(self) -> list[Event]:
        """The errors and rejected candidates among the events."""
        if self.fast is not None and not self.fast.rejected + self.fast.refused:
            return []
        events = self.told if self.fast is None else self.events
        return [event for event in events if event.kind in ("error", "rejected")]

    @property
    def asks_lost(self) -> int:
        """Calls that found too little history."""
        return sum(self.asks_lost_by.values())

    def settled(self) -> ResultParts:
        """Return the same without the fast way, which can be neither pickled nor saved."""
        asked = self.asked if self.fast is None else self.fast.asked()
        made = [Taken.of(self.events)]
        return replace(self, recorded=made, refused=self.refusals, asked=asked, fast=None)


def parts_of(run: BacktestRun) -> ResultParts:
    """Take the parts of a backtest that has completed."""
    if run.session is None:
        raise RuntimeError("the backtest has not begun")
    plan, period, session, fast = run.plan, run.period, run.session, run.fast
    found = ResultParts(
        symbols=plan.symbols,
        strategies=tuple(spec.name for spec in plan.strategies),
        rules=plan.rules,
        account=plan.account,
        exchange=plan.source.name,
        step=step_of(plan.source),
        notes={spec.name: _asked_with(spec) for spec in plan.strategies},
        period=period,
        states=[item.state for item in session.instances],
        recorded=run.taken,
        fast=fast,
        trades=session.trades,
        open=[
            _open_row(item, signal)
            for item in session.instances
            if (signal := item.state.signal) is not None
        ],
        refused=session.refusals,
        asked=session.asked,
        ask_count=sum(item.asks.count for item in session.instances) if fast is None else fast.asks,
        asks_failed=sum(item.asks.failed for item in session.instances),
        asks_lost_by={_key(item): item.asks.lost for item in session.instances},
        coverage={_key(item): _coverage(item, period) for item in session.instances},
        computed={_key(item): item.context.indicators.computed() for item in session.instances},
        funding={key: own for book in session.accounts for key, own in book.paid.items()},
        elapsed_s=run.elapsed_s,
        said=[],
        alarms=[],
    )
    # Both look at the parts, so they are added to them.
    refused = () if fast is None else fast.refused_strategies
    found.alarms.extend(alarms(session, lambda: found.events, period.start, refused))
    found.said.extend(_said(run, session, found))
    return found


def _said(run: BacktestRun, session: Session, found: ResultParts) -> list[str]:
    """Return what should be known of the candles, the run and its market, in sentences."""
    said = (
        run.warnings
        + run.period.warnings
        + caveats(
            session,
            found.trades,
            open_count=len(found.open),
            asks_lost=found.asks_lost,
            troubled=[] if found.fast is not None and not found.fast.rejected else found.troubled,
            coverage=found.coverage,
            cut=[share for book in session.accounts for share in book.cut]
            if found.fast is None
            else found.fast.cut,
            entered=[event for event in found.told if event.kind in ("opened", "added")],
        )
    )
    notes = getattr(run.plan.source, "market_notes", None)
    return said + notes(run.plan.symbols) if run.plan.accounts and notes is not None else said


def _open_row(item: Instance, signal: Signal) -> OpenRow:
    state = item.state
    stage = "open" if state.is_open else "scheduled"
    return state.symbol, state.strategy, signal.id, stage, item.price, item.unrealised


def _key(item: Instance) -> Key:
    return item.state.strategy, item.state.symbol


def _coverage(item: Instance, period: LoadedPeriod) -> list[Coverage]:
    span = period.spans[item.state.symbol]
    return item.context.indicators.coverage(span.start, span.end)


def _asked_with(spec: StrategySpec) -> str:
    risk = ", ".join(rule.name for rule in spec.risk)
    return f"every {spec.every}" + (f", risk {risk}" if risk else "")
