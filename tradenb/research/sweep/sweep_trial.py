"""What one process does of a sweep: trials of some combinations on candles that it holds once.

The candles are named by their key, and come in files that are mapped into memory, or as arrays that
a cluster hands over once. The factory is sent by value, so that what was defined in a notebook's
cell can be run anywhere.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from tradenb.backtest.plan import Plan, check_intervals
from tradenb.backtest.trial import COUNTS, FIRST_ERROR, TrialCandles, run_trial
from tradenb.core.candles.arrays import Candles, Floats, Rows
from tradenb.core.candles.gaps import with_gaps
from tradenb.core.money.account import Account
from tradenb.core.money.market import Market
from tradenb.core.rules import Rules
from tradenb.engine.specs.registry import registry
from tradenb.engine.specs.strategy_spec import StrategySpec
from tradenb.errors import UsageError, shown
from tradenb.research.sweep.grid import Combination
from tradenb.statistics.figure_names import MONEY_UNITS, UNITS

TEXTS: Final = (FIRST_ERROR, "error")
COLUMNS: Final = (*UNITS, *COUNTS, *TEXTS)
Row = dict[str, Any]
Packed = tuple[str, int, "Floats | str"]
_HELD: Final[dict[str, Any]] = {}
_LOCK: Final = threading.Lock()


@dataclass(frozen=True)
class Settings:
    """What all trials of a sweep have in common; times in ms UTC."""

    symbols: tuple[str, ...]
    start: int | None
    end: int | None
    rules: Rules
    account: Account | None = None
    markets: Mapping[str, Market] = field(default_factory=dict)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its table behind the parameters."""
        return COLUMNS if self.account is None else (*UNITS, *MONEY_UNITS, *COUNTS, *TEXTS)


def settings_of(plan: Plan, market: TrialCandles, start: int | None, end: int | None) -> Settings:
    """Return what all trials in a part of a plan's period have in common."""
    return Settings(plan.symbols, start, end, plan.rules, plan.account, market.markets)


def run_packed(
    factory: bytes,
    candles: Sequence[Packed],
    key: str,
    settings: Settings,
    chunk: list[Combination],
) -> list[Row]:
    """Run the trials of some combinations in this process, whichever it is.

    Parameters
    ----------
    factory : bytes
        The pickled factory.
    key : str
        Stands for factory and candles: what was unpacked once stays in memory.
    """
    with _LOCK:
        if key not in _HELD:
            import cloudpickle

            _HELD.clear()  # one sweep at a time is worth its memory
            _HELD[key] = cloudpickle.loads(factory), market_of(candles, settings)
        make, market = _HELD[key]
    return [trial(make, combination, market, settings) for combination in chunk]


def market_of(candles: Sequence[Packed], settings: Settings) -> TrialCandles:
    """Unpack candles; files are mapped, not read."""
    rules = settings.rules
    unpacked = {symbol: _candles(step, where, rules) for symbol, step, where in candles}
    return TrialCandles("sweep", unpacked, markets=settings.markets)


def trial(make: Any, combination: Combination, market: TrialCandles, settings: Settings) -> Row:
    """Run one combination; what goes wrong is a row as well.

    Beside the columns it has `reads`, the symbols that were looked at and not traded, and `lacks`,
    those of them that the market does not have.
    """
    wanted: set[str] = set()
    try:
        with registry.aside():
            spec = make(**combination)
        if not isinstance(spec, StrategySpec):
            raise UsageError(
                "a strategy factory must return a strategy, made by @tn.strategy(...) inside it; "
                f"returned {shown(spec)}"
            )
        check_intervals((spec,), market)
        # The sweep has checked the other arguments already, once for all combinations.
        start, end, rules = settings.start, settings.end, settings.rules
        accounts = {} if settings.account is None else {spec.name: settings.account}
        plan = Plan(settings.symbols, (spec,), market, start, end, rules, (), accounts)
        row = {**run_trial(plan, market, wanted), "error": None}
    except Exception as error:  # noqa: BLE001 - the user's code; the row says what it was
        row = failed(f"{type(error).__name__}: {error}")
    lacks = sorted(wanted - market.candles.keys())
    return row | {"reads": sorted(wanted), "lacks": lacks}


def failed(words: str) -> Row:
    """Return the row of a combination that gave no figures."""
    figures = {name: float("nan") for name in UNITS} | dict.fromkeys(COUNTS, 0)
    return figures | {FIRST_ERROR: None, "error": words}


def _candles(step: int, where: Floats | str, rules: Rules) -> Candles:
    rows = np.load(Path(where), mmap_mode="r") if isinstance(where, str) else where
    times, *columns = (np.asarray(row) for row in rows)
    return with_gaps(Rows(times.astype(np.int64), *columns), step, rules.gap_minutes)[0]
