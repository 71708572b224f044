"""Work W in vectorbt: arrays alone; stop and target, but no time after which a trade ends."""

from __future__ import annotations

import sys

import pandas as pd
import vectorbt as vbt

from benchmarks.peers.same_work import FEE, Candles, enters, report

ENGINE = sys.argv[2] if len(sys.argv) > 2 else "numba"


def run(candles: Candles) -> int:
    """Return the number of trades."""
    index = pd.to_datetime(candles.time, unit="ms")
    opened, high, low, close = (pd.Series(each, index=index) for each in candles[1:5])
    wanted = pd.Series(enters(candles.close), index=index)
    played = vbt.Portfolio.from_signals(
        close, wanted, False, open=opened, high=high, low=low, fees=FEE, sl_stop=0.01, tp_stop=0.01,
        engine=ENGINE, freq="1min",
    )  # fmt: skip
    return int(played.trades.count())


if __name__ == "__main__":
    report(vbt.__version__, run, f"arrays, {ENGINE}; no end after a day")
