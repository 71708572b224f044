"""The candles of a sweep or a comparison, loaded once."""

from __future__ import annotations

import logging

from tradenb.backtest.assembly import load_period
from tradenb.backtest.plan import Plan
from tradenb.core.candles.arrays import Candles

log = logging.getLogger("tradenb")


def candles_of_plan(plan: Plan, history_ms: int) -> dict[str, Candles]:
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
    for words in period.warnings:
        log.warning("%s", words)
    return period.candles
