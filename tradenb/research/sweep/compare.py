"""`tn.compare`: several strategies on the same candles, ranked by one figure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tradenb.backtest.plan import Plan, make_plan
from tradenb.backtest.trial import TrialCandles, run_trial
from tradenb.call_errors import explained
from tradenb.core.money.account import Account
from tradenb.core.rules import Rules
from tradenb.core.timeframe import TimeLike
from tradenb.engine.ports import CandleSource
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import UsageError, shown
from tradenb.progress_bars import progress_bar
from tradenb.research.sweep.order import check_figure, ordered
from tradenb.research.sweep.sweep_candles import market_of_plan

if TYPE_CHECKING:
    import pandas as pd

METRICS: Final = (
    "sharpe", "sharpe_annual", "win_rate", "total_pnl", "certainty_ratio", "avg_pnl",
    "expected_yearly_return",
)  # fmt: skip


@explained("tn.compare")
def compare(
    strategies: Iterable[StrategySpec | str],
    *,
    symbols: str | Iterable[str],
    exchange: CandleSource | str,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    rules: Rules | None = None,
    account: Account | Mapping[str, Account] | None = None,
    by: str = "sharpe",
    progress: bool = True,
) -> pd.DataFrame:
    """Run strategies one by one on the same candles and rank them.

    Parameters
    ----------
    strategies : list of StrategySpec or str
        Each runs alone: they share no risk book. To run them together, give the list to
        `tn.backtest.run`.
    symbols, exchange, start, end, rules, account
        As in `tn.backtest.run`. Each strategy begins with all the cash.
    by : str, default "sharpe"
        The figure to rank by, of docs/statistics.md; the largest first (of drawdowns and losing
        streaks the smallest); then those whose figure is N/A, that filled nothing, that failed in
        every ask. Of equal ones the smaller drawdown comes first, then more trades.
    progress : bool, default True
        Show a progress bar.

    Returns
    -------
    DataFrame
        A row a strategy, the best first: rank, the figures a strategy is usually ranked by, then
        all others of docs/statistics.md, asks, rejected, errors, asks_lost, first_error.

    Raises
    ------
    UsageError
        As `tn.backtest.run`, and for an unknown figure.

    Examples
    --------
    >>> import tradenb as tn
    >>> @tn.strategy("narrow", every="1h")
    ... def narrow(ctx):
    ...     return tn.long(**tn.bracket(stop=1, target=1), minutes=240)
    >>> @tn.strategy("wide", every="1h")
    ... def wide(ctx):
    ...     return tn.long(**tn.bracket(stop=2, target=4), minutes=240)
    >>> market = tn.testing.random_walk(seed=7, days=5)
    >>> given = {"symbols": "BTCUSDT", "exchange": market, "by": "total_pnl"}
    >>> table = tn.compare([narrow, wide], progress=False, **given)
    >>> table[["rank", "count", "total_pnl"]].round(2)
              rank  count  total_pnl
    strategy
    wide         1   31.0      -4.55
    narrow       2   46.0     -14.47
    """
    import pandas as pd

    check_figure(by, account)
    if isinstance(strategies, str | StrategySpec) or not isinstance(strategies, Iterable):
        raise UsageError(f"strategies must be a list of them, was {shown(strategies)}")
    specs = [registry.find("strategy", item, form=StrategySpec) for item in strategies]
    plan = make_plan(symbols, specs, exchange, start, end, rules, (), account)
    market = market_of_plan(plan, plan.history_ms)
    rows = []
    with progress_bar("compare", shown=progress, total=len(specs)) as bar:
        for spec in specs:
            rows.append(run_trial(_alone(plan, spec, market), market))
            bar.update()
    names = pd.Index([spec.name for spec in specs], name="strategy", dtype="str")
    rest = [name for name in rows[0] if name not in METRICS]
    table = pd.DataFrame(rows, index=names, columns=[*METRICS, *rest])
    table = ordered(table, by)
    table.insert(0, "rank", range(1, len(table) + 1))
    return table


def _alone(plan: Plan, spec: StrategySpec, market: TrialCandles) -> Plan:
    """Return the plan of one strategy."""
    accounts = {name: own for name, own in plan.accounts.items() if name == spec.name}
    return replace(plan, strategies=(spec,), source=market, accounts=accounts)
