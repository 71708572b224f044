"""The run alone, without import and load: one symbol, one year, asked every 5m (work W).

The fastest of several runs that took turns counts, in CPU seconds of all threads. The yardstick
goes from the same arrays to the same trades by plain Python (see yardstick.py): it computes the
signals with numpy, makes lists, and loops over every candle. Of the loop alone nothing but the
loop is counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from benchmarks import work, yardstick
from benchmarks.clock import fastest
from benchmarks.lines import Heading, Line
from tradenb.core.signal import Trade
from tradenb.core.timeframe import MINUTE

STRATEGIES = (work.with_mean, work.with_mean_async, work.with_reduce, work.with_nothing)


def measure(times: int) -> Iterator[Line | Heading]:
    market = work.market(1, work.YEAR)
    candles = market.candles["S00"]
    lists = yardstick.prepared(candles)
    specs = [work.spec(function) for function in STRATEGIES]
    result = work.run(market, specs[0])
    _check_same_trades(result.trade_list, yardstick.loop(*lists))
    asked = work.asks(market, work.with_mean)
    yield Heading(
        f"Work W: one symbol, {len(candles):,} candles, {asked:,} asks, "
        f"{len(result.trade_list):,} trades, {len(result.event_list):,} events"
    )
    sync, waiting, reduce, nothing, plain, loop = fastest(
        *(partial(work.run, market, spec) for spec in specs),
        partial(yardstick.trades_of, candles),
        partial(yardstick.loop, *lists),
        times=times,
    )
    yield Line("run, two .mean() of ctx.candles at each ask", sync, "s", 0.6)
    yield Line("- millions of candles per second", len(candles) / sync / 1e6)
    yield Line("- for each ask", sync / asked * 1e6, "us")
    yield Line("yardstick: signals, lists, plain Python loop", plain, "s")
    yield Line("- run / yardstick", sync / plain, "x", 3)
    yield Line("- the loop alone", loop, "s")
    yield Line("- run / loop alone", sync / loop, "x")
    yield Line("run, the same strategy as async", waiting, "s")
    yield Line("- async / sync", waiting / sync, "x", 1.3)
    yield Line("run, np.add.reduce instead of .mean()", reduce, "s")
    yield Line("- run / loop alone", reduce / loop, "x")
    every = len(candles) // 5
    yield Line(f"run, always None, {every:,} asks", nothing, "s")
    yield Line("- for each ask", nothing / every * 1e6, "us")


def _check_same_trades(trades: list[Trade], expected: yardstick.Trades) -> None:
    """Make sure that run and yardstick do the same work, to the last bit of every price."""
    found = [(_row(t.opened_at), _row(t.closed_at), t.entry, t.exit) for t in trades]
    assert found == [trade[:4] for trade in expected]


def _row(close_time: int) -> int:
    return (close_time - work.START) // MINUTE - 1
