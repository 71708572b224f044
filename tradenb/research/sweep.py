"""`tn.sweep`: one strategy with many settings, and the figures of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tradenb.backtest.plan import Plan, make_plan
from tradenb.core.rules import Rules
from tradenb.engine.registry import registry
from tradenb.engine.specs import StrategySpec
from tradenb.errors import UsageError
from tradenb.research.grid import Combination, Grid, combinations, name_of
from tradenb.research.identity import candles_key, sweep_key
from tradenb.research.runners import Work, rows_of
from tradenb.research.shelf import Shelf
from tradenb.research.task import COLUMNS, COUNTS, Place, Row, Settings, columns_of
from tradenb.store.paths import find_home

if TYPE_CHECKING:
    import pandas as pd


def sweep(
    strategy_factory: Callable[..., StrategySpec],
    *,
    grid: Grid,
    symbols: str | Iterable[str],
    exchange: Any,
    start: Any = None,
    end: Any = None,
    rules: Rules | None = None,
    executor: Any = None,
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
    symbols, exchange, start, end, rules
        As in `tn.backtest.run`. The candles are loaded once.
    executor : Executor or dask.distributed.Client, optional
        Where it runs; default in this process. Candles go to each worker once, the factory by
        value. The table is the same wherever it is made.
    home : path, optional
        Finished combinations are kept in `research` under it.
    resume : bool, default True
        Take finished combinations of the same sweep (factory and what it names, candles, period,
        rules) from disk.
    progress : bool, default True
        Show a progress bar.

    Returns
    -------
    DataFrame
        A row a combination in the order of the grid: its parameters, the figures of
        docs/statistics.md, and open, rejected, errors (user functions that failed), asks_lost,
        error (what ended it, else None; its figures are NaN then).

    Raises
    ------
    UsageError, CandleError, ExchangeError
        As `tn.backtest.run`, and for a grid or an executor that cannot work.
    StateError
        When worker processes died; what was finished is kept.
    """
    wanted = combinations(grid)
    clash = sorted(set(wanted[0]) & set(COLUMNS))
    if clash:
        raise UsageError(f"parameters must not have the names of figures, {clash} do")
    given: Any = strategy_factory
    if not callable(given) or isinstance(given, StrategySpec):
        raise UsageError(
            "strategy_factory must be a function that makes the strategy of a combination, "
            f"was {strategy_factory!r:.80}"
        )
    plan, places = loaded(strategy_factory, wanted[0], symbols, exchange, start, end, rules)
    settings = Settings(plan.symbols, plan.start, plan.end, plan.rules)
    return swept(
        strategy_factory, wanted, settings, places,
        exchange=plan.source.name, executor=executor, home=home, resume=resume, progress=progress,
    )  # fmt: skip


def loaded(
    factory: Callable[..., StrategySpec],
    combination: Combination,
    symbols: Any,
    exchange: Any,
    start: Any,
    end: Any,
    rules: Rules | None,
) -> tuple[Plan, list[Place]]:
    """Check the arguments, and load all candles once.

    The first combination says how much history is fetched where a source has more than it holds in
    memory; a factory that cannot make it fails here only if it fails for all.
    """
    plan = make_plan(symbols, _any_strategy(), exchange, start, end, rules, ())
    history = plan.history_ms
    try:
        with registry.aside():
            history = max(history, factory(**combination).history_ms)
    except Exception:  # noqa: BLE001, S110 - it is a row of the table
        pass
    places: list[Place] = []
    for symbol in plan.symbols:
        found = plan.source.load(
            symbol, start=plan.start, end=plan.end, history=history, rules=plan.rules
        )
        places.append((symbol, found.candles.start, columns_of(found.candles)))
    return plan, places


def swept(
    factory: Callable[..., StrategySpec],
    wanted: list[Combination],
    settings: Settings,
    places: list[Place],
    *,
    exchange: str,
    executor: Any = None,
    home: str | Path | None = None,
    resume: bool = True,
    progress: bool = True,
) -> pd.DataFrame:
    """Run what is not on disk yet, and make the table."""
    from tqdm.auto import tqdm

    key = candles_key(places)
    shelf = Shelf(find_home(home).root / "research", sweep_key(factory, key, exchange, settings))
    known = shelf.read() if resume else {}
    rows: dict[int, Row] = {
        place: known[name_of(item)] for place, item in enumerate(wanted) if name_of(item) in known
    }
    waiting = [(place, item) for place, item in enumerate(wanted) if place not in rows]
    work = Work(factory, places, key, settings, waiting, shelf)
    with tqdm(total=len(wanted), initial=len(rows), desc="sweep", disable=not progress) as bar:
        for at, found in rows_of(work, executor) if waiting else ():
            shelf.add([(wanted[place], row) for place, row in zip(at, found, strict=True)])
            rows.update(zip(at, found, strict=True))
            bar.update(len(at))
    return _table(wanted, [rows[place] for place in range(len(wanted))])


def parameters(table: pd.DataFrame) -> list[str]:
    """Return the names of the parameters of a sweep's table."""
    return [name for name in table.columns if name not in COLUMNS]


def _table(wanted: list[Combination], rows: list[Row]) -> pd.DataFrame:
    import pandas as pd

    names = list(wanted[0])
    given = pd.DataFrame(wanted, columns=names)
    figures = pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(COUNTS, "int64"))
    figures["error"] = figures["error"].astype(object).where(figures["error"].notna(), None)
    return pd.concat([given, figures], axis=1)


def _any_strategy() -> StrategySpec:
    return StrategySpec(name="any", function=_nothing, every="1m", history="1m")


def _nothing(_ctx: object) -> None:
    return None
