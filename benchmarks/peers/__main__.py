"""Compare the trades of tradenb with those of backtesting.py, an independent implementation.

Two strategies on the same 1m bars of a seeded walk: an EMA cross that is always in the market, and
a breakout whose stop trails behind the best close. Both are asked at each 15m close. backtesting.py
fills orders at the next open; with `trade_on_close` it fills at the close that was decided on, as
tradenb does. It has no slippage; fees are left out of both.

`python -m benchmarks.peers` prints how many trades are the same, and ends with 1 if one is not.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import tradenb as tn
from benchmarks import work

MINUTES = 90 * work.DAY
FIRST = 200 * 15
FREE = tn.Rules(fee_percent=0.0, slippage_percent=0.0)
FAST, SLOW, TRAIL = 12, 50, 1.0


class Deal(NamedTuple):
    """One trade: which side, the bars it was entered and left on, and the prices."""

    side: str
    entered: int
    left: int
    entry: float
    exit: float


def ema(values: np.ndarray[Any, Any], span: int) -> float:
    """Return the last exponential mean."""
    weight, mean = 2 / (span + 1), values[0]
    for value in values[1:]:
        mean += weight * (value - mean)
    return float(mean)


def wants_long(close: np.ndarray[Any, Any]) -> bool:
    """Say on which side an EMA cross is, by the last 150 closes of 15m."""
    return ema(close, FAST) > ema(close, SLOW)


def breaks_out(close: np.ndarray[Any, Any]) -> bool:
    """Say whether the last of 96 closes of 15m is above all others."""
    return bool(close[-1] > close[:-1].max())


# ------------------------------------------------------------------------------------------ tradenb


@tn.strategy("cross", every="15m", manage=True)
def cross(ctx: Any) -> Any:
    side = tn.long if wants_long(ctx.candles("15m", 150).close) else tn.short
    return side(stop_loss=tn.percent(20))


@tn.strategy("trailing", every="15m")
def trailing(ctx: Any) -> Any:
    if breaks_out(ctx.candles("15m", 96).close):
        return tn.long(stop_loss=(1 - TRAIL / 100) * ctx.price)
    return None


@trailing.manage(every="1m")
def follow(ctx: Any) -> Any:
    return tn.move(stop_loss=(1 - TRAIL / 100) * ctx.price)


def ours(market: work.Memory, strategy: Any) -> list[Deal]:
    """Return the trades of tradenb."""
    candles = market.candles["S00"]
    start = candles.start + FIRST * 60_000
    result = tn.backtest.run(
        "S00", strategy=strategy, exchange=market, start=start, rules=FREE, progress=False
    )
    bar = [(trade, (trade.opened_at, trade.closed_at)) for trade in result.trade_list]
    return [
        Deal(
            trade.position,
            *((at - candles.start) // 60_000 - 1 for at in ends),
            trade.entry,
            trade.exit,
        )
        for trade, ends in bar
    ]


# ----------------------------------------------------------------------------------- backtesting.py


def theirs(market: work.Memory, name: str) -> list[Deal]:
    """Return the trades of backtesting.py."""
    from backtesting import Backtest, Strategy

    class Cross(Strategy):
        """Always in the market."""

        def init(self) -> None:
            """Nothing is computed beforehand."""

        def next(self) -> None:
            now = len(self.data)
            if now % 15 or now <= FIRST:
                return
            close = np.asarray(self.data.Close)[14::15][-150:]
            long = wants_long(close)
            if self.position and self.position.is_long == long:
                return
            self.position.close()
            self.buy(size=1) if long else self.sell(size=1)

    class Trailing(Strategy):
        """Its stop follows the close."""

        def init(self) -> None:
            """Nothing is computed beforehand."""

        def next(self) -> None:
            now, price = len(self.data), float(self.data.Close[-1])
            for trade in self.trades:
                trade.sl = max(trade.sl or 0.0, (1 - TRAIL / 100) * price)
            if self.position or now % 15 or now <= FIRST:
                return
            if breaks_out(np.asarray(self.data.Close)[14::15][-96:]):
                self.buy(size=1, sl=(1 - TRAIL / 100) * price)

    bars = frame(market)
    chosen = {"cross": Cross, "trailing": Trailing}[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stats = Backtest(bars, chosen, cash=1e9, commission=0.0, trade_on_close=True).run()
    return [
        Deal(
            "long" if row.Size > 0 else "short",
            row.EntryBar,
            row.ExitBar,
            row.EntryPrice,
            row.ExitPrice,
        )
        for row in stats["_trades"].itertuples()
    ]


def frame(market: work.Memory) -> pd.DataFrame:
    """Return the candles as backtesting.py wants them."""
    candles = market.candles["S00"]
    names = ("Open", "High", "Low", "Close", "Volume")
    index = pd.to_datetime(candles.time, unit="ms")
    return pd.DataFrame(dict(zip(names, candles.columns, strict=True)), index=index)


def compare(name: str, mine: list[Deal], its: list[Deal]) -> bool:
    """Print how many trades are the same."""
    same = sum(_equal(one, other) for one, other in zip(mine, its, strict=False))
    print(
        f"{name:10} {same} of {len(its)} trades of backtesting.py are the same (ours {len(mine)})"
    )
    for one, other in zip(mine, its, strict=False):
        if not _equal(one, other):
            print(f"  first difference: ours {one}, theirs {other}")
            break
    return same == len(its) == len(mine)


def _equal(one: Deal, other: Deal) -> bool:
    prices = np.allclose(one[3:], other[3:], rtol=1e-12, atol=0)
    return one[:3] == other[:3] and bool(prices)


def timed(what: Callable[[], list[Deal]]) -> tuple[list[Deal], float]:
    """Return the trades and the CPU seconds that they took."""
    began = time.process_time()
    found = what()
    return found, time.process_time() - began


def main() -> int:
    """Compare both strategies."""
    market = work.market(1, MINUTES)
    good = True
    for name, strategy in (("cross", cross), ("trailing", trailing)):
        mine, seconds = timed(lambda strategy=strategy: ours(market, strategy))
        its, longer = timed(lambda name=name: theirs(market, name))
        good = compare(name, mine, its) and good
        print(f"{'':10} CPU {seconds:.2f} s, backtesting.py {longer:.2f} s")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
