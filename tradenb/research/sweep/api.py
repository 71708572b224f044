"""`tn.sweep`: one strategy with many settings, and the figures of each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tradenb.backtest.plan import Plan, make_plan
from tradenb.backtest.trial import COUNTS, TrialCandles
from tradenb.call_errors import explained
from tradenb.core.money.account import Account
from tradenb.core.rules import Rules
from tradenb.core.timeframe import TimeLike, timeframe_name
from tradenb.engine.inputs import data, inputs
from tradenb.engine.ports import CandleSource, step_of
from tradenb.engine.reach import looks_up
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import StrategyError, UsageError, shown
from tradenb.exchanges.resolve_exchange import resolve_candle_source
from tradenb.progress_bars import progress_bar
from tradenb.research.sweep.cache_key import candles_key, sweep_key
from tradenb.research.sweep.executors import Trials, rows_of
from tradenb.research.sweep.grid import (
    Combination,
    Grid,
    Where,
    check_factory,
    combinations,
    name_of,
)
from tradenb.research.sweep.sweep_cache import ReadCandles, SweepCache
from tradenb.research.sweep.sweep_candles import market_of_plan
from tradenb.research.sweep.sweep_trial import COLUMNS, TEXTS, Row, Settings, settings_of
from tradenb.statistics.figure_names import ALL_UNITS
from tradenb.store.paths import find_home
from tradenb.view.formatting import plural

if TYPE_CHECKING:
    from concurrent.futures import Executor

    import distributed
    import pandas as pd

log = logging.getLogger("tradenb")

_TAKEN: Final = {*COLUMNS, *ALL_UNITS}
"""Names that parameters must not have."""


@explained("tn.sweep")
def sweep(
    strategy_factory: Callable[..., StrategySpec],
    *,
    grid: Grid,
    where: Where | None = None,
    symbols: str | Iterable[str],
    exchange: CandleSource | str,
    start: TimeLike | None = None,
    end: TimeLike | None = None,
    rules: Rules | None = None,
    account: Account | None = None,
    executor: Executor | distributed.Client | None = None,
    home: str | Path | None = None,
    resume: bool = True,
    progress: bool = True,
) -> pd.DataFrame:
    """Backtest a strategy with every combination of parameters.

    Parameters
    ----------
    strategy_factory : callable
        Makes the strategy of one combination, whose parameters it gets by name. What it registers
        is forgotten again.
    grid : dict of str to list, or list of dict
        The values of each parameter, or the combinations themselves. Strings, numbers, booleans
        and None.
    where : callable, optional
        Which combinations are wanted, such as `lambda p: p["fast"] < p["slow"]`.
    symbols, exchange, start, end, rules
        As in `tn.backtest.run`. The candles are loaded once.
    account : Account, optional
        Each combination begins with its cash.
    executor : Executor or dask.distributed.Client, optional
        Where it runs; default in this process. Candles go to each worker once (again if they are
        lost with it), the factory by value. The table is the same wherever it is made.
    home : path, optional
        Finished combinations are kept in `research` under it; default `TRADENB_HOME` or ./dump.
    resume : bool, default True
        Take finished combinations of the same sweep (factory and what it names, candles, period,
        rules) from disk. Those that failed are tried again. A value whose name is computed
        (`globals()[name]`), what is read from files and variables of the environment are not seen
        to change: pass False then.
    progress : bool, default True
        Show a progress bar.

    Returns
    -------
    DataFrame
        A row a combination in the order of the grid: its parameters, the figures of
        docs/statistics.md (with an account those in money, too), and open, asks (calls for an
        entry, not those about what is open: 1 for a strategy that is always in), rejected, errors
        (user functions that failed), asks_lost, first_error (what the first of them said, else
        None), error (what ended it, else None; its figures are NaN then).

    Raises
    ------
    UsageError, CandleError, ExchangeError
        As `tn.backtest.run`, and for a grid, a factory or an executor that cannot work.
    StrategyError
        When every combination failed; the words are those of the first.
    StateError
        When worker processes died, or home cannot be written; what was finished is kept.

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
    >>> table = tn.sweep(crossing, grid=grid, progress=False, **given)
    >>> table[["fast", "slow", "count", "total_pnl"]].round(2)
       fast  slow  count  total_pnl
    0     4    12   24.0     -11.91
    1     4    24   27.0     -13.40
    2     8    12   33.0     -13.80
    3     8    24   31.0     -12.38
    """
    wanted = combinations(grid, where)
    check_names(wanted[0])
    plan, market, memory = loaded(
        strategy_factory, wanted[0], symbols, exchange, start, end, rules, account
    )
    settings = settings_of(plan, market, plan.start, plan.end)
    with progress_bar("sweep", shown=progress, total=len(wanted)) as bar:
        table = swept(
            strategy_factory, wanted, settings, market,
            exchange=plan.source.name, memory=memory, executor=executor, home=home, resume=resume,
            note=bar.update,
        )  # fmt: skip
    report_failures(table)
    return table


def check_names(combination: Combination) -> None:
    """Refuse parameters that are named like figures.

    Raises
    ------
    UsageError
    """
    clash = sorted(set(combination) & _TAKEN)
    if clash:
        raise UsageError(
            f"parameters must not be named like figures of the table: {clash}; rename them"
        )


def loaded(
    factory: Callable[..., StrategySpec],
    combination: Combination,
    symbols: Any,
    exchange: CandleSource | str,
    start: Any,
    end: Any,
    rules: Rules | None,
    account: Account | None = None,
) -> tuple[Plan, TrialCandles, frozenset[str]]:
    """Check the arguments, and load all candles once; nothing has been run yet.

    Returned with plan and candles is what the factory itself changes; see `cache_key.sweep_key`.
    The first combination says how much history is fetched where a source has more than it holds in
    memory; a factory that cannot make it fails here only if it fails for all.
    """
    given: Any = factory
    if not callable(given) or isinstance(given, StrategySpec):
        raise UsageError(
            "strategy_factory must be a function that makes the strategy of a combination, "
            f"was {shown(factory)}"
        )
    check_factory(factory, combination)
    source = resolve_candle_source(exchange)
    if isinstance(account, Mapping):
        raise UsageError(
            "account must be one tn.Account(...) for all combinations, was a mapping: the names of "
            "the strategies are not known before they are made"
        )
    any_ = _any_strategy(step_of(source))
    plan = make_plan(symbols, any_, source, start, end, rules, (), account)
    history, before, kept = plan.history_ms, inputs(factory), data(factory)
    try:
        with registry.aside():
            history = max(history, factory(**combination).history_ms)
    except Exception:  # noqa: BLE001, S110 - it is a row of the table
        pass
    changed = {name for name, _ in before.items() ^ inputs(factory).items()}
    return plan, market_of_plan(plan, history), frozenset(changed - kept - data(factory))


def swept(
    factory: Callable[..., StrategySpec],
    wanted: list[Combination],
    settings: Settings,
    market: TrialCandles,
    *,
    exchange: str,
    memory: frozenset[str],
    executor: Executor | distributed.Client | None = None,
    home: str | Path | None = None,
    resume: bool = True,
    note: Callable[[int], object],
) -> pd.DataFrame:
    """Run what is not on disk yet, and make the table; `note` is told how many rows came."""
    reads = ReadCandles(market)
    traded = {symbol: market.history(symbol).candles for symbol in settings.symbols}
    name = sweep_key(factory, candles_key(traded), exchange, settings, memory)
    cache = SweepCache(find_home(home).root / "research", name)
    known = (
        {of: row for of, row in cache.read(settings.columns).items() if reads.are_as_in(row)}
        if resume
        else {}
    )
    rows: dict[int, Row] = {
        place: known[name_of(item)] for place, item in enumerate(wanted) if name_of(item) in known
    }
    _note_names(factory, len(rows))
    note(len(rows))
    # A trial in another process may find that it lacks the candles of a symbol that it reads: they
    # are loaded here, and it is run again.
    while waiting := [(place, item) for place, item in enumerate(wanted) if place not in rows]:
        trials = Trials(factory, market, candles_key(market.candles), settings, waiting, cache)
        for at, found in rows_of(trials, executor):
            done = reads.finished(zip(at, found, strict=True))
            cache.add([(wanted[place], row) for place, row in done.items()])
            rows.update(done)
            note(len(done))
    return _table(wanted, [rows[place] for place in range(len(wanted))], settings.columns)


def _note_names(factory: Callable[..., StrategySpec], known: int) -> None:
    """Say that rows from disk may be stale where names are computed, which cannot be followed."""
    found = ", ".join(sorted(looks_up(factory))) if known else ""
    if found:
        log.info(
            "%s were taken from disk, and names are looked up by text (%s): a value whose name is "
            "computed is not seen to change; after such a change pass resume=False",
            plural(known, "combination"), found,
        )  # fmt: skip


def report_failures(*tables: pd.DataFrame) -> None:
    """Say how many combinations failed; raise if none is left.

    Raises
    ------
    StrategyError
    """
    errors = [error for table in tables for error in table["error"] if error is not None]
    total = sum(map(len, tables))
    failing = sum(int((table["errors"] > 0).sum()) for table in tables)
    if failing:
        log.warning(
            "functions failed in %s of %s, see the column first_error; run one of them with "
            "tn.backtest.run to see why",
            f"{failing:,}", plural(total, "combination"),
        )  # fmt: skip
    if not errors:
        return
    if len(errors) == total:
        all_ = f"all {total:,} combinations" if total > 1 else "the combination"
        raise StrategyError(f"{all_} failed, the first: {errors[0]}")
    log.warning(
        "%s of %s failed, see the column error; the first: %s",
        f"{len(errors):,}", plural(total, "combination"), errors[0],
    )  # fmt: skip


def parameters(table: pd.DataFrame) -> list[str]:
    """Return the names of the parameters of a sweep's table."""
    return [name for name in table.columns if name not in _TAKEN]


def _table(wanted: list[Combination], rows: list[Row], columns: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    names = list(wanted[0])
    given = pd.DataFrame({name: _column([item[name] for item in wanted]) for name in names})
    figures = pd.DataFrame(rows, columns=list(columns)).astype(dict.fromkeys(COUNTS, "int64"))
    for name in TEXTS:
        figures[name] = figures[name].astype(object).where(figures[name].notna(), None)
    return pd.concat([given, figures], axis=1)


def _column(values: list[Any]) -> Any:
    """Return the values of a parameter as they were given: None is not a number."""
    import pandas as pd

    return pd.Series(values, dtype=object if None in values else None)


def _any_strategy(step: int) -> StrategySpec:
    every = timeframe_name(step)
    return StrategySpec(name="any", function=_nothing, every=every, history=every)


def _nothing(_ctx: object) -> None:
    return None
