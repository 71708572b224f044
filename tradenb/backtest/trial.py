"""`run_trial`: one of many backtests, of which only figures are wanted.

Candles, frames and the ends of positions are shared with the trials before it (`Market`). Nobody is
told of its events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tradenb.backtest.assembly import BLOCK, Work
from tradenb.backtest.fast.exits import Closed, Outcomes
from tradenb.backtest.fast.fast_callback import Tally, asked, suits_asks
from tradenb.backtest.fast.fast_vectorised import chased, suits_table
from tradenb.backtest.job import Job
from tradenb.backtest.plan import Plan
from tradenb.bus import Bus
from tradenb.core.candles.arrays import Candles
from tradenb.core.candles.intake import Intake
from tradenb.core.rules import Rules
from tradenb.engine.call import Pump
from tradenb.engine.history.windows import Histories, History
from tradenb.engine.ports import CandleRequest, Loaded
from tradenb.engine.session.instance import Instance
from tradenb.engine.session.pump import Session
from tradenb.engine.session.vectorised import Table
from tradenb.errors import unknown
from tradenb.statistics.closed_trades import TradeColumns
from tradenb.statistics.figures import figures


class Market:
    """Candles in memory, and what trials on them have in common.

    Parameters
    ----------
    name : str
        Name of the exchange they came from.
    candles : dict of str to Candles
        1m candles by canonical symbol.
    """

    def __init__(self, name: str, candles: Mapping[str, Candles]) -> None:
        self.name = name
        self.histories = {symbol: History(symbol, own) for symbol, own in candles.items()}
        self._outcomes: dict[tuple[str, int, Rules], Outcomes] = {}

    @property
    def candles(self) -> dict[str, Candles]:
        """1m candles by canonical symbol."""
        return {symbol: history.candles for symbol, history in self.histories.items()}

    def load(self, request: CandleRequest) -> Loaded:
        """Return all candles of a symbol; see `engine.ports.CandleSource`."""
        if request.symbol not in self.histories:
            raise unknown("symbol", request.symbol, self.histories)
        return Loaded(self.histories[request.symbol].candles, Intake())

    def outcomes(self, symbol: str, candles: Candles, rules: Rules) -> Outcomes:
        """Return the ends of positions that were looked up so far, in a run that ends like this."""
        key = (symbol, candles.end, rules)
        if key not in self._outcomes:
            if len(self._outcomes) > len(self.histories):
                self._outcomes.clear()  # periods come one after the other
            self._outcomes[key] = Outcomes(candles, rules)
        return self._outcomes[key]


class _Trial(Work):
    """A backtest that keeps a tally in place of events."""

    def __init__(self, plan: Plan, market: Market) -> None:
        super().__init__(plan, Bus())
        self.market = market
        self.tally = Tally()
        self.jumped: TradeColumns | None = None  # trades of tables

    def pump(self) -> Pump:
        """Run by the shortest lane that gives the machine's trades."""
        for symbol in self.plan.symbols:
            self._load(symbol)
        session = self.session = self._session()
        yield from self._prepare(session)
        self.stage = "running"
        instances = session.instances
        tables = [table for table in map(_table_of, instances) if table is not None]
        if len(tables) == len(instances):
            self._chase(instances, tables)
        elif len(instances) == 1 and instances[0].signals is None and suits_asks(instances[0]):
            yield from asked(instances[0], self._outcomes(instances[0]), self.tally)
        else:
            yield from self._all_events(session)
        self.session = None  # it leads back here: what it holds is given up without a search
        self.stage = "done"

    def _histories(self) -> Histories:
        histories = Histories(self._other)
        for history in self.market.histories.values():
            histories.put(history)
        return histories

    def _outcomes(self, instance: Instance) -> Outcomes:
        return self.market.outcomes(instance.state.symbol, instance.candles, instance.rules)

    def _chase(self, instances: Sequence[Instance], tables: Sequence[Table]) -> None:
        chases = [
            chased(instance, table, self._outcomes(instance))
            for instance, table in zip(instances, tables, strict=True)
        ]
        self.jumped = _in_order([chase.closed() for chase in chases])
        self.tally.rejected = sum(chase.refused for chase in chases)
        self.tally.open = sum(chase.open for chase in chases)

    def _all_events(self, session: Session) -> Pump:
        for until in [*range(self.start + BLOCK, self.end, BLOCK), self.end]:
            yield from session.pump(until)
            events, session.events = session.events, []
            self.tally.rejected += sum(event.kind == "rejected" for event in events)
            self.tally.errors += sum(event.kind == "error" for event in events)
        self.tally.trades = [
            Closed(trade.pnl_percent, trade.opened_at, trade.closed_at) for trade in session.trades
        ]
        self.tally.asks_lost = sum(item.asks_lost for item in session.instances)
        self.tally.open = sum(item.state.signal is not None for item in session.instances)


def run_trial(plan: Plan, market: Market) -> dict[str, Any]:
    """Run a backtest and return its figures.

    Parameters
    ----------
    plan : Plan
        Its source is the market.
    market : Market

    Returns
    -------
    dict
        All names of `statistics.figures.UNITS`; then open, rejected, errors and asks_lost as whole
        numbers.

    Raises
    ------
    TradenbError
        What ended it.
    """
    trial = _Trial(plan, market)
    job = Job(plan, trial)
    job.supervise()
    job.raise_if_failed()
    tally = trial.tally
    instances = len(plan.symbols) * len(plan.strategies)
    trades = tally.trades if trial.jumped is None else trial.jumped
    found: dict[str, Any] = dict(
        figures(trades, start=trial.start, end=trial.end, instances=instances)
    )
    counts = ("open", "rejected", "errors", "asks_lost")
    return found | {name: getattr(tally, name) for name in counts}


def _table_of(instance: Instance) -> Table | None:
    """Return the candidates of an instance that jumps."""
    if instance.signals is None or not suits_table(instance, instance.signals.table):
        return None
    return instance.signals.table


def _in_order(several: Sequence[TradeColumns]) -> TradeColumns:
    """Merge trades in order of closing."""
    if len(several) == 1:
        return several[0]
    percent, opened, closed = map(np.concatenate, zip(*several, strict=True))
    order = np.argsort(closed, kind="stable")
    return TradeColumns(percent[order], opened[order], closed[order])
