"""Backtests: the same strategies and the same machine, over recorded candles."""

from tradenb.backtest.api import background, run
from tradenb.backtest.job import Job
from tradenb.backtest.results.result import Result

__all__ = ["Job", "Result", "background", "run"]


def __dir__() -> list[str]:
    return sorted(__all__)
