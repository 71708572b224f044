"""`tn.trial`: one combination at a time, for optimisers that choose the next one themselves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradenb.backtest.plan import Plan
from tradenb.backtest.trial import TrialCandles
from tradenb.call_errors import explained
from tradenb.core.money.account import Account
from tradenb.core.rules import Rules, checked_rules
from tradenb.core.timeframe import TimeLike
from tradenb.engine.arguments import period_of
from tradenb.engine.ports import CandleSource
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import StrategyError, UsageError, shown
from tradenb.exchanges.resolve_exchange import resolve_candle_source
from tradenb.research.sweep.api import check_names, loaded, swept
from tradenb.research.sweep.grid import check_factory, combinations
from tradenb.research.sweep.sweep_trial import TEXTS, settings_of

if TYPE_CHECKING:
    import pandas as pd

_Loaded = tuple[Plan, TrialCandles, frozenset[str]]


class Market:
    """The candles of trials, loaded at the first of them."""

    def __init__(self, load: Callable[[dict[str, Any]], _Loaded]) -> None:
        self._load = load
        self._found: _Loaded | None = None
        self.lock = threading.RLock()

    def of(self, combination: dict[str, Any]) -> _Loaded:
        """Return plan, candles, and what the factory itself changes."""
        if self._found is None:
            self._found = self._load(combination)
        return self._found


class Trial:
    """A function of the parameters of a strategy that returns the figures of a backtest.

    Made by `tn.trial`. It may be called from several threads; one trial runs at a time.
    """

    def __init__(
        self,
        factory: Callable[..., StrategySpec],
        market: Market,
        *,
        period: tuple[int | None, int | None],
        home: str | Path | None,
        resume: bool,
    ) -> None:
        self._factory = factory
        self._market = market
        self._period = period
        self._home = home
        self._resume = resume

    def __call__(self, **parameters: Any) -> pd.Series[float]:
        """Run the strategy with these parameters, or take what is known of it from disk.

        Returns
        -------
        Series
            The figures and counts of a row of `tn.sweep`, by name; NaN is N/A.

        Raises
        ------
        UsageError, CandleError, ExchangeError
            As `tn.sweep`.
        StrategyError
            When the factory or the run failed.
        """
        if not parameters:
            raise UsageError("pass the parameters by name, such as trial(fast=5, slow=50)")
        combination = combinations([parameters])[0]
        check_names(combination)
        check_factory(self._factory, combination)
        with self._market.lock:
            plan, market, memory = self._market.of(combination)
            start, end = self._period
            settings = settings_of(plan, market, start, end)
            table = swept(
                self._factory, [combination], settings, market, exchange=plan.source.name,
                memory=memory, home=self._home, resume=self._resume, note=lambda _count: None,
            )  # fmt: skip
        row = table.iloc[0]
        if row["error"] is not None:
            raise StrategyError(f"{combination}: {row['error']}")
        return (
            row[[name for name in settings.columns if name not in TEXTS]]
            .astype("float64")
            .rename(None)
        )

    def between(self, start: TimeLike | None, end: TimeLike | None) -> Trial:
        """Return the trial of a part of the period, such as a fold, on the same candles.

        Raises
        ------
        UsageError
            When it is not a part of it.
        """
        part, whole = period_of(start, end), self._period
        begins, ends = part[0] or whole[0], part[1] or whole[1]
        early = begins is not None and whole[0] is not None and begins < whole[0]
        late = ends is not None and whole[1] is not None and ends > whole[1]
        if early or late:
            raise UsageError(
                f"the part from {start} to {end} must lie within the period of the trial"
            )
        return Trial(
            self._factory, self._market, period=(begins, ends), home=self._home,
            resume=self._resume,
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<trial of {getattr(self._factory, '__qualname__', self._factory)!r}>"


@explained("tn.trial")
def trial(
    strategy_factory: Callable[..., StrategySpec],
    *,
    symbols: str | Iterable[str],
    exchange: CandleSource | str,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    rules: Rules | None = None,
    account: Account | None = None,
    home: str | Path | None = None,
    resume: bool = True,
) -> Trial:
    """Make a function that backtests one combination of parameters, for Optuna and others.

    Candles are loaded once, at the first call, and results are kept on disk as those of
    `tn.sweep`: the same parameters are not run twice.

    Parameters
    ----------
    strategy_factory, symbols, exchange, start, end, rules, account, home, resume
        As in `tn.sweep`.

    Returns
    -------
    Trial
        `trial(fast=5, slow=50)` returns a Series of figures (`.sharpe`, `.total_pnl`, `.count`);
        `trial.between(start, end)` is the trial of a fold.

    Raises
    ------
    UsageError
        When an argument cannot work.

    Examples
    --------
    >>> import tradenb as tn
    >>> def make(length):
    ...     @tn.strategy("trial_example", every="1h")
    ...     def own(ctx):
    ...         if ctx.price < ctx.candles("1h", length).close.mean():
    ...             return tn.long(
    ...                 take_profit=1.02 * ctx.price, stop_loss=0.98 * ctx.price, minutes=240
    ...             )
    ...
    ...     return own
    >>> walk = tn.testing.random_walk(seed=1, days=10)
    >>> trial = tn.trial(make, symbols="BTCUSDT", exchange=walk)
    >>> int(trial(length=5)["count"]) > 10
    True
    """
    given: Any = strategy_factory
    if not callable(given) or isinstance(given, StrategySpec):
        raise UsageError(
            "strategy_factory must be a function that makes the strategy of a combination, "
            f"was {shown(strategy_factory)}"
        )
    period = period_of(start, end)
    source, settings = resolve_candle_source(exchange), checked_rules(rules)
    names = symbols if isinstance(symbols, str) else list(symbols)

    def load(combination: dict[str, Any]) -> _Loaded:
        return loaded(strategy_factory, combination, names, source, start, end, settings, account)

    return Trial(strategy_factory, Market(load), period=period, home=home, resume=resume)
