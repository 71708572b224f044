"""The candles of a sweep or a comparison, loaded once; those that are only read when needed."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from tradenb.backtest.assembly import load_period
from tradenb.backtest.period import read_warnings
from tradenb.backtest.plan import Plan
from tradenb.backtest.trial import TrialCandles
from tradenb.core.candles.arrays import NAMES, Candles
from tradenb.core.candles.gaps import with_columns
from tradenb.core.money.market import Market
from tradenb.engine.ports import check_markets
from tradenb.engine.specs.risk_spec import old_rules

log = logging.getLogger("tradenb")


def market_of_plan(plan: Plan, history_ms: int) -> TrialCandles:
    """Load the candles of each symbol, and log what a backtest would warn of.

    Parameters
    ----------
    history_ms : int
        How much is wanted before the start.

    Raises
    ------
    CandleError
        When there are none in the period.
    """
    period = load_period(plan, history_ms=history_ms)
    _log(words for spec in plan.strategies for words in old_rules(spec.name, spec.risk))
    _log(period.warnings)
    any_symbol = replace(plan.request(""), start=period.start, end=period.end, history=history_ms)

    def load_other(symbol: str) -> Candles:
        check_markets(plan.source, (plan.symbols[0], symbol))
        candles, intake = plan.source.load(replace(any_symbol, symbol=symbol))
        _log(read_warnings(symbol, candles, intake, period.start, period.end))
        return _lined_up(candles)

    traded = {symbol: _lined_up(own) for symbol, own in period.candles.items()}
    return TrialCandles(plan.source.name, traded, load_other, markets_of_plan(plan))


def markets_of_plan(plan: Plan) -> dict[str, Market]:
    """Return the steps of the symbols that are traded, where their source has some."""
    known = ((symbol, plan.market(symbol)) for symbol in plan.symbols)
    return {symbol: market for symbol, market in known if market is not None}


def _log(warnings: Iterable[str]) -> None:
    for words in warnings:
        log.warning("%s", words)


def _lined_up(candles: Candles) -> Candles:
    """Return candles that lie in memory as they do in other processes, mostly these themselves."""
    columns: Any = tuple(np.ascontiguousarray(getattr(candles, name)) for name in NAMES)
    return with_columns(candles, columns)
