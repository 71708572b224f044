"""Work W in backtesting.py, on 1m: called at each candle, the signals computed by numpy before."""

from __future__ import annotations

import warnings

import backtesting
import pandas as pd

from benchmarks.peers.same_work import DAY, FEE, Candles, enters, report


def run(candles: Candles) -> int:
    """Return the number of trades."""
    wanted = enters(candles.close)

    class Crossing(backtesting.Strategy):
        """The strategy of work W."""

        def init(self) -> None:
            """Compute nothing: the signals are there."""

        def next(self) -> None:
            """Enter, or leave after a day."""
            now = len(self.data) - 1
            for trade in self.trades:
                if now - trade.entry_bar >= DAY:
                    trade.close()
            if wanted[now] and not self.position:
                price = self.data.Close[-1]
                self.buy(size=1, tp=1.01 * price, sl=0.99 * price)

    names = ("Open", "High", "Low", "Close", "Volume")
    index = pd.to_datetime(candles.time, unit="ms")
    bars = pd.DataFrame(dict(zip(names, candles[1:], strict=True)), index=index)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        played = backtesting.Backtest(
            bars, Crossing, cash=1e9, commission=FEE, trade_on_close=True
        ).run()
    return len(played["_trades"])


if __name__ == "__main__":
    report(backtesting.__version__, run, "called, signals as an array")
