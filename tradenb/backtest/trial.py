"""`run_trial`: one of many backtests, of which only figures are wanted.

Candles, frames and the exits of positions are shared with the trials before it (`TrialCandles`).
There are no subscribers. Of the ways in `fast` it takes the one that suits, else the whole machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, Final

import numpy as np

from tradenb.backtest.assembly import assemble, prepare
from tradenb.backtest.driver import drive
from tradenb.backtest.fast.exits import BareTrade, Exits
from tradenb.backtest.fast.fast_callback import Tally, run_callback, suits_callback
from tradenb.backtest.fast.fast_vectorised import run_vectorised, suits_vectorised
from tradenb.backtest.period import LoadedPeriod
from tradenb.backtest.plan import Plan
from tradenb.core.candles.arrays import Candles, Intake
from tradenb.core.events import WITHOUT_EFFECT, Event
from tradenb.core.fills import filled
from tradenb.core.money.market import Market
from tradenb.core.rules import Rules
from tradenb.engine.call import Pump
from tradenb.engine.history.windows import Histories, History
from tradenb.engine.ports import CandleRequest, Loaded
from tradenb.engine.session.instance import Instance
from tradenb.engine.session.pump import Session
from tradenb.engine.session.signal_table import Table
from tradenb.errors import CandleError, TradenbError, unknown
from tradenb.statistics.closed_trades import TradeColumns
from tradenb.statistics.equity.marks import marks_of_run
from tradenb.statistics.equity.money_curve import money_held, money_marks
from tradenb.statistics.equity.run_prices import RunPrices
from tradenb.statistics.equity.stretches import stretches_of_fills
from tradenb.statistics.figures import all_failed, figures
from tradenb.statistics.formulas import columns_of

COUNTS: Final = ("asks", "rejected", "errors", "asks_lost")
FIRST_ERROR: Final = "first_error"


class TrialCandles:
    """Candles in memory, and what trials on them have in common.

    Parameters
    ----------
    name : str
        Name of the exchange they came from.
    candles : dict of str to Candles
        Candles by canonical symbol.
    load_other : callable, optional
        Gives the candles of a symbol that is not among them, at its first use.
    markets : mapping of str to Market, optional
        Steps by symbol, as the source of the candles has them.
    """

    def __init__(
        self,
        name: str,
        candles: Mapping[str, Candles],
        load_other: Callable[[str], Candles] | None = None,
        markets: Mapping[str, Market] | None = None,
    ) -> None:
        self.name = name
        self.markets = dict(markets or {})
        self._by_symbol = {symbol: History(symbol, own) for symbol, own in candles.items()}
        self._load_other = load_other
        self._refused: dict[str, TradenbError] = {}
        self._periods: dict[tuple[object, ...], LoadedPeriod] = {}
        self._prices: dict[tuple[object, ...], RunPrices] = {}
        self._exits: dict[tuple[str, int, Rules], Exits] = {}

    @property
    def step(self) -> int:
        """Length of the candles, ms."""
        return next(iter(self._by_symbol.values())).candles.step

    @property
    def candles(self) -> dict[str, Candles]:
        """Candles by canonical symbol."""
        return {symbol: history.candles for symbol, history in self._by_symbol.items()}

    def load(self, request: CandleRequest) -> Loaded:
        """Return all candles of a symbol; see `engine.ports.CandleSource`."""
        return Loaded(self.history(request.symbol).candles, Intake())

    def add(self, symbol: str, candles: Candles) -> None:
        """Add a symbol that is only read."""
        self._by_symbol[symbol] = History(symbol, candles)

    def period(self, plan: Plan) -> LoadedPeriod:
        """Return the candles of a plan's period, the same for all trials in it."""
        key = (plan.symbols, plan.start, plan.end)
        if key not in self._periods:
            period = LoadedPeriod()
            for symbol in plan.symbols:
                own = self.history(symbol).candles
                period.add(symbol, own, Intake(), start=plan.start, end=plan.end)
            self._periods = {key: period}  # periods come one after the other
        return self._periods[key]

    def prices(self, plan: Plan) -> RunPrices:
        """Return the prices that all trials in a plan's period are marked with."""
        key = (plan.symbols, plan.start, plan.end, plan.rules)
        if key not in self._prices:
            self._prices = {key: self.period(plan).prices(plan.rules)}
        return self._prices[key]

    def histories(self, plan: Plan, wanted: set[str]) -> Histories:
        """Return what strategies may look at, with the frames that were made of it.

        Each trial gets its own collection of the same histories. What it looks at beside the
        symbols that it trades is added to `wanted`, here or not.
        """

        def other(symbol: str) -> History:
            wanted.add(symbol)
            return self.history(symbol)

        histories = Histories(other)
        for symbol in plan.symbols:
            histories.put(self.history(symbol))
        for spec in plan.strategies:
            for symbol in spec.symbols:
                histories.of(symbol)
        return histories

    def history(self, symbol: str) -> History:
        """Return the history of a symbol; one that is only read is loaded at its first use.

        Raises
        ------
        TradenbError
            When it is not here and cannot be loaded.
        """
        if symbol not in self._by_symbol:
            if self._load_other is None:
                raise unknown("symbol", symbol, self._by_symbol)
            if symbol in self._refused:
                raise self._refused[symbol]
            try:
                self.add(symbol, self._load_other(symbol))
            except TradenbError as error:
                self._refused[symbol] = error
                raise
        return self._by_symbol[symbol]

    def check(self, wanted: Set[str]) -> None:
        """Refuse figures of a trial that wanted candles which were refused.

        Raises
        ------
        CandleError
        """
        for symbol in sorted(wanted & self._refused.keys()):
            if isinstance(self._refused[symbol], CandleError):
                raise self._refused[symbol]

    def exits(self, instance: Instance) -> Exits:
        """Return the exits that were looked up so far, in runs that end like this one."""
        candles, rules = instance.candles, instance.rules
        key = (instance.state.symbol, candles.end, rules)
        if key not in self._exits:
            if len(self._exits) > len(self._by_symbol):
                self._exits.clear()  # periods come one after the other
            self._exits[key] = Exits(candles, rules)
        return self._exits[key]


