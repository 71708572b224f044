"""`RunFigures`: curve, benchmark, figures and excursions of a backtest, each made when asked.

It reads candles, trades and events of a run that has ended, and knows no frames or pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from tradenb.core.candles.arrays import Floats
from tradenb.core.fills import filled
from tradenb.core.lifecycle.state import State, holding_of
from tradenb.core.signal import Trade
from tradenb.statistics.closed_trades import Excursion
from tradenb.statistics.equity.drawdowns import Drawdown, drawdowns_of
from tradenb.statistics.equity.marks import Instance, Marks, marks_of_run
from tradenb.statistics.equity.money_curve import (
    MoneyHeld,
    MoneyMarks,
    money_held,
    money_marks,
)
from tradenb.statistics.equity.periods import Length, Periods, periods, whole_days
from tradenb.statistics.equity.run_prices import RunPrices
from tradenb.statistics.equity.stretches import (
    Key,
    Stretches,
    joined,
    row_of,
    stretches,
    stretches_of_fills,
    stretches_of_trades,
    told_by_trades,
)
from tradenb.statistics.excursions import Path, end_of, excursions, excursions_of
from tradenb.statistics.figures import all_failed, figures
from tradenb.statistics.formulas import columns_of

if TYPE_CHECKING:
    from tradenb.backtest.results.result_parts import ResultParts

FirstStops = Mapping[tuple[str, str, int], float]


class _Group(NamedTuple):
    """Some instances, and their trades in order of closing."""

    keys: list[Key]
    trades: list[Trade]


class RunFigures:
    """The figures of a backtest, of the parts of its result."""

    def __init__(self, parts: ResultParts) -> None:
        self._parts = parts
        self._period, self._states, self._trades = parts.period, parts.states, parts.trades
        self._rules, self._account = parts.rules, parts.account
        self._unrealised = {(row[1], row[0]): row[5] for row in parts.open if row[5] is not None}
        self._failed = all_failed(parts.ask_count, parts.asks_lost, parts.asks_failed)

    def __getstate__(self) -> dict[str, Any]:
        made = ("prices", "marks")
        kept = {name: value for name, value in self.__dict__.items() if name not in made}
        return {**kept, "_parts": self._parts.settled()}

    @cached_property
    def prices(self) -> RunPrices:
        """The given candles of the run."""
        return self._period.prices(self._rules)

    @cached_property
    def marks(self) -> Marks:
        """What the run was worth, over which time."""
        held = list(self._held.values())
        trades, unrealised = columns_of(self._trades), self._unrealised.values()
        money = self._money_of(self.prices, self._held)
        return marks_of_run(self.prices, held, trades, unrealised, money)

    @property
    def contributions(self) -> dict[Key, float]:
        """What each instance made in money, by (strategy, symbol); empty without an account."""
        money = self.marks.money
        return {} if money is None else dict(zip(self._held, money.made, strict=True))

    @cached_property
    def figures(self) -> dict[str, float]:
        """The statistics, NaN where there is no answer."""
        return self._figures(self._trades, self.marks, len(self._states))

    def grouped(self, name_of: Callable[[Key], str]) -> dict[str, dict[str, float]]:
        """Return the statistics of each group of instances, by name."""
        return {name: self._of(group) for name, group in self._groups(name_of).items()}

    def grouped_days(self, name_of: Callable[[Key], str]) -> dict[str, Floats]:
        """Return the daily returns of each group of instances, on the days of the whole run."""
        covered = self.marks.covered
        return {
            name: whole_days(self._marks_of(group).curve, covered).returns
            for name, group in self._groups(name_of).items()
        }

    def _groups(self, name_of: Callable[[Key], str]) -> dict[str, _Group]:
        names = {key: name_of(key) for key in self._held}
        groups: dict[str, _Group] = {}
        for key, name in names.items():
            groups.setdefault(name, _Group([], [])).keys.append(key)
        for trade in self._trades:
            groups[names[trade.strategy, trade.symbol]].trades.append(trade)
        return groups

    def _of(self, group: _Group) -> dict[str, float]:
        """Return the statistics of some instances, as if they had run alone."""
        if len(group.keys) == len(self._held):
            return self.figures
        return self._figures(group.trades, self._marks_of(group), len(group.keys))

    def _marks_of(self, group: _Group) -> Marks:
        held = [self._held[key] for key in group.keys]
        unrealised = [self._unrealised[key] for key in group.keys if key in self._unrealised]
        symbols = {symbol for symbol, _ in held}
        prices = self.prices.only(symbols) if len(symbols) < len(self.prices.lines) else self.prices
        money = self._money_of(prices, group.keys)
        return marks_of_run(prices, held, columns_of(group.trades), unrealised, money)

    def _figures(self, trades: Sequence[Trade], marks: Marks, instances: int) -> dict[str, float]:
        return figures(
            trades,
            start=self._period.start,
            end=self._period.end,
            instances=instances,
            marks=marks,
            failed=self._failed,
        )

    @cached_property
    def drawdowns(self) -> list[Drawdown]:
        """The falls of the curve, the deepest first."""
        return drawdowns_of(self.marks.curve, self.marks.covered)

    def days(self) -> Periods:
        """Return the daily returns, whole days only."""
        return whole_days(self.marks.curve, self.marks.covered)

    def periods(self, length: Length) -> Periods:
        """Return the returns of days, weeks or months."""
        return periods(self.marks.curve, self.marks.covered, length)

    @cached_property
    def excursions(self) -> list[Excursion]:
        """What each trade went through."""
        candles = self._period.candles
        if self._parts.fast is not None:
            stops = self._parts.fast.first_stops()
            return excursions(candles, [_plain_path(trade, stops) for trade in self._trades])
        return excursions_of(candles, filled(self._parts.events, self._rules), self._trades)

    def _money_of(self, prices: RunPrices, keys: Iterable[Key]) -> MoneyMarks | None:
        """Mark instances in money: what they made of the cash, as if no others had it."""
        if self._account is None:
            return None
        held = [(key[1], self._money_held[key]) for key in keys]
        return money_marks(prices, held, self._account.cash)

    @cached_property
    def _money_held(self) -> dict[Key, MoneyHeld]:
        fast = self._parts.fast
        find_money = None if fast is None else fast.find_money(self._period.end)
        if find_money is not None:
            return find_money()
        keys = [(state.strategy, state.symbol) for state in self._states]
        fills = filled(self._parts.events, self._rules)
        return money_held(fills, self._parts.funding, keys, self._period.end)

    @cached_property
    def _held(self) -> dict[Key, Instance]:
        """What each instance held, in their order."""
        keys = [(state.strategy, state.symbol) for state in self._states]
        if self._parts.fast is not None or told_by_trades(self._trades, self._states, self._rules):
            found = self._by_trades(keys)
        else:
            fills = filled(self._parts.events, self._rules)
            found = stretches_of_fills(fills, keys, self._period.end)
        return {key: (key[1], found[key]) for key in keys}

    def _by_trades(self, keys: Sequence[Key]) -> Mapping[Key, Stretches]:
        own: dict[Key, list[Trade]] = {key: [] for key in keys}
        for trade in self._trades:
            own[trade.strategy, trade.symbol].append(trade)
        return {
            key: joined(stretches_of_trades(own[key], self._rules), self._still_open(state))
            for key, state in zip(keys, self._states, strict=True)
        }

    def _still_open(self, state: State) -> Stretches:
        signal, opened_at = state.signal, state.opened_at
        if signal is None or opened_at is None:
            return stretches([])
        holding = holding_of(state, signal, self._rules)
        return stretches([row_of(signal, holding, opened_at, self._period.end + 1)])


def _plain_path(trade: Trade, first_stops: FirstStops) -> Path:
    return Path(
        symbol=trade.symbol,
        long=trade.position == "long",
        entries=((trade.opened_at, trade.entry),),
        closed_at=trade.closed_at,
        exit=trade.exit,
        end=end_of(trade.exit_reason, at_market=False),
        first_stop=first_stops[trade.symbol, trade.strategy, trade.opened_at],
        realised=trade.pnl_percent,
    )
