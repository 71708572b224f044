"""`tn.backtest.run` and `tn.backtest.background`."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Literal

from tradenb.backtest.job import Job
from tradenb.backtest.plan import make_plan
from tradenb.backtest.progress import ProgressBar
from tradenb.backtest.results.result import Result
from tradenb.call_errors import explained
from tradenb.core.money.account import Account
from tradenb.core.rules import Rules
from tradenb.core.timeframe import TimeLike
from tradenb.engine.ports import CandleSource
from tradenb.engine.specs.strategy_spec import StrategySpec


@explained("tn.backtest.run")
def run(
    symbols: str | Iterable[str],
    *,
    strategy: StrategySpec | str | Iterable[StrategySpec | str],
    exchange: CandleSource | str,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    rules: Rules | None = None,
    account: Account | Mapping[str, Account] | None = None,
    commands: Iterable[Mapping[str, object]] = (),
    on_error: Literal["record", "raise"] = "record",
    progress: bool = True,
) -> Result:
    """Run strategies over recorded candles.

    Parameters
    ----------
    symbols : str or several
        Such as "BTCUSDT" or "BTC/USDT". Every strategy runs on every symbol, on one merged
        timeline; strategies that name the same risk rule share its book.
    strategy : StrategySpec, str or a list of them
        In this order within one close time.
    exchange : exchange or str
        Where the candles come from.
    start, end : int, str, datetime or Timestamp, optional
        The period, `end` exclusive; UTC where no zone is given; default all there is. Candles
        before `start` are history: seen, never traded. A strategy is asked first at the first full
        `every` of UTC after `start`: for "1h" and midnight at 01:00.
    rules : Rules, optional
    account : Account, or dict of str to Account, optional
        The money that all share, and how large an entry is; sizes may differ by strategy. Without
        one all figures are percents of what each position cost.
    commands : iterable of mappings, optional
        What a user did during the run: {"at": time, "kind": "cancel" | "stop" | "flatten" |
        "close" | "move", "symbol", "strategy", "id", "cancel_id"}; a close may say its fraction, a
        move says stop_loss, take_profit, minutes or until.
    on_error : {"record", "raise"}, default "record"
        What a function of yours that raises does: make an `error` event, as in a live run, which
        counts as no answer; or end the backtest.
    progress : bool, default True
        Show a progress bar if it takes longer than half a second.

    Returns
    -------
    Result

    Raises
    ------
    UsageError
        When an argument cannot work; the message names it and the nearest right one.
    CandleError
        When candles are refused, or none lie in the period.
    ExchangeError
        When candles cannot be fetched.
    StrategyError
        With `on_error="raise"`, from the first error of a function; also when indicators or a
        vectorised strategy raise.

    Examples
    --------
    >>> import tradenb as tn
    >>> @tn.strategy("hourly", every="1h")
    ... def hourly(ctx):
    ...     return tn.long(take_profit=tn.percent(1.5), stop_loss=tn.percent(1), minutes=240)
    >>> market = tn.testing.random_walk(seed=7, days=3)
    >>> result = tn.backtest.run("BTCUSDT", strategy=hourly, exchange=market, start="2024-01-02")
    >>> len(result.trades), f"{result.stats['win_rate']:.1f}"
    (17, '58.8')
    """
    plan = make_plan(symbols, strategy, exchange, start, end, rules, commands, account)
    job = Job(plan, on_error)
    with ProgressBar(enabled=progress) as bar:
        job.supervise(bar.show)
    return job.result()


@explained("tn.backtest.background")
def background(
    symbols: str | Iterable[str],
    *,
    strategy: StrategySpec | str | Iterable[StrategySpec | str],
    exchange: CandleSource | str,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    rules: Rules | None = None,
    account: Account | Mapping[str, Account] | None = None,
    commands: Iterable[Mapping[str, object]] = (),
    on_error: Literal["record", "raise"] = "record",
) -> Job:
    """Run a backtest on a thread of its own and return at once.

    The parameters are those of `run`.

    Returns
    -------
    Job
        `job.progress`, `job.cancel()`, `job.result()`.

    Examples
    --------
    >>> import tradenb as tn
    >>> @tn.strategy("aside", every="1h")
    ... def aside(ctx):
    ...     return tn.long(take_profit=tn.percent(1.5), stop_loss=tn.percent(1), minutes=240)
    >>> market = tn.testing.random_walk(seed=7, days=3)
    >>> job = tn.backtest.background("BTCUSDT", strategy=aside, exchange=market)
    >>> len(job.result(timeout=60).trades), job.progress
    (23, 1.0)
    """
    plan = make_plan(symbols, strategy, exchange, start, end, rules, commands, account)
    job = Job(plan, on_error)
    threading.Thread(target=job.supervise, name="tradenb-backtest-watch", daemon=True).start()
    return job
