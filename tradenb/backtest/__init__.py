"""Backtests: the same strategies and the same machine over recorded candles."""

from tradenb.backtest.job import Job
from tradenb.backtest.result import Result
from tradenb.backtest.run import background, run

__all__ = ["Job", "Result", "background", "run"]
