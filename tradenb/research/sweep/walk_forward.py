"""`tn.walk_forward`: does the best combination of the past stay better afterwards.

The period is cut into folds: an in-sample part, on which the best combination is chosen, and the
out-of-sample part after it, on which all of them are run. If choosing means anything, the chosen
one beats the median of all out of sample. Each part is a sweep, kept on disk like any other.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradenb.call_errors import explained
from tradenb.core.money.account import Account
from tradenb.core.rules import Rules
from tradenb.core.timeframe import DAY, TimeLike, duration_ms, iso
from tradenb.engine.ports import CandleSource
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import UsageError
from tradenb.progress_bars import progress_bar
from tradenb.research.sweep.api import loaded, parameters, report_failures, swept
from tradenb.research.sweep.grid import Grid, Where, combinations
from tradenb.research.sweep.order import (
    CONDUCT,
    FAILED,
    SMALL_IS_GOOD,
    best,
    check_figure,
    standing,
)
from tradenb.research.sweep.sweep_trial import settings_of
from tradenb.statistics.figure_names import OF_DAYS, OF_TRADES
from tradenb.statistics.figures import MIN_DAYS, MIN_TRADES

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import distributed
    import pandas as pd

_SIGNIFICANT = 0.05


@dataclass(frozen=True)
class WalkForward:
    """Folds, and what they say together.

    Attributes
    ----------
    table : DataFrame
        A row a fold: in_start, out_start, out_end, the parameters chosen, in_sample (the metric of
        the chosen one), out_of_sample, median (of all combinations out of sample), rank (percent of
        the others that it beats out of sample, 50 by chance), better (than the median); and of the
        chosen one out of sample asks, errors, open, open_pnl. A fold in which no figure is known in
        sample has no choice; one whose choice has no figure out of sample is lost.
    """

    table: pd.DataFrame
    metric: str
    combinations: int

    @property
    def folds(self) -> int:
        """How many folds there are; those without a choice are among them."""
        return len(self.table)

    @property
    def better(self) -> int:
        """Folds in which the chosen one beat the median of all out of sample."""
        return int((self.table["better"] == True).sum())  # noqa: E712 - it may be missing

    @cached_property
    def p_value(self) -> float:
        """How likely chance alone beats the median in at least so many folds (sign test)."""
        ways = sum(math.comb(self.folds, count) for count in range(self.better, self.folds + 1))
        return ways / 2.0**self.folds

    @property
    def rank(self) -> float:
        """Mean of `rank` over the folds that have one, percent; NaN without any."""
        return float(self.table["rank"].mean())

    @property
    def holds(self) -> bool:
        """Whether choosing the best in sample was better than chance."""
        return self.p_value < _SIGNIFICANT and self.rank > 50

    @property
    def verdict(self) -> str:
        """What the table says, in a sentence."""
        if not self.table["better"].notna().any():
            few = f" (it needs {MIN_TRADES} trades in each part)" * (self.metric in OF_TRADES)
            return f"no verdict: {self.metric} is N/A in every fold{few}; make them longer"
        found = (
            f"the in-sample best of {self.combinations} beat the out-of-sample median in "
            f"{self.better} of {self.folds} folds and {self.rank:.0f} % of the others on average"
        )
        if self.holds:
            return f"{found}: better than chance (p = {self.p_value:.2g})"
        return f"{found}: no better than chance (p = {self.p_value:.2g})"

    def __repr__(self) -> str:
        return f"{self.verdict}\n{self.table.to_string()}"

    def _repr_html_(self) -> str:
        from tradenb.view.pages.walk_forward_html import walk_forward_html

        return walk_forward_html(self.table, html.escape(self.verdict), holds=self.holds)


@explained("tn.walk_forward")
def walk_forward(
    strategy_factory: Callable[..., StrategySpec],
    *,
    grid: Grid,
    where: Where | None = None,
    symbols: str | Iterable[str],
    exchange: CandleSource | str,
    train: str,
    test: str,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    metric: str = "sharpe",
    rules: Rules | None = None,
    account: Account | None = None,
    executor: Executor | distributed.Client | None = None,
    home: str | Path | None = None,
    progress: bool = True,
) -> WalkForward:
    """Choose the best combination again and again, and see how it does afterwards.

    Parameters
    ----------
    strategy_factory, grid, where, symbols, exchange, start, end, rules, account, executor
        As in `tn.sweep`. With an account each part begins with its cash.
    home, progress
        As in `tn.sweep`.
    train, test : str
        Length of the in-sample and of the out-of-sample part, such as "60d" and "20d". Each fold
        begins `test` later than the one before.
    metric : str, default "sharpe"
        The figure to choose by, of docs/statistics.md: the largest (of drawdowns and losing streaks
        the smallest). Ratios need 14 days
        and 10 trades in each part; sums and means (`total_pnl`, `avg_pnl`) do not.

    Returns
    -------
    WalkForward
        `.table`, `.verdict`, `.holds`.

    Raises
    ------
    UsageError
        As `tn.sweep`; when there is one combination only, an unknown metric, one that parts as
        short as these never have, or no whole fold. All before anything is run.

    Examples
    --------
    >>> import tempfile
    >>> import tradenb as tn
    >>> def crossing(fast, slow):
    ...     @tn.strategy(f"crossing {fast}/{slow}", every="1h", history="2d")
    ...     def cross(ctx):
    ...         closes = ctx.candles("1h", slow).close
    ...         if closes[-fast:].mean() > closes.mean():
    ...             return tn.long(take_profit=tn.percent(2), stop_loss=tn.percent(1), minutes=600)
    ...
    ...     return cross
    >>> grid = {"fast": [4, 8], "slow": [12, 24]}
    >>> market = tn.testing.random_walk(seed=7, days=10)
    >>> given = {"symbols": "BTCUSDT", "exchange": market, "home": tempfile.mkdtemp()}
    >>> parts = {"train": "3d", "test": "2d", "metric": "total_pnl"}
    >>> found = tn.walk_forward(crossing, grid=grid, progress=False, **parts, **given)
    >>> len(found.table), found.holds
    (3, False)
    >>> found.verdict
    'the in-sample best of 4 beat the out-of-sample median in 2 of 3 folds ...'
    """
    check_figure(metric, account)
    wanted = combinations(grid, where)
    if len(wanted) < 2:
        raise UsageError("walk-forward chooses among combinations, but the grid has only one")
    lengths = duration_ms(train, "train"), duration_ms(test, "test")
    _check_lengths(metric, *lengths)
    plan, market, memory = loaded(
        strategy_factory, wanted[0], symbols, exchange, start, end, rules, account
    )
    several = market.candles.values()
    first = max(plan.start or 0, *(candles.start for candles in several))
    ends = [candles.end for candles in several]
    last = min(ends) if plan.end is None else min(plan.end, *ends)
    folds = _folds(first, last, *lengths)
    rows, tables = [], []
    with progress_bar("walk-forward", shown=progress, total=2 * len(folds) * len(wanted)) as bar:
        for fold in folds:
            inside, outside = (
                swept(
                    strategy_factory, wanted, settings_of(plan, market, begin, finish), market,
                    exchange=plan.source.name, memory=memory, executor=executor, home=home,
                    note=bar.update,
                )
                for begin, finish in (fold[:2], fold[1:])
            )  # fmt: skip
            tables += [inside, outside]
            rows.append(_row(fold, inside, outside, metric))
    report_failures(*tables)
    return WalkForward(_table(rows, list(wanted[0])), metric, len(wanted))


def _check_lengths(metric: str, train: int, test: int) -> None:
    """Refuse a figure that the parts of a fold are too short for."""
    if metric in OF_TRADES | OF_DAYS and min(train, test) < MIN_DAYS * DAY:
        few = f" and {MIN_TRADES} trades" * (metric in OF_TRADES)
        raise UsageError(
            f"{metric} is N/A below {MIN_DAYS} days{few}; train is "
            f"{train / DAY:g} days and test {test / DAY:g}: make both {MIN_DAYS}d or longer, or "
            'choose metric="avg_pnl" or "total_pnl"'
        )


def _folds(first: int, last: int, train: int, test: int) -> list[tuple[int, int, int]]:
    """Return start, border and end of each fold, ms UTC."""
    count = (last - first - train) // test
    if count < 1:
        raise UsageError(
            f"train + test do not fit between {iso(first)} and {iso(last)}; pass shorter ones"
        )
    borders = [first + train + number * test for number in range(count)]
    return [(border - train, border, border + test) for border in borders]


def _row(
    fold: tuple[int, int, int], inside: pd.DataFrame, outside: pd.DataFrame, metric: str
) -> dict[str, Any]:
    """Choose the best in sample and compare it out of sample."""
    row: dict[str, Any] = dict(zip(("in_start", "out_start", "out_end"), fold, strict=True))
    names = parameters(inside)
    median = outside.loc[standing(outside, metric) != FAILED, metric].median()
    chosen = best(inside, metric)
    if chosen is None:
        return row | {"median": median}
    row |= {name: inside[name][chosen] for name in names}
    row |= {name: outside[name][chosen] for name in CONDUCT}
    found, others = outside[metric][chosen], outside[metric].drop(chosen).dropna()
    row |= {"in_sample": inside[metric][chosen], "out_of_sample": found, "median": median}
    if math.isnan(found):
        return row | {"rank": 0.0, "better": False}
    if others.empty:
        return row
    good = -1.0 if metric in SMALL_IS_GOOD else 1.0
    rank = 100 * ((good * others < good * found).mean() + (others == found).mean() / 2)
    return row | {"rank": rank, "better": bool(good * found > good * median)}


def _table(rows: list[dict[str, Any]], names: list[str]) -> pd.DataFrame:
    import pandas as pd

    measured = ["in_sample", "out_of_sample", "median", "rank"]
    times = ["in_start", "out_start", "out_end"]
    frame = pd.DataFrame(rows, columns=[*times, *names, *measured, "better", *CONDUCT])
    for name in times:
        frame[name] = pd.to_datetime(frame[name], unit="ms", utc=True).astype("datetime64[ms, UTC]")
    counts = dict.fromkeys(("asks", "errors", "open"), "Int64")
    numbers = dict.fromkeys([*measured, "open_pnl"], "float64")
    return frame.astype({**numbers, **counts, "better": "boolean"})
