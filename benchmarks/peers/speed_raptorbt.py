"""Work W in raptorbt: a class whose `on_bar` is called.

Its arrays are left out: with a fixed stop and target they make one trade of these signals.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import raptorbt

from benchmarks.peers.same_work import DAY, FEE, Candles, enters, report

CASH = 1e6


def run(candles: Candles) -> int:
    """Return the number of trades."""
    wanted = enters(candles.close)

    class Crossing(raptorbt.Strategy):
        """The strategy of work W."""

        def on_bar(self, ctx: Any) -> None:
            """Enter, or leave after a day."""
            now, held = ctx.idx, ctx.position
            if held is not None:
                if now - held.entry_idx >= DAY:
                    self.close_position()
            elif wanted[now]:
                price = ctx.close[now]
                self.enter(stop_price=0.99 * price, target_price=1.01 * price)

    config = raptorbt.BacktestConfig(initial_capital=CASH, fees=FEE)
    nanoseconds = candles.time.astype(np.int64) * 1_000_000
    played = raptorbt.run_strategy_backtest(Crossing(), nanoseconds, *candles[1:], config=config)
    return len(played.trades())


if __name__ == "__main__":
    report(raptorbt.__version__, run, "called, signals as an array")
