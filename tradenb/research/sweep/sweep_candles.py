"""The candles of a sweep or a comparison, loaded once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

from tradenb.backtest.period import intake_warnings, span_of
from tradenb.backtest.plan import Plan
from tradenb.core.candles.arrays import Candles

log = logging.getLogger("tradenb")


def candles_of_plan(plan: Plan, history: int) -> Iterator[tuple[str, Candles]]:
    """Load the candles of each symbol, and log what a backtest would warn of.

    Parameters
    ----------
    plan : Plan
    history : int
        How much is wanted before the start, ms.

    Raises
    ------
    CandleError
        When there are none in the period.
    """
    for symbol in plan.symbols:
        candles, intake = plan.source.load(replace(plan.request(symbol), history=history))
        _, clipped = span_of(symbol, candles, plan.start, plan.end)
        for words in (*clipped, *intake_warnings(symbol, intake)):
            log.warning("%s", words)
        yield symbol, candles