def run_trial(plan: Plan, market: TrialCandles, wanted: set[str] | None = None) -> dict[str, Any]:
    """Run a backtest and return its figures.

    Parameters
    ----------
    plan : Plan
        Its source is the market.
    wanted : set of str, optional
        Gets the symbols that it looked at beside those it trades.

    Returns
    -------
    dict
        All names of `statistics.figure_names.UNITS`, with an account those of `MONEY_UNITS`; then
        those of `COUNTS` as whole numbers, and what the first function said that failed.

    Raises
    ------
    TradenbError
        What ended it.
    """
    tally, period = Tally(), market.period(plan)
    wanted = set() if wanted is None else wanted
    instances = assemble(plan, period, market.histories(plan, wanted))
    drive(_pump(instances, market, tally, plan), plan.rules.signal_timeout_seconds)
    market.check(wanted)
    trades = columns_of(tally.trades) if tally.columns is None else tally.columns
    prices, account = market.prices(plan), plan.account
    money = None if account is None else money_marks(prices, tally.money, account.cash)
    unrealised = [own for item in instances if (own := item.unrealised) is not None]
    found: dict[str, Any] = dict(
        figures(
            trades,
            start=period.start,
            end=period.end,
            instances=len(instances),
            marks=marks_of_run(prices, tally.held, trades, unrealised, money),
            failed=all_failed(tally.asks, tally.asks_lost, tally.asks_failed),
        )
    )
    return found | {name: getattr(tally, name) for name in (*COUNTS, FIRST_ERROR)}


def _pump(instances: Sequence[Instance], market: TrialCandles, tally: Tally, plan: Plan) -> Pump:
    """Run by the fastest way that makes the machine's trades."""
    period = market.period(plan)
    yield from prepare(instances, period.ends)
    tables = [table for table in map(_table_of, instances) if table is not None]
    if len(tables) == len(instances):
        _run_vectorised(instances, tables, market, tally)
    elif len(instances) == 1 and instances[0].signals is None and suits_callback(instances[0]):
        yield from run_callback(instances[0], market.exits(instances[0]), tally)
    else:
        yield from _run_machine(Session(instances, numbers=False), period, tally)


def _table_of(instance: Instance) -> Table | None:
    """Return the candidates of an instance that `fast_vectorised` may run."""
    if instance.signals is None or not suits_vectorised(instance, instance.signals.table):
        return None
    return instance.signals.table


def _run_vectorised(
    instances: Sequence[Instance], tables: Sequence[Table], market: TrialCandles, tally: Tally
) -> None:
    found = [
        run_vectorised(instance, table, market.exits(instance))
        for instance, table in zip(instances, tables, strict=True)
    ]
    tally.columns = _in_order([fast.columns() for fast in found])
    tally.rejected = sum(fast.rejected for fast in found)
    tally.asks = sum(fast.asks for fast in found)
    for instance, fast in zip(instances, found, strict=True):
        instance.state = fast.last_state()
        tally.held.append((instance.state.symbol, fast.held()))


def _run_machine(session: Session, period: LoadedPeriod, tally: Tally) -> Pump:
    fills: list[Event] = []
    for until in period.blocks():
        yield from session.pump(until)
        events = session.take_events().told
        tally.rejected += sum(event.kind == "rejected" for event in events)
        errors = [event.note for event in events if event.kind == "error"]
        tally.errors += len(errors)
        if errors and tally.first_error is None:
            tally.first_error = errors[0]
        fills += [event for event in events if event.kind not in WITHOUT_EFFECT]
    tally.trades = [
        BareTrade(trade.pnl_percent, trade.opened_at, trade.closed_at) for trade in session.trades
    ]
    tally.asks = sum(item.asks.count for item in session.instances)
    tally.asks_lost = sum(item.asks.lost for item in session.instances)
    tally.asks_failed = sum(item.asks.failed for item in session.instances)
    instances, rules = session.instances, session.instances[0].rules
    keys = [(item.state.strategy, item.state.symbol) for item in instances]
    found = list(filled(fills, rules))
    held = stretches_of_fills(found, keys, period.end)
    tally.held = [(symbol, held[strategy, symbol]) for strategy, symbol in keys]
    if session.accounts:
        funding = {key: own for book in session.accounts for key, own in book.paid.items()}
        money = money_held(found, funding, keys, period.end)
        tally.money = [(symbol, money[strategy, symbol]) for strategy, symbol in keys]


def _in_order(several: Sequence[TradeColumns]) -> TradeColumns:
    """Merge trades in order of closing."""
    if len(several) == 1:
        return several[0]
    percent, opened, closed = map(np.concatenate, zip(*several, strict=True))
    order = np.argsort(closed, kind="stable")
    return TradeColumns(percent[order], opened[order], closed[order])
